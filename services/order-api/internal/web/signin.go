package web

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
)

// signInPage is the body of the sign-in page.
type signInPage struct {
	Who    identity.Principal // who is signed in already; or a guest
	Issuer string             // URL of the sign-in with the issuer; or empty
	Keys   bool               // people can sign in with API keys
	Return string             // path at which the browser arrives
	Key    field
	Fault  *fault // why there is no session; or nil
	Out    bool   // the visitor has just signed out
	Kept   bool   // what the visitor sent is kept until after the sign-in
}

// signsIn reports whether there is something to sign in with.
func (p *Pages) signsIn() bool {
	issuer, keys := p.front.SignIns()
	return issuer != "" || keys
}

// signInPath is the URL of the sign-in page that leads back to what was requested. A POST leads back to
// nothing: the page that had its form is not known.
func signInPath(r *http.Request) string {
	if r.Method == http.MethodPost || r.URL.Path == "/sign-in" || r.URL.Path == "/" && r.URL.RawQuery == "" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"return": {r.URL.RequestURI()}}.Encode()
}

func (p *Pages) signIn(c echo.Context) error {
	v := signInPage{Return: cmp.Or(c.QueryParam("return"), "/"), Out: c.QueryParam("done") == "out"}
	v.Kept = v.Return == resumePath
	if err := p.front.CheckReturn(v.Return); err != nil {
		return err
	}
	if v.Who = p.front.Who(c.Request()); v.Who.Guest() && len(c.Request().Cookies()) > 0 {
		p.front.SignOut(c) // the cookie of a session that has ended would refuse the pages for guests
	}
	return p.showSignIn(c, http.StatusOK, v)
}

func (p *Pages) showSignIn(c echo.Context, status int, v signInPage) error {
	issuer, keys := p.front.SignIns()
	if v.Keys = keys; issuer != "" {
		v.Issuer = issuer + "?" + url.Values{"return": {v.Return}}.Encode()
	}
	v.Key.Name, v.Key.Label, v.Key.Type, v.Key.Complete = "api_key", "API key", "password", "off"
	return p.show(c, status, "sign_in", page{Title: "Sign in", Roomy: true, Body: v})
}

// signInWithKey begins a session. The key is in no answer: a wrong one has to be entered again.
func (p *Pages) signInWithKey(c echo.Context) error {
	v := signInPage{Return: cmp.Or(c.FormValue("return"), "/")}
	if err := p.front.CheckReturn(v.Return); err != nil {
		return err
	}
	err := p.front.SignIn(c, strings.TrimSpace(c.FormValue("api_key")))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, v.Return)
	}
	f, status := p.problemOf(c, err)
	return p.again(c, err, func() error {
		if v.Fault = f; status == http.StatusUnauthorized {
			v.Fault, v.Key.Wrong = nil, "The key is not valid: it is unknown, expired or revoked. You are not signed in."
		}
		return p.showSignIn(c, status, v)
	})
}

// left is in how many seconds the session of the visitor ends if it is not used again, and if it is used now. Both
// are 0 without a session.
func (p *Pages) left(c echo.Context) (unused, used int) {
	u, m := p.front.SessionLeft(c)
	return int(math.Ceil(u.Seconds())), int(math.Ceil(m.Seconds()))
}

// sessionLeft tells when the session ends, and is no use of it.
func (p *Pages) sessionLeft(c echo.Context) error {
	unused, used := p.left(c)
	return c.String(http.StatusOK, fmt.Sprintf("%d %d", unused, used))
}

// signOut ends the session. Where the person also signs out at an issuer, the page leads there: browsers
// with form-action 'self' follow no redirect of a form to another origin.
func (p *Pages) signOut(c echo.Context) error {
	next := p.front.SignOut(c)
	if next == "" {
		return c.Redirect(http.StatusSeeOther, "/sign-in?done=out")
	}
	c.Response().Header().Set("Refresh", "0; url="+next)
	return p.show(c, http.StatusOK, "signed_out", page{Title: "Signed out", Roomy: true, Body: next})
}
