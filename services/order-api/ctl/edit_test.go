package ctl_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

const (
	placed = `{"customer":{"name":"Zoë","email":"zoe@example.com"},"ship_to":{"line1":"1 St","city":"Rothera","country":"AQ"},"service":"standard","items":[{"sku":"MUG","quantity":2}]}`
	gb     = `"country": "GB"`
)

// editing is a desk with a dead letter that can be edited.
func editing(t *testing.T, e client.Editable) *desk {
	t.Helper()
	d := openDesk(t)
	l := client.DeadLetter{ID: "0-1", State: "open", Topic: "orders.dlq", Order: "ord_1", Edit: &e}
	d.answers["GET /v1/dead-letters/0-1"] = []any{l}
	preview := client.EditResult{Version: e.Version + 1, Changes: []client.ValueChange{{Pointer: "/ship_to/country", Before: json.RawMessage(`"AQ"`), After: json.RawMessage(`"GB"`)}}}
	d.answers["POST /v1/dead-letters/0-1/edit"] = []any{preview}
	return d
}

func order(version int) client.Editable {
	return client.Editable{Version: version, Value: json.RawMessage(placed), Locked: []string{}}
}

// script sets the editor to a script on the file that is edited.
func script(t *testing.T, text string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", text)
}

// kept lists the files of unfinished edits.
func kept(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "dead-letter-*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEditInAnEditorIsShownAndStored(t *testing.T) {
	script(t, `sed -i s/AQ/GB/`)
	for answer, want := range map[string]string{"y\n": "0-1 version 3\n", "yes\n": "0-1 version 3\n", "n\n": "", "": ""} {
		d := editing(t, order(2))
		stdout, stderr, err := d.run(t, answer, "dlq", "edit", "0-1", "--reason", "The customer moved")
		if stdout != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", answer, stdout, err, want)
		}
		const asked = "    /ship_to/country\n      - \"AQ\"\n      + \"GB\"\nStore this as version 3 of dead letter 0-1? [y/N] "
		if !strings.HasPrefix(stderr, asked) {
			t.Errorf("%q: got %q on stderr, want the difference and the question", answer, stderr)
		}
		requests := d.requests("POST")
		if want == "" {
			if len(kept(t)) != 1 || !strings.Contains(stderr, "your text is kept in "+kept(t)[0]) || len(requests) != 1 {
				t.Errorf("%q: got files %q and requests %q, want the text kept, and the preview only", answer, kept(t), requests)
			}
			_ = os.Remove(kept(t)[0])
			continue
		}
		body := fmt.Sprintf(`{"version":2,"value":%s,"reason":"The customer moved"}`, strings.ReplaceAll(placed, "AQ", "GB"))
		if diff := gocmp.Diff([]string{"POST /v1/dead-letters/0-1/edit?preview=true " + body, "POST /v1/dead-letters/0-1/edit " + body}, requests); diff != "" || len(kept(t)) != 0 {
			t.Errorf("%q: kept %q, requests (-want +got):\n%s", answer, kept(t), diff)
		}
	}
}

