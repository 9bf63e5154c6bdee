package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/serve"
)

// Limits of drafts. They are in the memory of this instance, as sessions are.
const (
	maxDrafts     = 100
	maxDraftBytes = 64 << 10
	draftFor      = 15 * time.Minute
)

// resumePath shows the draft of a browser that has signed in again.
const resumePath = "/sign-in/resume"

// draft is a form that was sent after the session had ended.
type draft struct {
	Path   string      // the form was sent to it
	Fields [][2]string // names and values, sorted by name
}

func newDrafts() *session.Store[draft] {
	return &session.Store[draft]{Most: maxDrafts, Idle: draftFor, Absolute: draftFor, Now: time.Now}
}

// keepDraft keeps the form of a request, and reports whether it could. What changes sessions and settings is not worth
// keeping. A request of another site never gets here, so the draft is what the person typed.
func (p *Pages) keepDraft(c echo.Context) bool {
	r := c.Request()
	if r.ContentLength > maxDraftBytes || strings.HasPrefix(r.URL.Path, "/account") || r.ParseForm() != nil || len(r.PostForm) == 0 {
		return false
	}
	d, size := draft{Path: r.URL.RequestURI()}, 0
	for name, values := range r.PostForm {
		for _, value := range values {
			d.Fields = append(d.Fields, [2]string{name, value})
			size += len(name) + len(value)
		}
	}
	if size > maxDraftBytes {
		return false
	}
	slices.SortStableFunc(d.Fields, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	c.SetCookie(&http.Cookie{
		Name: "draft", Value: p.drafts.Add(d, ""), Path: resumePath, MaxAge: int(draftFor.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: serve.Encrypted(r),
	})
	return true
}

// resume shows the draft of the browser. It is sent only when the person asks for it.
func (p *Pages) resume(c echo.Context) error {
	var d draft
	if cookie, err := c.Cookie("draft"); err == nil {
		d, _ = p.drafts.Find(cookie.Value)
	}
	return p.show(c, http.StatusOK, "resume", page{Title: "Continue", Roomy: true, Body: d})
}

// resumeSignIn is the URL of the sign-in page that leads to the draft.
func resumeSignIn() string { return "/sign-in?" + url.Values{"return": {resumePath}}.Encode() }
