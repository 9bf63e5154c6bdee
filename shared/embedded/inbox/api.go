package inbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/telemetry"
)

// defaultLimit is the page size, as in Mailpit. maxLimit is the largest page size: each mail is
// read from disk.
const (
	defaultLimit = 50
	maxLimit     = 1_000
)

// routes are the API, with JSON in the format of Mailpit's, and the pages:
//
//	GET /api/v1/messages?start=&limit=   {"total", "count", "start", "messages": […]}, newest first
//	GET /api/v1/message/{ID}             a mail with text, HTML and list of attachments
//	GET /api/v1/message/{ID}/raw         the mail as received
//	GET /api/v1/message/{ID}/part/{n}    an attachment, to open in the browser
//	GET /api/v1/deliveries?start=&limit= {"deliveries": {Message-ID: count}}, all without a limit; not part of Mailpit
//
// All routes are read-only. There is no authentication.
func (in *Inbox) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/messages", in.listMails)
	mux.HandleFunc("GET /api/v1/message/{id}", in.showMail)
	mux.HandleFunc("GET /api/v1/message/{id}/raw", in.rawMail)
	mux.HandleFunc("GET /api/v1/message/{id}/part/{part}", in.openPart)
	mux.HandleFunc("GET /api/v1/deliveries", in.listDeliveries)

	mux.HandleFunc("GET /{$}", in.showPage)
	mux.HandleFunc("GET /message/{id}", in.showPage)
	mux.HandleFunc("GET /{unknown...}", in.showPage)
	mux.HandleFunc("GET /api/", http.NotFound)
	mux.HandleFunc("GET /message/{id}/html", in.htmlPart)
	mux.HandleFunc("GET /events", in.watch)
	mux.HandleFunc("GET /style.css", stylesheet)
	mux.HandleFunc("GET /inbox.js", script)
	return guarded(mux)
}

// guarded sets the security headers of every response. Mails are untrusted: they must not run
// scripts, frame pages or be sniffed for a content type.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// summary is a mail in a list. Field names are the JSON names, as in all types of this package.
type summary struct {
	ID          string
	MessageID   string
	From        person
	To          []person
	Subject     string
	Created     time.Time
	Size        int
	Attachments int
	Snippet     string
}

// summaries reads and parses mails from disk: only their numbers are in memory. A
// page of fifty takes milliseconds. It leaves out mails that are deleted meanwhile.
func (in *Inbox) summaries(entries []entry) ([]summary, error) {
	list := make([]summary, 0, len(entries))
	for _, e := range entries {
		id := strconv.FormatUint(e.Mail, 10)
		_, raw, err := in.mails.find(id)
		if errors.Is(err, errNoMail) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c := parse(raw)
		list = append(list, summary{id, e.ID, c.From, c.To, c.Subject, e.At, e.Size, len(c.Attachments), c.snippet()})
	}
	return list, nil
}

// listMails responds with a page of summaries. start counts from the newest mail, so new mails
// shift the pages.
func (in *Inbox) listMails(w http.ResponseWriter, r *http.Request) {
	start, limit := window(r)
	entries, total := in.mails.page(start, limit)
	list, err := in.summaries(entries)
	if err != nil {
		in.refuse(w, err)
		return
	}
	in.answer(w, map[string]any{"total": total, "count": len(list), "start": start, "messages": list})
}

// window parses start and limit of a request. It uses the defaults for values that are no numbers.
func window(r *http.Request) (start, limit int) {
	start, _ = strconv.Atoi(r.FormValue("start"))
	limit, _ = strconv.Atoi(r.FormValue("limit"))
	if limit <= 0 {
		limit = defaultLimit
	}
	return max(start, 0), min(limit, maxLimit)
}

// showMail responds with a parsed mail. Date is when the mail was received, not the sender's Date
// header.
func (in *Inbox) showMail(w http.ResponseWriter, r *http.Request) {
	e, raw, err := in.mails.find(r.PathValue("id"))
	if err != nil {
		in.refuse(w, err)
		return
	}
	c := parse(raw)
	in.answer(w, struct {
		ID          string
		MessageID   string
		From        person
		To          []person
		Subject     string
		Date        time.Time
		Size        int
		Text, HTML  string
		Attachments []attachment
	}{r.PathValue("id"), e.ID, c.From, c.To, c.Subject, e.At, e.Size, c.Text, c.HTML, c.Attachments})
}

// rawMail responds with the mail as received, as plain text, so that a browser only displays it.
func (in *Inbox) rawMail(w http.ResponseWriter, r *http.Request) {
	_, raw, err := in.mails.find(r.PathValue("id"))
	if err != nil {
		in.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	in.write(w, raw)
}

// openPart responds with an attachment. It parses the mail again, because attachments are rarely
// opened.
func (in *Inbox) openPart(w http.ResponseWriter, r *http.Request) {
	_, raw, err := in.mails.find(r.PathValue("id"))
	if err != nil {
		in.refuse(w, err)
		return
	}
	for _, a := range parse(raw).Attachments {
		if a.PartID == r.PathValue("part") {
			in.sendPart(w, a)
			return
		}
	}
	in.refuse(w, errNoMail)
}

// sendPart sends an attachment with the type given in the mail. It is sandboxed, because it may be
// a web page.
func (in *Inbox) sendPart(w http.ResponseWriter, a attachment) {
	h := w.Header()
	h.Set("Content-Type", a.ContentType)
	h.Set("Content-Disposition", "inline")
	if named := mime.FormatMediaType("inline", map[string]string{"filename": a.FileName}); a.FileName != "" && named != "" {
		h.Set("Content-Disposition", named)
	}
	if strings.HasPrefix(a.ContentType, "application/pdf") {
		h.Del("Content-Security-Policy") // browsers do not open their PDF viewer in a sandbox
	} else {
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	}
	in.write(w, a.body)
}

// listDeliveries streams, because there is an entry for every mail ever sent. start and limit
// select a page in order of the first delivery.
func (in *Inbox) listDeliveries(w http.ResponseWriter, r *http.Request) {
	start, _ := strconv.Atoi(r.FormValue("start"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	text, n := []byte(`{"deliveries":{`), 0
	for id, count := range in.mails.deliveries(max(start, 0)) {
		if limit > 0 && n == limit {
			break
		}
		if n++; n > 1 {
			text = append(text, ',')
		}
		key, _ := json.Marshal(id) // never fails for a string
		text = strconv.AppendInt(append(append(text, key...), ':'), int64(count), 10)
		if _, err := out.Write(text); err != nil {
			break // the client disconnected
		}
		text = text[:0]
	}
	_, _ = out.Write(append(text, "}}\n"...)) // Flush returns the error
	if err := out.Flush(); err != nil {
		in.log.Debug("writing an HTTP response", slog.Any(telemetry.Error, err))
	}
}

// answer encodes the whole body first, so that an error is a 500 and not half a response.
func (in *Inbox) answer(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		in.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	in.write(w, append(body, '\n'))
}

func (in *Inbox) write(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		in.log.Debug("writing an HTTP response", slog.Any(telemetry.Error, err)) // the client disconnected
	}
}

// refuse responds with 404, or with 500 without the error's text.
func (in *Inbox) refuse(w http.ResponseWriter, err error) {
	text, code := errNoMail.Error(), http.StatusNotFound
	if !errors.Is(err, errNoMail) {
		in.log.Error("reading a mail", slog.Any(telemetry.Error, err))
		text, code = "the inbox cannot read its directory", http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	in.write(w, []byte(`{"Error":"`+text+"\"}\n"))
}
