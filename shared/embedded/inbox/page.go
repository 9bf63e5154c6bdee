package inbox

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/look"
)

//go:embed pages
var files embed.FS

func pages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"size":   size,
		"number": number,
		"logo":   func() template.HTML { return look.Logo },
		"time":   func(t time.Time) string { return t.Format("2 Jan 2006, 15:04:05") },
	}).ParseFS(files, "pages/*.html"))
}

// searched is in how many of the newest mails the page searches: each is read and parsed.
const searched = 1_000

// page is the page: the list of mails, and one of them.
type page struct {
	Shop        string // URL without a slash at the end; or empty
	Query, Only string // the filter; Only is attached, twice or empty
	All, Twice  int    // mails, also those that the filter leaves out
	Newest      uint64 // number of the newest mail
	Searched    int    // mails that were searched, if there are others; or 0

	Mails              []summary
	First, Last, Total int
	start, limit       int
	Newer, Older       string // URLs or empty
	ID                 string // of the mail that is shown; or empty
	Gone               bool   // there is none with the ID
	NoPage             bool   // the inbox has no page at the address
	Kept               int    // mails that are kept at most
	Entry              entry
	Mail               *content // or nil
	Deliveries         string
	Show, ShowWords    string
	Shown              string // text
	Views              []tab
}

// tab is a way to show a mail.
type tab struct {
	To, Words string
	On        bool
}

// Title is the title of the page.
func (p *page) Title() string {
	if p.NoPage {
		return "No such page · Inbox"
	}
	if p.Mail != nil {
		return cmp.Or(p.Mail.Subject, "(no subject)") + " · Inbox"
	}
	return "Inbox"
}

// Filtered reports whether the list leaves mails out.
func (p *page) Filtered() bool { return p.Query != "" || p.Only != "" }

// Live reports whether new mails would be at the top of the list.
func (p *page) Live() bool { return !p.Filtered() && p.start == 0 }

// To is the URL of the first page of a filter.
func (p *page) To(only, query string) string { return link("/", only, query, 0, "") }

// Back is the URL of this list.
func (p *page) Back() string { return link("/", p.Only, p.Query, p.start, "") }

// Of is the URL of a mail, with this list.
func (p *page) Of(id string) string { return link("/message/"+id, p.Only, p.Query, p.start, "") }

func link(path, only, query string, start int, show string) string {
	v := url.Values{}
	for name, value := range map[string]string{"only": only, "q": query, "show": show} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if start > 0 {
		v.Set("start", strconv.Itoa(start))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// showPage shows the list, and the mail of the path if there is one. Its HTML is in a frame, so that its
// styles do not affect the page. At an unknown path it shows the list.
func (in *Inbox) showPage(w http.ResponseWriter, r *http.Request) {
	p := &page{Shop: in.shop, Query: strings.TrimSpace(r.FormValue("q")), Only: r.FormValue("only"), ID: r.PathValue("id"), Kept: in.mails.limit}
	p.NoPage = r.PathValue("unknown") != ""
	p.start, p.limit = window(r)
	err := in.list(p)
	if err == nil && p.ID != "" {
		err = in.choose(p, r.FormValue("show"))
	}
	if err != nil {
		in.refuse(w, err)
		return
	}
	status := http.StatusOK
	if p.Gone || p.NoPage {
		status = http.StatusNotFound
	}
	in.render(w, status, p)
}

// list reads the mails of the list.
func (in *Inbox) list(p *page) (err error) {
	p.Newest, _ = in.mails.newest()
	var all []entry
	all, p.All = in.mails.page(0, in.mails.limit)
	twice := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return in.mails.delivered(e.ID) < 2 })
	p.Twice = len(twice)
	if p.Only == "twice" {
		all = twice
	}
	if p.Only == "attached" || p.Query != "" {
		if len(all) > searched {
			all, p.Searched = all[:searched], searched
		}
		all = slices.DeleteFunc(all, func(e entry) bool { return !in.matches(e, p) })
	}
	p.Total = len(all)
	from := min(p.start, len(all))
	if p.Mails, err = in.summaries(all[from:min(from+p.limit, len(all))]); err != nil {
		return err
	}
	p.First, p.Last = from+1, from+len(p.Mails)
	if from > 0 {
		p.Newer = link("/", p.Only, p.Query, max(from-p.limit, 0), "")
	}
	if p.Last < p.Total {
		p.Older = link("/", p.Only, p.Query, p.Last, "")
	}
	return nil
}

