package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity/oidc"
)

func (a *api) signIn(c echo.Context) error { return a.page(c, (*oidc.Pages).SignIn) }

func (a *api) signInCallback(c echo.Context) error { return a.page(c, (*oidc.Pages).Callback) }

func (a *api) signOut(c echo.Context) error { return a.page(c, (*oidc.Pages).SignOut) }

// page answers with a sign-in page, or 404 if there are none.
func (a *api) page(c echo.Context, show func(*oidc.Pages, http.ResponseWriter, *http.Request) error) error {
	if a.Pages == nil {
		return newProblem(notFound, "this program has no sign-in pages: --oidc-issuer and --oidc-client-id are not set")
	}
	return show(a.Pages, c.Response(), c.Request())
}
