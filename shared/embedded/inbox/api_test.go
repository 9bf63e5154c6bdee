package inbox_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/embedded/inbox"
)

// fullMail is a mail with text, HTML with a script, an attached invoice and an attached page.
var fullMail = strings.ReplaceAll(`From: Shop <shop@example.com>
To: =?utf-8?q?Zo=C3=AB?= <zoe@example.com>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <b>bold</b>
Message-ID: <full@example.com>
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

Thank you,
   Zoë </pre><script>alert(1)</script>
--inner
Content-Type: text/html; charset=utf-8

<p>Thank you</p><script>alert(2)</script>
--inner--
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename*=utf-8''Rechnung%20%E2%82%AC.pdf
Content-Transfer-Encoding: base64

JVBERi0xLjQ=
--outer
Content-Type: text/html; charset=utf-8
Content-Disposition: attachment; filename="a.html"

<script>alert(3)</script>
--outer--
`, "\n", "\r\n")

// full is an inbox that holds only fullMail.
func full(t *testing.T) *inbox.Inbox {
	t.Helper()
	in := start(t, inbox.Config{})
	if err := send(client(t, in), "zoe@example.com", fullMail); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestMessagesHaveMailpitsFormat(t *testing.T) {
	t.Parallel()
	in := full(t)
	type object = map[string]any
	want := object{
		"total": 1.0, "count": 1.0, "start": 0.0,
		"messages": []any{object{
			"ID": "1", "MessageID": "full@example.com", "Subject": "Grüße <b>bold</b>", "Attachments": 2.0,
			"From": object{"Name": "Shop", "Address": "shop@example.com"},
			"To":   []any{object{"Name": "Zoë", "Address": "zoe@example.com"}}, "Size": float64(len(fullMail)),
			"Snippet": "Thank you, Zoë </pre><script>alert(1)</script>",
		}},
	}
	got := get[object](t, in, "/api/v1/messages")
	delete(got["messages"].([]any)[0].(object), "Created")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}

	want = object{
		"ID": "1", "MessageID": "full@example.com", "Subject": "Grüße <b>bold</b>", "Size": float64(len(fullMail)),
		"From": object{"Name": "Shop", "Address": "shop@example.com"},
		"To":   []any{object{"Name": "Zoë", "Address": "zoe@example.com"}},
		"Text": "Thank you,\n   Zoë </pre><script>alert(1)</script>", "HTML": "<p>Thank you</p><script>alert(2)</script>",
		"Attachments": []any{
			object{"PartID": "3", "FileName": "Rechnung €.pdf", "ContentType": "application/pdf", "Size": 8.0},
			object{"PartID": "4", "FileName": "a.html", "ContentType": "text/html; charset=utf-8", "Size": 25.0},
		},
	}
	got = get[object](t, in, "/api/v1/message/1")
	delete(got, "Date")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	c := client(t, in)
	for i := range 5 {
		if err := send(c, "zoe@example.com", plainMail(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	type page struct {
		Total, Count, Start int
		Messages            []struct{ MessageID string }
	}
	for _, row := range []struct {
		query        string
		count, start int
		first        string
	}{
		{"", 5, 0, "4"},
		{"?limit=2", 2, 0, "4"},
		{"?start=3&limit=10", 2, 3, "1"},
		{"?start=-1&limit=x", 5, 0, "4"},
		{"?start=9", 0, 9, ""},
	} {
		got := get[page](t, in, "/api/v1/messages"+row.query)
		first := ""
		if len(got.Messages) > 0 {
			first = got.Messages[0].MessageID
		}
		if got.Total != 5 || got.Count != row.count || got.Start != row.start || first != row.first {
			t.Errorf("%q: got %+v, want %+v of 5", row.query, got, row)
		}
	}

	got := get[map[string]map[string]int](t, in, "/api/v1/deliveries?start=1&limit=2")
	if diff := cmp.Diff(map[string]map[string]int{"deliveries": {"1": 1, "2": 1}}, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if got := get[map[string]map[string]int](t, in, "/api/v1/deliveries?start=99"); len(got["deliveries"]) != 0 {
		t.Errorf("deliveries from 99: got %v, want none", got)
	}
}

func TestAttachmentsOpenSafely(t *testing.T) {
	t.Parallel()
	in := full(t)
	for _, row := range []struct{ path, kind, disposition, body, csp string }{
		{"/api/v1/message/1/part/3", "application/pdf", "inline; filename*=utf-8''Rechnung%20%E2%82%AC.pdf", "%PDF-1.4", ""},
		{"/api/v1/message/1/part/4", "text/html; charset=utf-8", "inline; filename=a.html", "<script>alert(3)</script>", "sandbox; default-src 'none'"},
		{"/message/1/html", "text/html; charset=utf-8", "", "<p>Thank you</p><script>alert(2)</script>", "sandbox; default-src 'none'"},
		{"/api/v1/message/1/raw", "text/plain; charset=utf-8", "", fullMail, "default-src 'none'"},
		{"/", "text/html; charset=utf-8", "", "", "default-src 'none'; script-src 'self'"},
	} {
		w := fetch(in, row.path)
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != row.kind || h.Get("Content-Disposition") != row.disposition {
			t.Errorf("%s: got %d, %q, %q", row.path, w.Code, h.Get("Content-Type"), h.Get("Content-Disposition"))
		}
		if row.body != "" && w.Body.String() != row.body {
			t.Errorf("%s: got %q, want %q", row.path, w.Body, row.body)
		}
		if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, row.csp) || (csp == "") != (row.csp == "") {
			t.Errorf("%s: policy %q, want it to begin with %q", row.path, csp, row.csp)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options: got %q, want nosniff", row.path, got)
		}
	}
}

func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	in := full(t)
	for _, path := range []string{
		"/api/v1/message/2", "/api/v1/message/x", "/api/v1/message/-1", "/api/v1/message/2/raw", "/api/v1/message/1/part/1",
		"/api/v1/message/1/part/9", "/message/2", "/message/2/html", "/api/v1/message/..%2f1", "/nothing",
	} {
		if got := fetch(in, path).Code; got != http.StatusNotFound {
			t.Errorf("GET %s: got %d, want 404", path, got)
		}
	}
}

// TestAnUnknownAddressHasAPage: it looks as the others do, and leads back to the list. Those of the API have none.
func TestAnUnknownAddressHasAPage(t *testing.T) {
	t.Parallel()
	in := full(t)
	for path, page := range map[string]bool{"/nothing": true, "/message/1/nothing": true, "/api/v1/nothing": false} {
		w := fetch(in, path)
		body := w.Body.String()
		if w.Code != http.StatusNotFound || page != strings.Contains(body, "There is no such page.") || page != strings.Contains(body, `href="/style.css"`) || page != strings.Contains(body, `<a href="/">All mails</a>`) {
			t.Errorf("GET %s: got %d, want 404 and a page: %t\n%s", path, w.Code, page, body)
		}
	}
}

// TestNumbersHaveSeparators: on all parts of the page, and in the number of deliveries.
func TestNumbersHaveSeparators(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	c := client(t, in)
	for range 1_001 {
		if err := send(c, "zoe@example.com", "Message-ID: <a@example.com>\r\n\r\nText\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	page := fetch(in, "/message/1001?start=999").Body.String()
	for _, text := range []string{"<b>1,000 mails.</b>", "the newest 1,000 mails", "Sent twice: 1,000", "1,000 – 1,000 of 1,000", "1,001 deliveries"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q:\n%s", text, page)
		}
	}
}

func TestPagesShowMailsWithoutRunningThem(t *testing.T) {
	t.Parallel()
	in := full(t)
	for path, want := range map[string][]string{
		"/":                       {"Zoë", "Grüße &lt;b&gt;bold", "<b>1 mail.</b>", "Sent twice: 0", `href="/message/1"`, `data-newest="1"`},
		"/?only=attached&q=GRÜ":   {`href="/message/1?only=attached&amp;q=GR%C3%9C"`},
		"/?q=rechnung":            {"1 – 1 of 1"}, // the name of the attachment
		"/?q=%3Cscript%3E":        {`value="&lt;script&gt;"`},
		"/?q=nothing":             {"No mail matches."},
		"/?only=twice":            {"No mail matches."},
		"/?start=7":               {"Newer"},
		"/message/1":              {"Rechnung €.pdf", `href="/api/v1/message/1/part/3"`, `<iframe class="framed" sandbox src="/message/1/html"`, "1 delivery"},
		"/message/1?show=text":    {"Zoë &lt;/pre&gt;&lt;script&gt;alert(1)"},
		"/message/1?show=headers": {"Message-ID: &lt;full@example.com&gt;"},
		"/message/1?show=source":  {"Message-ID: &lt;full@example.com&gt;", "JVBERi"},
		"/message/1?show=nothing": {`<iframe class="framed"`},
	} {
		page := fetch(in, path).Body.String()
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s lacks %q:\n%s", path, text, page)
			}
		}
		page = strings.Replace(page, `<script type="module" src="/inbox.js"></script>`, "", 1)
		if found := regexp.MustCompile(`(?i)<script|<b>bold|\son\w+=|style="`).FindString(page); found != "" {
			t.Errorf("%s holds %q, which the mail brought", path, found)
		}
	}
	for path, kind := range map[string]string{"/style.css": "text/css", "/inbox.js": "text/javascript"} {
		if w := fetch(in, path); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: got %d, %q", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

// TestNewMailsAreTold: each event has the number of the newest mail, and the stream ends with the inbox.
func TestNewMailsAreTold(t *testing.T) {
	t.Parallel()
	in, stop := open(t, inbox.Config{})
	server := httptest.NewServer(in)
	defer server.Close()
	resp, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewScanner(resp.Body)
	next := func(want string) {
		t.Helper()
		for events.Scan() {
			if data, ok := strings.CutPrefix(events.Text(), "data: "); ok {
				if data != want {
					t.Errorf("got %q, want %q", data, want)
				}
				return
			}
		}
		t.Fatalf("the stream ended: %v", events.Err())
	}
	next("0")
	if err := send(client(t, in), "zoe@example.com", "Subject: a\r\n\r\nText\r\n"); err != nil {
		t.Fatal(err)
	}
	next("1")
	stop()
	for events.Scan() {
	}
	if err := events.Err(); err != nil {
		t.Error(err)
	}
}

// TestAMailThatWasSentTwiceIsFound: both mails with the Message-ID are listed, and others are not.
func TestAMailThatWasSentTwiceIsFound(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	c := client(t, in)
	for _, id := range []string{"a", "b", "a"} {
		if err := send(c, "zoe@example.com", "Message-ID: <"+id+"@example.com>\r\nSubject: About "+id+"\r\n\r\nText\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	page := fetch(in, "/?only=twice").Body.String()
	if strings.Count(page, "About a") != 2 || strings.Contains(page, "About b") || !strings.Contains(page, "Sent twice: 2") {
		t.Errorf("got:\n%s", page)
	}
	if page := fetch(in, "/message/1").Body.String(); !strings.Contains(page, "2 deliveries with this Message-ID") {
		t.Errorf("got:\n%s", page)
	}
	if w := fetch(in, "/message/9"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "There is no such mail.") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
}

func TestMalformedMailIsShownAsReceived(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	if err := send(client(t, in), "zoe@example.com", "not a mail at all\r\n"); err != nil {
		t.Fatal(err)
	}
	page := fetch(in, "/message/1").Body.String()
	for _, text := range []string{"could not be parsed completely", "not a mail at all", "/api/v1/message/1/raw"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q:\n%s", text, page)
		}
	}
}

func TestEmptyInboxPage(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	if page := fetch(in, "/").Body.String(); !strings.Contains(page, "No mail yet") {
		t.Errorf("got:\n%s", page)
	}
	got := get[map[string]any](t, in, "/api/v1/messages")
	if diff := cmp.Diff(map[string]any{"total": 0.0, "count": 0.0, "start": 0.0, "messages": []any{}}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestOtherHostsAreRefused: a page whose name was made to point at this machine must not read
// them.
func TestOtherHostsAreRefused(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{HTTP: "127.0.0.1:0"})
	for host, want := range map[string]int{"": http.StatusOK, "localhost": http.StatusOK, "evil.example": http.StatusMisdirectedRequest} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+in.HTTPAddr()+"/api/v1/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %q: got %s, want %d", host, resp.Status, want)
		}
	}
}

func TestRemoteAddressesAreRefused(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]inbox.Config{"smtp": {SMTP: "0.0.0.0:0"}, "http": {HTTP: ":0"}} {
		if _, err := inbox.Open(cfg); err == nil || !strings.HasPrefix(err.Error(), "inbox: "+name+": ") || !strings.Contains(err.Error(), " can be reached from other machines") {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		cfg.Access.AllowRemote = true
		start(t, cfg)
	}
}
