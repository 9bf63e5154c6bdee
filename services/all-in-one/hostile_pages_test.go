package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
)

// hostileTexts would each be executed, load something, or break the page, if a page did not escape it.
var hostileTexts = []string{
	`<script class=hit>window.hit=1;alert(1)</script>`,
	`<img class=hit src=//hit.test onerror=window.hit=1>`,
	`" autofocus onfocus="window.hit=1" class="hit`,
	`' onmouseover='window.hit=1' class='hit`,
	`javascript:window.hit=1`,
	`</textarea></title></style><svg class=hit onload=window.hit=1>`,
	`]]>--><b class=hit>&lt;&#60;`,
	`{{.}} ${window.hit=1} <%= 1 %>`,
	`👩‍👩‍👧 "quotes" ‘’ «» \" \u003c שלום 🏴`,
	strings.Repeat("W", 100), // as long as a reference may be, and with no place to break
}

// override is a text that an order may not have, but other texts may: the file name looks like one of a picture.
const override = "\u202Egnp.exe\u202C <b class=hit>"

// unharmed fails the test unless the page shows each text as text, nothing of it is an element, and the page is no
// wider than the screen.
func (b *tab) unharmed(path string, texts ...string) {
	b.t.Helper()
	b.open(path)
	if got := js[string](b, `window.hit === undefined ? [...document.querySelectorAll(".hit, [onerror], [onload], [onfocus], [onmouseover], [href^=javascript]")].map(e => e.outerHTML).join() : "executed"`); got != "" {
		b.t.Errorf("%s: got %.300s, want text only", path, got)
	}
	// A payload is shown as JSON.
	shown := js[string](b, `document.documentElement.textContent + [...document.querySelectorAll("input, textarea")].map(e => e.value).join(" ")`)
	for _, text := range texts {
		raw := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		if !strings.Contains(shown, text) && !strings.Contains(shown, quoted(b.t, text)) && !strings.Contains(shown, raw) {
			b.t.Errorf("%s does not show %q", path, text)
		}
	}
	for _, width := range []int64{320, 720, 1280} {
		b.do(chromedp.EmulateViewport(width, 900))
		b.fits(fmt.Sprintf("%s, %d px", path, width))
	}
}

