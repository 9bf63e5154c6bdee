package inbox

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	gomail "github.com/wneessen/go-mail"
)

// lines joins lines as they are in a mail.
func lines(all ...string) string { return strings.Join(all, "\r\n") + "\r\n" }

func TestParseReadsWhatClientsWrite(t *testing.T) {
	t.Parallel()
	m := gomail.NewMsg()
	if err := m.FromFormat("Łódź Shop", "shop@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := m.To("Zoë <zoe@example.com>", "ann@example.org"); err != nil {
		t.Fatal(err)
	}
	m.Subject("Gruß aus Łódź")
	m.SetMessageIDWithValue("a.b@example.com")
	m.SetBodyString(gomail.TypeTextPlain, "Grüße,\nдо свидания")
	m.AddAlternativeString(gomail.TypeTextHTML, "<p>Grüße</p>")
	pdf := bytes.Repeat([]byte{0, 1, 2, 0xFF}, 1000)
	m.AttachReadSeeker("Überweisung.pdf", bytes.NewReader(pdf), gomail.WithFileContentType("application/pdf"))
	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}

	want := content{
		MessageID: "a.b@example.com", Subject: "Gruß aus Łódź",
		From: person{"Łódź Shop", "shop@example.com"},
		To:   []person{{"Zoë", "zoe@example.com"}, {"", "ann@example.org"}},
		Text: "Grüße,\nдо свидания", HTML: "<p>Grüße</p>",
		Attachments: []attachment{{"3", "Überweisung.pdf", "application/pdf", len(pdf), pdf}},
	}
	got := parse(raw.Bytes())
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(attachment{}), cmpopts.IgnoreFields(content{}, "Header")); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	if id := messageID(raw.Bytes()); id != want.MessageID {
		t.Errorf("Message-ID: got %q, want %q", id, want.MessageID)
	}
}

func TestParseShowsWhatItCan(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, raw string
		text      string
		problem   bool
	}{
		{"nothing", "", "", true},
		{"no header", lines("just text", "and more"), "just text\nand more\n", true},
		{"no content type", lines("Subject: x", "", "hello"), "hello\n", false},
		{"broken content type", lines("Content-Type: ///", "", "hello"), "", false},
		{"broken base64", lines("Content-Transfer-Encoding: base64", "", "aGVsbG8h????"), "hello!", true},
		{"broken quoted-printable", lines("Content-Transfer-Encoding: quoted-printable", "", "a=C3=A9 =ZZ"), "aé =ZZ\n", false},
		{"latin 1", lines("Content-Type: text/plain; charset=iso-8859-1", "", "caf\xe9"), "café\n", false},
		{"another charset", lines("Content-Type: text/plain; charset=koi8-r", "", "\xc9"), "\uFFFD\n", false},
		{"no boundary", lines("Content-Type: multipart/mixed", "", "hello"), "", true},
		{"cut off", lines("Content-Type: multipart/mixed; boundary=x", "", "--x", "", "hello"), "hello", true},
	} {
		got := parse([]byte(row.raw))
		if got.Text != row.text || (got.Problem != "") != row.problem {
			t.Errorf("%s: got %q, problem %q; want %q, a problem: %t", row.name, got.Text, got.Problem, row.text, row.problem)
		}
	}
}

func TestHostileMailsAreBounded(t *testing.T) {
	t.Parallel()
	deep := "Content-Type: multipart/mixed; boundary=x0\r\n\r\n"
	for i := range 1000 {
		deep += lines("--x"+strings.Repeat("y", i), "Content-Type: multipart/mixed; boundary=x"+strings.Repeat("y", i+1), "")
	}
	wide := lines("Content-Type: multipart/mixed; boundary=x", "") + strings.Repeat(lines("--x", "", "a"), 100_000)
	for name, raw := range map[string]string{"deep": deep, "wide": wide} {
		got := parse([]byte(raw))
		if got.Problem == "" || len(got.Attachments) > maxParts {
			t.Errorf("%s: got %d attachments, problem %q", name, len(got.Attachments), got.Problem)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(lines("From: a@b", "Subject: =?utf-8?q?=", "Content-Type: multipart/mixed; boundary=x", "", "--x", "Content-Type: text/html", "", "<p>", "--x--")))
	f.Add([]byte(lines("Content-Transfer-Encoding: base64", "", "aGVsbG8")))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := parse(raw)
		if n := len([]rune(c.snippet())); n > 120 {
			t.Errorf("snippet of %d characters, want at most 120", n)
		}
		if id := messageID(raw); id != c.MessageID {
			t.Errorf("Message-ID: %q counted, %q shown", id, c.MessageID)
		}
		for _, a := range c.Attachments {
			if a.Size != len(a.body) || strings.ContainsAny(a.ContentType, "\r\n") {
				t.Errorf("attachment %+v", a)
			}
		}
	})
}
