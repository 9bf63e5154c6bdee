package inbox

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

//go:embed pages
var files embed.FS

// pages parses the templates. The pages have no scripts: the policy in guarded allows none.
func pages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"size": size,
		"time": func(t time.Time) string { return t.Format("2 Jan 2006 15:04:05") },
	}).ParseFS(files, "pages/*.html"))
}

// listPage shows a page of summaries, newest first.
func (in *Inbox) listPage(w http.ResponseWriter, r *http.Request) {
	start, limit := window(r)
	list, total, err := in.summaries(start, limit)
	if err != nil {
		in.refuse(w, err)
		return
	}
	in.render(w, "list.html", map[string]any{
		"Mails": list, "Total": total, "First": start + 1, "Last": start + len(list), "Limit": limit,
		"Newer": max(start-limit, 0), "HasNewer": start > 0, "Older": start + limit, "HasOlder": start+limit < total,
	})
}

// mailPage shows one mail. Its HTML is in a frame, so that its styles do not affect the page.
func (in *Inbox) mailPage(w http.ResponseWriter, r *http.Request) {
	e, raw, err := in.mails.find(r.PathValue("id"))
	if err != nil {
		in.refuse(w, err)
		return
	}
	in.render(w, "mail.html", map[string]any{"ID": strconv.FormatUint(e.Mail, 10), "Entry": e, "Mail": parse(raw)})
}

// htmlPart serves the HTML of a mail in a sandbox: scripts do not run, and nothing is loaded.
func (in *Inbox) htmlPart(w http.ResponseWriter, r *http.Request) {
	_, raw, err := in.mails.find(r.PathValue("id"))
	if err != nil {
		in.refuse(w, err)
		return
	}
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	in.write(w, []byte(parse(raw).HTML))
}

func stylesheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, files, "pages/style.css")
}

// render renders into memory first, so that an error is a 500 and not half a page.
func (in *Inbox) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := in.pages.ExecuteTemplate(&page, name, data); err != nil {
		in.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	in.write(w, page.Bytes())
}

// size formats a number of bytes.
func size(n int) string {
	if n < 1_000_000 {
		return strconv.Itoa((n+999)/1000) + " kB"
	}
	return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
}
