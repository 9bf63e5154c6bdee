package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/wire"
)

func (a *api) signIn(c echo.Context) error { return a.page(c, (*oidc.Pages).SignIn) }

// signInCallback writes the sign-in to the audit trail before the session begins. An answer that belongs
// to no sign-in has no known actor and is not written.
func (a *api) signInCallback(c echo.Context) error {
	return a.page(c, func(p *oidc.Pages, w http.ResponseWriter, r *http.Request) error {
		err := p.Callback(w, r, func(who identity.Principal) error { return a.signedIn(r, who) })
		if !errors.Is(err, oidc.ErrAttempt) {
			a.notSignedIn(r, err)
		}
		return err
	})
}

func signInAct(r *http.Request) trail.Act {
	return trail.Act{Kind: trail.SignIn, Target: "session", Address: serve.ClientAddr(r).String()}
}

// signedIn writes a sign-in to the audit trail. Its error is that there must be no session.
func (a *api) signedIn(r *http.Request, who identity.Principal) error {
	return a.Trail.Record(identity.With(r.Context(), who), signInAct(r), wire.Done, "")
}

// notSignedIn writes a sign-in to the audit trail that ended with an error, unless that is nil.
func (a *api) notSignedIn(r *http.Request, err error) {
	if err == nil || errors.Is(err, trail.ErrUnwritten) {
		return
	}
	_, problem := outcomeOf(err)
	a.Trail.Attempt(r.Context(), signInAct(r), problem)
}

// SignIns are the ways to sign in with a browser: the path at which the sign-in with an issuer begins, or
// empty, and whether API keys do.
func (f Front) SignIns() (issuer string, keys bool) {
	if f.Config.Pages != nil {
		issuer = oidc.BeginPath
	}
	return issuer, f.Sessions != nil && f.Config.Keys != nil
}

// SignIn begins a session with the text of an API key, which ends with the key. It is
// identity.ErrCredentials if the key is not valid, and a problem if the address has sent too many of
// those.
func (f Front) SignIn(c echo.Context, key string) error {
	if _, keys := f.SignIns(); !keys {
		return newProblem(notFound, "this program has no sign-in with API keys")
	}
	r, address := c.Request(), addressOf(c.Request())
	if left, wait := f.limits.guesses.peek(address); left == 0 {
		return tooFast(c, wait, "too many invalid credentials from this address")
	}
	still := f.Config.Keys.Find(key)
	who, err := still()
	if err != nil {
		f.limits.guesses.take(address)
		f.notSignedIn(r, err)
		return err
	}
	if err := f.signedIn(r, who); err != nil {
		return err
	}
	f.Sessions.Begin(c.Response(), r, session.Session{Principal: who, With: "API key", Still: still})
	return nil
}

// SignOut ends the session of the request. It returns the URL at which the person also signs out of what
// they signed in with, or "".
func (f Front) SignOut(c echo.Context) string {
	if f.Sessions == nil {
		return ""
	}
	ended := f.Sessions.End(c.Response(), c.Request())
	if ended.EndAt == nil {
		return ""
	}
	return ended.EndAt()
}

// MySessions lists the sessions of the visitor in this instance.
func (f Front) MySessions(c echo.Context) []session.Open {
	if f.Sessions == nil {
		return nil
	}
	return f.Sessions.Of(visitorOf(c).Principal, c.Request())
}

// SessionLeft is how long the session of the request lasts if it is not used again, and how long if it is used now. Both are
// 0 without a session.
func (f Front) SessionLeft(c echo.Context) (unused, used time.Duration) {
	if f.Sessions == nil {
		return 0, 0
	}
	return f.Sessions.Left(c.Request())
}

// EndSession ends a session of the visitor, or all of them if id is empty.
func (f Front) EndSession(c echo.Context, id string) {
	if f.Sessions != nil {
		f.Sessions.EndOf(visitorOf(c).Principal, id)
	}
}

// CheckReturn is nil for an address to return to after a sign-in that is a path of this program.
func (Front) CheckReturn(path string) error { return session.CheckReturn(path) }

// page answers with a sign-in page, or 404 if there are none.
func (a *api) page(c echo.Context, show func(*oidc.Pages, http.ResponseWriter, *http.Request) error) error {
	if a.Pages == nil {
		return newProblem(notFound, "this program has no sign-in pages: --oidc-issuer and --oidc-client-id are not set")
	}
	return show(a.Pages, c.Response(), c.Request())
}