func TestRefusedEditKeepsTheText(t *testing.T) {
	conflict := client.Problem{Type: "/problems/edit-conflict", Title: "Edited by somebody else", Status: http.StatusConflict, Version: 3}
	invalid := client.Problem{Type: "/problems/invalid-order", Title: "Invalid order", Status: 422, Errors: []client.FieldError{{Pointer: "/ship_to/country", Detail: "is no country"}}}
	for name, row := range map[string]struct {
		editor string
		answer any
		want   string
	}{
		"conflict":         {`sed -i s/AQ/GB/`, conflict, "ordersctl: somebody has stored version 3 meanwhile: Edited by somebody else\nhint: run the command again, and make your changes to the new version\n"},
		"invalid":          {`sed -i s/AQ/GB/`, invalid, "ordersctl: Invalid order\n  /ship_to/country is no country\n"},
		"no JSON":          {`sed -i s/:/=/`, nil, "ordersctl: the new version is no valid JSON: line 2: invalid character '=' after object key\n"},
		"the editor fails": {`false`, nil, "ordersctl: running the editor \"false\": exit status 1\n"},
	} {
		script(t, row.editor)
		d := editing(t, order(2))
		if row.answer != nil {
			d.answers["POST /v1/dead-letters/0-1/edit"] = []any{row.answer}
		}
		_, _, err := d.run(t, "y\n", "dlq", "edit", "0-1", "--yes")
		if err == nil || told(err) != row.want {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
		if want := map[bool]int{true: 0, false: 1}[name == "the editor fails"]; len(kept(t)) != want {
			t.Errorf("%s: got files %q, want %d", name, kept(t), want)
		}
	}
}

func TestUnchangedEditStoresNothing(t *testing.T) {
	script(t, `true`)
	d := editing(t, order(0))
	stdout, stderr, err := d.run(t, "", "dlq", "edit", "0-1")
	if stdout != "" || stderr != "ordersctl: nothing was changed\n" || err != nil || len(d.requests("POST")) != 0 || len(kept(t)) != 0 {
		t.Errorf("got %q, %q, %v and requests %q", stdout, stderr, err, d.requests("POST"))
	}
	script(t, "")
	if _, _, err := d.run(t, "", "dlq", "edit", "0-1"); err == nil || !strings.Contains(err.Error(), "no editor") || len(kept(t)) != 0 {
		t.Errorf("without an editor: got %v and files %q", err, kept(t))
	}
}

func TestEditTakesAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new.json")
	if err := os.WriteFile(path, []byte(strings.Replace(placed, `"country":"AQ"`, gb, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ args, stdin, stdout, err string }{
		{"--file " + path + " --yes", "", "0-1 version 1\n", "<nil>"},
		{"--file - --yes", placed, "0-1 version 1\n", "<nil>"},
		{"--file " + path + " --dry-run", "", "0-1 would get version 1\n    /ship_to/country\n      - \"AQ\"\n      + \"GB\"\n", "<nil>"},
		{"--file -", placed, "", "--file - needs --yes or --dry-run: stdin cannot be the answer, too"},
		{"--file - --yes", strings.Repeat(" ", 2<<20), "", "stdin: larger than 1024 KiB"},
		{"--file nowhere", "", "", "stat nowhere: no such file or directory"},
	} {
		d := editing(t, order(0))
		stdout, _, err := d.run(t, row.stdin, append([]string{"dlq", "edit", "0-1"}, strings.Fields(row.args)...)...)
		if stdout != row.stdout || fmt.Sprint(err) != row.err {
			t.Errorf("%s: got %q, %v; want %q, %s", row.args, stdout, err, row.stdout, row.err)
		}
		if n := len(d.requests("POST /v1/dead-letters/0-1/edit ")); (n == 1) != strings.Contains(row.stdout, "0-1 version") {
			t.Errorf("%s: got %d edits", row.args, n)
		}
	}
	d := openDesk(t)
	d.answers["GET /v1/dead-letters/0-1"] = []any{client.DeadLetter{ID: "0-1", State: "open", Topic: "orders.dlq"}}
	if _, _, err := d.run(t, "", "dlq", "edit", "0-1", "--file", path, "--yes"); err == nil || !strings.Contains(err.Error(), "cannot be edited") {
		t.Errorf("got %v, want an error: it cannot be edited", err)
	}
}

func TestEditOfAForeignDeadLetterKeepsItsBytes(t *testing.T) {
	bytes := []byte{0, 'A', 0xff, '\n'}
	for encoding, value := range map[string]string{"utf-8": "A\r\nB", "base64": base64.StdEncoding.EncodeToString(bytes)} {
		script(t, `sed -i s/A/C/`)
		text, _ := json.Marshal(value)
		d := editing(t, client.Editable{Value: text, Encoding: encoding, Locked: []string{}})
		_, _, err := d.run(t, "", "dlq", "edit", "0-1", "--yes")
		if encoding == "base64" {
			value = base64.StdEncoding.EncodeToString([]byte{0, 'C', 0xff, '\n'})
		}
		text, _ = json.Marshal(strings.Replace(value, "A\r", "C\r", 1))
		want := fmt.Sprintf(`POST /v1/dead-letters/0-1/edit {"version":0,"value":%s,"encoding":%q}`, text, encoding)
		if got := d.requests("POST /v1/dead-letters/0-1/edit "); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, requests %q, want %s", encoding, err, got, want)
		}
	}
}

func TestFixIsPreviewedAndThenReplayed(t *testing.T) {
	t.Parallel()
	const patch = `[{"op":"test","path":"/ship_to/country","value":"UK"},{"op":"replace","path":"/ship_to/country","value":"GB"}]`
	path := filepath.Join(t.TempDir(), "fix.json")
	if err := os.WriteFile(path, []byte(patch), 0o600); err != nil {
		t.Fatal(err)
	}
	preview := client.FixPreview{Total: 10, Changed: 7, NotMatched: 2, Invalid: 1, DeadLetters: []client.FixResult{
		{ID: "0-1", Result: "changed", Changes: []client.ValueChange{{Pointer: "/ship_to/country", Before: json.RawMessage(`"UK"`), After: json.RawMessage(`"GB"`)}}},
		{ID: "0-2", Result: "invalid", Errors: []client.FieldError{{Pointer: "/ship_to/postal_code", Detail: "is no postal code"}}},
	}}
	const selection = `"selection":{"filter":{"cause":"c1"}}`
	for _, row := range []struct {
		args, stdin string
		changed     int
		jobs        int
		err         string
	}{
		{"", "y\n", 7, 1, "<nil>"},
		{"--yes", "", 7, 1, "<nil>"},
		{"", "\n", 7, 0, "not confirmed: nothing was changed"},
		{"--dry-run", "y\n", 7, 0, "<nil>"},
		{"--yes", "", 0, 0, "the patch changes none of the selected dead letters"},
	} {
		d := openDesk(t)
		p := preview
		p.Changed = row.changed
		d.answers["POST /v1/dead-letters/fix"] = []any{p}
		d.answers["POST /v1/replays"] = []any{job(0, "done", client.ReplayCounts{Confirmed: 10})}
		stdout, stderr, err := d.run(t, row.stdin, append([]string{"dlq", "fix", "--cause", "c1", "--patch", path, "--rate", "5", "--reason", "UK is GB"}, strings.Fields(row.args)...)...)
		if fmt.Sprint(err) != row.err {
			t.Errorf("%s: got %v, want %s", row.args, err, row.err)
		}
		const shown = "0-1 changed\n    /ship_to/country\n      - \"UK\"\n      + \"GB\"\n0-2 invalid\n    /ship_to/postal_code is no postal code\n"
		if !strings.HasPrefix(stdout, shown) || row.changed > 0 && !strings.HasPrefix(stderr, "ordersctl: 10 selected: 7 to change, 2 not matched by a test, 1 invalid afterwards\n") {
			t.Errorf("%s: got %q and %q, want the preview", row.args, stdout, stderr)
		}
		if got, want := d.requests("POST /v1/dead-letters/fix"), "POST /v1/dead-letters/fix {"+selection+`,"patch":`+patch+"}"; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %s", row.args, got, want)
		}
		got := d.requests("POST /v1/replays")
		if want := "POST /v1/replays {" + selection + `,"rate":5,"patch":` + patch + `,"reason":"UK is GB"}`; len(got) != row.jobs || row.jobs > 0 && got[0] != want {
			t.Errorf("%s: got jobs %q, want %d of %s", row.args, got, row.jobs, want)
		}
	}
}

func TestFixRefusesBadArguments(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, row := range []struct{ args, stdin, want string }{
		{"--all", "", "missing flags: --patch=FILE"},
		{"--patch - --yes", "[]", "give the IDs of dead letters, or filters such as --cause, or --all"},
		{"--all --patch -", "[]", "--show must not be negative, and --patch - needs --yes or --dry-run: stdin cannot be the answer, too"},
		{"--all --patch - --yes", "[{]", "-: is no valid JSON: line 1: invalid character ']' looking for beginning of object key string"},
	} {
		_, _, err := d.run(t, row.stdin, append([]string{"dlq", "fix"}, strings.Fields(row.args)...)...)
		if fmt.Sprint(err) != row.want || len(d.asked) != 0 {
			t.Errorf("%s: got %v and requests %q, want %s and none", row.args, err, d.asked, row.want)
		}
	}
}
