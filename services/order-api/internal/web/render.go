package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
)

//go:embed templates
var templateFiles embed.FS

// policy is the content security policy of every page.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// page is what the layout shows.
type page struct {
	Title string
	Place string // the place of the navigation that the page belongs to; or empty
	Roomy bool   // the layout of shop and order
	Wide  bool   // the page is as wide as the bar
	Live  string // URL of the event stream; or empty
	Body  any    // for the template of the page

	// Set by show.
	Who     identity.Principal
	Inbox   string
	Theme   string // light, dark, or empty: that of the system
	NoKeys  bool   // single keys are switched off
	Pieces  int    // in the basket
	SignIn  string // URL to sign in at; or empty: the visitor has, or there is nothing to sign in with
	Finding bool   // the visitor may search orders
	Desk    bool   // the visitor may see dead letters
	Dead    int    // dead orders, if the visitor may see dead letters
	Ops     bool   // the visitor may see the state of the system
	Demo    bool   // there is no sign-in: each visitor is the demo operator
	Left    int    // seconds until the session ends if it is not used again; or 0: there is none
}

// parseTemplates returns a template for each page: layout and parts, and the file of the page, which
// defines "main".
func parseTemplates(a *assets) (map[string]*template.Template, error) {
	base, err := template.New("layout.html").Funcs(functions(a)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	all := map[string]*template.Template{}
	for _, name := range []string{
		"shop", "checkout", "orders", "refund", "order", "problem", "sign_in", "signed_out", "resume", "account", "desk_causes", "desk_cause", "desk_letters", "desk_letter", "desk_edit", "desk_ask", "desk_replays",
		"desk_replay", "desk_new", "desk_audit", "desk_topic", "ops",
	} {
		one, err := base.Clone()
		if err != nil {
			return nil, err
		}
		files := []string{"templates/" + name + ".html"}
		if strings.HasPrefix(name, "desk_") {
			files = append(files, "templates/desk.html")
		}
		if name == "ops" {
			files = append(files, "templates/ops_break.html")
		}
		if all[name], err = one.ParseFS(templateFiles, files...); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// show answers with a page. It renders the whole page first, so that an error leaves no half page.
func (p *Pages) show(c echo.Context, status int, name string, v page) error {
	p.fill(c, &v)
	var b bytes.Buffer
	if err := p.templates[name].Execute(&b, v); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache") // revalidate, so that access is checked each time
	if status == http.StatusOK {
		hash := sha256.Sum256(b.Bytes())
		tag := `W/"` + hex.EncodeToString(hash[:8]) + `"`
		h.Set("ETag", tag)
		if c.Request().Header.Get("If-None-Match") == tag {
			return c.NoContent(http.StatusNotModified)
		}
	}
	return send(c, status, "text/html; charset=utf-8", b.Bytes(), func() []byte { return compress(b.Bytes()) })
}

// fill sets what the layout shows on every page.
func (p *Pages) fill(c echo.Context, v *page) {
	r := c.Request()
	v.Inbox, v.Pieces = p.Inbox, basketOf(r).pieces()
	if v.Who = identity.From(r.Context()); v.Who.Guest() {
		v.Who = p.front.Who(r)
	}
	if v.Who.Guest() && p.signsIn() {
		v.SignIn = signInPath(r)
	}
	v.Finding, v.Desk, v.Ops = v.Who.May(identity.ReadOrders), v.Who.May(identity.ReadDeadLetters), v.Who.May(identity.ReadStats)
	if v.Desk {
		// Without the read model the bar shows no number: the page itself says what is wrong.
		v.Dead, _ = p.front.Dead(c)
	}
	v.Demo = v.Who == identity.DemoOperator()
	v.Theme, v.NoKeys = looksOf(r)
	v.Left, _ = p.left(c)
}

// part renders a named template of a page.
func (p *Pages) part(name, part string, v any) ([]byte, error) {
	var b bytes.Buffer
	err := p.templates[name].ExecuteTemplate(&b, part, v)
	return b.Bytes(), err
}

// Problem implements httpapi.Web. A page that needs a sign-in leads to it, and back; what a form sent is kept meanwhile.
func (p *Pages) Problem(c echo.Context, problem *client.Problem) error {
	if r := c.Request(); problem.Status == http.StatusUnauthorized && p.signsIn() {
		switch {
		case r.Method != http.MethodPost:
			return c.Redirect(http.StatusSeeOther, signInPath(r))
		case p.keepDraft(c):
			return c.Redirect(http.StatusSeeOther, resumeSignIn())
		}
	}
	return p.show(c, problem.Status, "problem", page{Title: problem.Title, Roomy: true, Body: p.stopped(c, problem)})
}

// stopped is the body of a page that shows nothing but a problem.
type stopped struct {
	fault
	To, Words string // where the visitor can go on
}

func (p *Pages) stopped(c echo.Context, problem *client.Problem) stopped {
	v := stopped{faultOf(c, problem), "/", "Go to the shop"}
	switch path := c.Request().URL.Path; {
	case strings.HasPrefix(path, "/desk") && p.may(c, identity.ReadDeadLetters):
		v.To, v.Words = "/desk", "Go to the desk"
	case strings.HasPrefix(path, "/orders") && p.may(c, identity.ReadOrders):
		v.To, v.Words = "/orders", "Go to the orders"
	}
	return v
}

// fault is a problem as a page shows it.
type fault struct {
	*client.Problem
	Request string // ID of the request, which is in the log
	Unknown bool   // it is not known whether the act was done
	Nothing bool   // the act was certainly not done
	Again   string // URL to try again at; or empty
}

func faultOf(c echo.Context, p *client.Problem) fault {
	f := fault{Problem: p, Request: c.Response().Header().Get(echo.HeaderXRequestID)}
	f.Unknown = strings.HasSuffix(p.Type, "/outcome-unknown")
	f.Nothing = !f.Unknown && c.Request().Method == http.MethodPost && p.Status != http.StatusInternalServerError
	if c.Request().Method == http.MethodGet && p.Status >= http.StatusTooManyRequests {
		f.Again = c.Request().URL.RequestURI()
	}
	return f
}

// Why is the detail of the problem without a full stop.
func (f fault) Why() string { return strings.TrimSuffix(f.Detail, ".") }

// refuse is a problem of the pages themselves.
func refuse(status int, kind, title, detail string) *client.Problem {
	return &client.Problem{Type: "/problems/" + kind, Title: title, Status: status, Detail: detail}
}
