package httpapi

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/wire"
)

func (a *api) signIn(c echo.Context) error { return a.page(c, (*oidc.Pages).SignIn) }

func (a *api) signOut(c echo.Context) error { return a.page(c, (*oidc.Pages).SignOut) }

// signInCallback writes the sign-in to the audit trail before the session begins. An answer that belongs
// to no sign-in has no known actor and is not written.
func (a *api) signInCallback(c echo.Context) error {
	return a.page(c, func(p *oidc.Pages, w http.ResponseWriter, r *http.Request) error {
		act := trail.Act{Kind: trail.SignIn, Target: "session", Address: serve.ClientAddr(r).String()}
		err := p.Callback(w, r, func(who identity.Principal) error {
			return a.Trail.Record(identity.With(r.Context(), who), act, wire.Done, "")
		})
		if err != nil && !errors.Is(err, oidc.ErrAttempt) && !errors.Is(err, trail.ErrUnwritten) {
			_, problem := outcomeOf(err)
			a.Trail.Attempt(r.Context(), act, problem)
		}
		return err
	})
}

// page answers with a sign-in page, or 404 if there are none.
func (a *api) page(c echo.Context, show func(*oidc.Pages, http.ResponseWriter, *http.Request) error) error {
	if a.Pages == nil {
		return newProblem(notFound, "this program has no sign-in pages: --oidc-issuer and --oidc-client-id are not set")
	}
	return show(a.Pages, c.Response(), c.Request())
}
