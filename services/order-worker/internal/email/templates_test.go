package email_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/order"
)

// folder returns a folder with one template.
func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTemplateInFolderReplacesEmbeddedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t, "mail.txt", `{{define "name"}}{{.}}{{end}}{{template "greeting" .}} {{.Total}} <b>{{.Link}}`)
		if err := os.WriteFile(filepath.Join(dir, ".swp"), []byte("{{"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := setup(t, func(c *email.Config) { c.Templates = dir })
		if err := s.mail(t.Context(), sentTo("DE")); err != nil {
			t.Fatal(err)
		}
		got := s.received(t, "1")
		if want := "Guten Tag Zoë Łukasiewicz, 1.590,67\u00a0EUR <b>"; got.Text != want {
			t.Errorf("text: got %q, want %q", got.Text, want)
		}
		if !strings.Contains(got.HTML, "<h1") {
			t.Errorf("HTML: got %.100q, want ours", got.HTML)
		}
	})
}

func TestBrokenTemplateIsAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	words, err := os.ReadFile(filepath.Join("templates", "uk.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	_, others, _ := strings.Cut(string(words), "\n")
	for _, row := range []struct{ name, file, text, says string }{
		{"does not parse", "mail.html", "<p>\n{{if}}", "mail.html:2: missing value for if"},
		{"words do not parse", "de.tmpl", "\n\n{{define}}", "de.tmpl:3:"},
		{"no such field", "mail.txt", "one\n{{.Totl}}", "mail.txt:2:"},
		{"no such field of a line", "mail.html", "{{range .Lines}}\n\n{{.Weight}}{{end}}", "mail.html:3:"},
		{"no such field in the words", "pl.tmpl", `{{define "subject"}}` + "\n{{.Number}}{{end}}", "pl.tmpl:2:"},
		{"no such function", "mail.txt", "{{shout .Name}}", `mail.txt:1: function "shout" not defined`},
		{"words missing", "fr.tmpl", `{{define "subject"}}Facture{{end}}`, `fr.tmpl: writing the text: template: embedded mail.txt`},
		{"fails without a link", "mail.txt", "x\n{{slice .Link 8}}", "mail.txt:2:"},
		{"HTML that ends in a tag", "mail.html", "<p>\n<a href=\"{{.Link}}", "mail.html"},
		{"nothing in it", "mail.html", "\n", "mail.html: the template writes nothing"},
		{"subject of nothing", "uk.tmpl", `{{define "subject"}}{{end}}` + others, "uk.tmpl: subject: the template writes nothing"},
		{"words of refunds do not parse", "el-credit.tmpl", "\n{{define}}", "el-credit.tmpl:2:"},
		{"no such field in the words of refunds", "uk-credit.tmpl", `{{define "thanks"}}` + "\n{{.Refund}}{{end}}", "uk-credit.tmpl:2:"},
		{"fails without a reason", "en-credit.tmpl", `{{define "thanks"}}` + "\n{{slice .Reason 2}}{{end}}", "en-credit.tmpl:2:"},
		{"fails where no shipping is refunded", "mail.txt", "x\n{{slice .Shipping.Service 8}}", "mail.txt:2:"},
		{"in Latin-1", "mail.txt", "x\nf\xfcr", "mail.txt:2: is not UTF-8"},
		{"direction override", "mail.txt", "x\n\u202efor", "mail.txt:2: " + order.NotPlain},
		{"line separator", "en.tmpl", "x\u2028y", "en.tmpl:1: " + order.NotPlain},
		{"misspelt name", "mail.htm", "<p>", "mail.htm: no template has this name"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, row.file, row.text)
			_, err := email.New(email.Config{SMTP: "127.0.0.1:25", From: "shop@example.com", Templates: dir})
			if err == nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), "mail templates: ") {
				t.Errorf("got %v, want an error that says %q", err, row.says)
			}
		})
	}
	if _, err := email.New(email.Config{SMTP: "127.0.0.1:25", From: "shop@example.com", Templates: "nowhere"}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no folder: got %v, want an error that says nowhere", err)
	}
}

func TestEndlessTemplateIsAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, file, text, says string }{
		{"a loop that writes", "mail.txt", "{{range 1000000000000}}x{{end}}", "mail.txt: the template does not end"},
		{"much in few rounds", "mail.txt", `{{$x := printf "%999999d" 1}}{{$x}}{{$x}}{{$x}}`, "writing the text: the template writes more than 2 MiB"},
		{"a loop that writes nothing", "mail.txt", "{{range 1000000000000}}{{end}}", "mail.txt: the template does not end"},
		{"in HTML", "mail.html", "<script>{{range 1000000000000}}{{end}}</script>", "mail.html: the template does not end"},
		{"a loop in a loop over the lines", "mail.txt", "x{{range $.Lines}}{{range $.Lines}}{{range $.Lines}}{{range $.Lines}}{{end}}{{end}}{{end}}{{end}}", "mail.txt: the template does not end"},
		{"templates that call each other", "de.tmpl", `{{define "twice"}}{{if .}}{{template "twice" slice . 1}}{{template "twice" slice . 1}}{{end}}{{end}}` +
			`{{define "subject"}}{{template "twice" "0123456789012345678901234567890123456789"}}{{end}}`, "the template does not end"},
		{"a long file", "mail.txt", strings.Repeat("x", 300<<10), "mail.txt: is larger than 256 KiB"},
	} {
		dir := folder(t, row.file, row.text)
		_, err := email.New(email.Config{SMTP: "127.0.0.1:1", From: "a@example.com", Templates: dir})
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: got %v, want %s", row.name, err, row.says)
		}
	}
}

func TestTemplatesAreReadFromRegularFilesOnly(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "mail.txt")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for folder, says := range map[string]string{filepath.Dir(pipe): "mail.txt: is not a regular file", pipe: "mail.txt: is not a folder"} {
		_, err := email.New(email.Config{SMTP: "127.0.0.1:1", From: "a@example.com", Templates: folder})
		if err == nil || !strings.HasSuffix(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