// matches reports whether a mail is what the filter asks for. One that is deleted meanwhile is not.
func (in *Inbox) matches(e entry, p *page) bool {
	_, raw, err := in.mails.find(strconv.FormatUint(e.Mail, 10))
	if err != nil {
		return false
	}
	c := parse(raw)
	if p.Only == "attached" && len(c.Attachments) == 0 {
		return false
	}
	text := []string{c.Subject, c.Text, c.From.Name, c.From.Address}
	for _, t := range c.To {
		text = append(text, t.Name, t.Address)
	}
	for _, a := range c.Attachments {
		text = append(text, a.FileName)
	}
	return strings.Contains(strings.ToLower(strings.Join(text, "\n")), strings.ToLower(p.Query))
}

// view is a way to show a mail: its name in the URL, its words, and what it shows.
type view struct{ show, words, text string }

// choose reads the mail that is shown.
func (in *Inbox) choose(p *page, show string) error {
	e, raw, err := in.mails.find(p.ID)
	if errors.Is(err, errNoMail) {
		p.Gone = true
		return nil
	}
	if err != nil {
		return err
	}
	c := parse(raw)
	p.Entry, p.Mail, p.Deliveries = e, &c, "1 delivery"
	if n := in.mails.delivered(e.ID); n > 1 {
		p.Deliveries = number(n) + " deliveries with this Message-ID"
	}
	views := []view{
		{"html", "HTML", c.HTML}, {"text", "Text", c.Text}, {"source", "Source", plain(raw)}, {"headers", "Headers", c.Header},
	}
	views = slices.DeleteFunc(views, func(v view) bool { return v.text == "" && v.show != "source" })
	shown := max(slices.IndexFunc(views, func(v view) bool { return v.show == show }), 0)
	for i, v := range views {
		p.Views = append(p.Views, tab{link("/message/"+p.ID, p.Only, p.Query, p.start, v.show), v.words, i == shown})
	}
	p.Show, p.ShowWords, p.Shown = views[shown].show, views[shown].words, views[shown].text
	return nil
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

// heartbeat is the interval of comments on an idle stream, and slowest how long a client may take to read.
const (
	heartbeat = 15 * time.Second
	slowest   = 10 * time.Second
)

// watch streams the number of the newest mail, until the client disconnects or the inbox ends.
func (in *Inbox) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		n, changed := in.mails.newest()
		_ = control.SetWriteDeadline(time.Now().Add(slowest)) // the writers of tests have none
		if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil {
			return // the client disconnected
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-in.ending:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func stylesheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeContent(w, r, "pages.css", time.Time{}, bytes.NewReader(look.Stylesheet()))
}

func script(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, files, "pages/inbox.js")
}

// render renders into memory first, so that an error is a 500 and not half a page.
func (in *Inbox) render(w http.ResponseWriter, status int, p *page) {
	var body bytes.Buffer
	if err := in.pages.ExecuteTemplate(&body, "page", p); err != nil {
		in.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	in.write(w, body.Bytes())
}

// number formats a number of mails.
func number(n int) string { return look.Thousands(strconv.Itoa(n)) }

// size formats a number of bytes.
func size(n int) string {
	if n < 1_000_000 {
		return strconv.Itoa((n+999)/1000) + " kB"
	}
	return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
}