// alarmed notes dialogs, and violations of the content security policy.
func (s *site) alarmed(t *testing.T) *tab {
	t.Helper()
	b := s.browse(t)
	must(t, chromedp.Listen(b, func(event any) {
		if e, ok := event.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("a dialog opened: %s", e.Message)
		}
	}))
	b.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		document.addEventListener("securitypolicyviolation", e => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));`}))
	return b
}

// hostileOrder places an order with a text in each field.
func (s *site) hostileOrder(t *testing.T, text, country string) client.Order {
	t.Helper()
	at := client.Address{Line1: text, Line2: text, City: text, PostalCode: "10115", Country: country}
	o, err := s.api.Place(t.Context(), client.NewOrder{
		Customer: client.Customer{Name: text, Company: text, Email: "zoe@example.com"}, Service: "standard", Note: text,
		ShipTo: at, BillTo: &client.BillTo{Name: text, Company: text, Address: at},
		References: client.References{Reference: text, BuyerReference: text, PurchaseOrder: text},
		Items:      []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}, "", 0)
	must(t, err)
	return o
}

// TestHostileTextOfOrdersIsText looks at each page that shows an order, and what operators wrote about it.
func TestHostileTextOfOrdersIsText(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	var orders [][2]client.Order // confirmed, dead
	for _, text := range hostileTexts {
		orders = append(orders, [2]client.Order{s.hostileOrder(t, text, "DE"), s.hostileOrder(t, text, "AQ")})
	}
	b, at, cause := s.alarmed(t), "", ""
	for i, text := range hostileTexts {
		confirmed, dead := orders[i][0].ID, orders[i][1].ID
		s.ends(t, confirmed, "confirmed")
		s.ends(t, dead, "dead")
		b.unharmed("/orders/"+confirmed, text)
		b.unharmed("/orders/"+dead, text)
		o, err := s.api.Order(t.Context(), dead)
		must(t, err)
		at = "/desk/dead-letters/" + o.DeadLetter.ID
		cause = s.judged(t, o.DeadLetter.ID, text)
		b.unharmed(at, text)
		b.unharmed(at+"/edit", text)
	}
	for _, path := range []string{"/orders", "/desk/dead-letters", cause, "/desk/audit"} {
		b.unharmed(path, hostileTexts...)
	}
	for _, path := range []string{"/", "/checkout", "/ops", "/desk", at + "/replay", at + "/discard", "/desk/replays/new"} {
		b.unharmed(path)
	}
	b.clean()
	mails := (&site{url: s.inbox}).alarmed(t)
	mails.unharmed("/", hostileTexts...)
	mails.unharmed(js[string](mails, `document.querySelector(".mails a").getAttribute("href")`))
	mails.views(hostileTexts[0])
	mails.clean()
}

// judged writes a text as the note about a dead letter and its cause, and as the reason of an edit and of a discard
// that is taken back. It returns the path of the cause.
func (s *site) judged(t *testing.T, id, text string) string {
	t.Helper()
	_, err := s.api.Note(t.Context(), id, text)
	must(t, err)
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	_, err = s.api.NoteGroup(t.Context(), l.Cause, text)
	must(t, err)
	value := bytes.Replace(l.Edit.Value, []byte(`"10115"`), []byte(`"10117"`), 1)
	_, err = s.api.Edit(t.Context(), id, client.NewEdit{Value: value, Reason: text})
	must(t, err)
	_, err = s.api.Discard(t.Context(), id, text)
	must(t, err)
	_, err = s.api.Restore(t.Context(), id, text)
	must(t, err)
	return "/desk/groups/" + l.Cause
}

// views looks at the mail that is open in each of its views.
func (b *tab) views(text string) {
	b.t.Helper()
	for _, to := range js[[]string](b, `[...document.querySelectorAll(".seg a")].map(a => a.getAttribute("href"))`) {
		b.unharmed(to, text)
	}
}

// TestHostileRecordsAreText appends records that are no orders, with hostile keys, values and headers.
func TestHostileRecordsAreText(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	texts := append(slices.Clone(hostileTexts), override)
	b := s.alarmed(t)
	b.openOps()
	s.hostileRecords(t, texts)
	b.await(figure(dead) + fmt.Sprintf(` == "%d"`, len(texts)))
	letters, _, err := s.api.DeadLetters(t.Context(), client.DeadLetterQuery{Limit: 100})
	must(t, err)
	want := map[string]bool{}
	for _, text := range texts {
		want[text] = true
	}
	for _, l := range letters {
		l, err := s.api.DeadLetter(t.Context(), l.ID)
		must(t, err)
		text, at := l.Record.Value, "/desk/dead-letters/"+l.ID
		if !want[text] {
			t.Errorf("got a dead letter of %q", text)
		}
		delete(want, text)
		b.unharmed(at, text)
		if got := js[bool](b, `(text => [...document.querySelectorAll("#headers tr")].some(row => row.cells[0].textContent == text && row.cells[1].textContent == text))(`+quoted(t, text)+`)`); !got {
			t.Errorf("%s does not show the header %q", at, text)
		}
	}
	for _, path := range []string{"/desk", "/desk/dead-letters", "/ops", "/desk/groups/" + letters[0].Cause, "/desk/dead-letters/" + letters[0].ID + "/replay"} {
		b.unharmed(path)
	}
	b.clean()
}

// TestHostileMailsAreText shows mails of a stranger, and loads nothing from elsewhere.
func TestHostileMailsAreText(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	beacon := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(beacon.Close)
	s := openSite(t, "--workers", "0")
	b := (&site{url: s.inbox}).alarmed(t)
	for _, text := range append(slices.Clone(hostileTexts), override) {
		must(t, smtp.SendMail(s.smtp, nil, "zoe@example.com", []string{"ada@example.com"}, hostileMail(t, text, beacon.URL)))
		b.unharmed("/", text)
		b.unharmed(js[string](b, `document.querySelector(".mails a").getAttribute("href")`), text)
		b.has("#subject", text)
		b.has("dl", text)
		b.views(text)
	}
	b.clean()
	if n := requests.Load(); n > 0 {
		t.Errorf("the mails made %d requests to another host", n)
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	must(t, err)
	return string(data)
}

// hostileRecords appends a record for each text, which is its key, its value, and the key and value of a header.
func (s *site) hostileRecords(t *testing.T, texts []string) {
	t.Helper()
	cl, err := kafka.Config{Brokers: []string{s.brokers}}.Connect(t.Context())
	must(t, err)
	defer cl.Close()
	for _, text := range texts {
		r := &kgo.Record{Topic: "orders", Key: []byte(text), Value: []byte(text), Headers: []kgo.RecordHeader{{Key: text, Value: []byte(text)}, {Key: "ce_type", Value: []byte(text)}, {Key: "actor", Value: []byte(text)}}}
		must(t, cl.ProduceSync(t.Context(), r).FirstErr())
	}
}

// hostileMail is a mail with a text in its subject, its sender, a header, its body and the name of an attachment.
func hostileMail(t *testing.T, text, beacon string) []byte {
	t.Helper()
	var mail bytes.Buffer
	parts := multipart.NewWriter(&mail)
	encoded := mime.BEncoding.Encode("utf-8", text)
	fmt.Fprintf(&mail, "From: %s <zoe@example.com>\r\nTo: %s <ada@example.com>\r\nSubject: %s\r\nX-Note: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n",
		encoded, encoded, encoded, text, parts.Boundary())
	for _, part := range []struct{ kind, disposition, body string }{
		{"text/plain; charset=utf-8", "inline", text},
		{"text/html; charset=utf-8", "inline", `<p>` + text + `<script>fetch("` + beacon + `")</script><img src="` + beacon + `"><link rel=stylesheet href="` + beacon + `">`},
		{"text/html; charset=utf-8", mime.FormatMediaType("attachment", map[string]string{"filename": text}), text},
	} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}, "Content-Disposition": {part.disposition}})
		must(t, err)
		_, err = io.WriteString(w, part.body)
		must(t, err)
	}
	must(t, parts.Close())
	return mail.Bytes()
}
