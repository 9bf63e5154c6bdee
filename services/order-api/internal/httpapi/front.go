package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// Web adds pages to the API.
type Web interface {
	// Pages returns the routes of the pages. New calls it once.
	Pages(Front) []Page
	// Problem answers a request of a browser with the page of a problem. The status and the headers
	// of the problem are its own; after an error nothing was written.
	Problem(c echo.Context, p *client.Problem) error
}

// Page is a route of the pages. Its handler returns errors as those of the API do.
type Page struct {
	Method, Path string              // GET is for HEAD, too
	Needs        identity.Permission // empty: public, without a look at credentials
	Guests       Guests
	List         bool // an expensive request: few run at a time
	Handler      echo.HandlerFunc
}

// Front is what the pages share with the API: its methods do what the routes of the API do, with the
// same rules, and their errors are for Problem.
type Front struct{ *api }

// Problem returns what the visitor may know about an error.
func (Front) Problem(err error) *client.Problem { return toProblem(err) }

// Products returns the catalogue in its order.
func (f Front) Products() []catalogue.Product { return f.catalogue.Products() }

// Gross reports whether the prices of the catalogue include VAT.
func (f Front) Gross() bool { return f.catalogue.Gross() }

// Place places an order of the visitor; see intake.Intake.Place. The order of a guest has its link
// token. found are faults that the caller has found.
func (f Front) Place(c echo.Context, o order.Order, key string, found ...order.Invalid) (intake.Placed, error) {
	return f.intake.Place(c.Request().Context(), o, key, found...)
}

// Refunds returns the refunds of an order that the visitor may see.
func (f Front) Refunds(c echo.Context, of order.ID) ([]order.State, error) {
	return f.view.Refunds(c.Request().Context(), of)
}

// Undecided returns how many of some dead letters wait for a decision.
func (f Front) Undecided(c echo.Context, ids []string) (n int, err error) {
	known, err := f.view.DeadLettersByID(c.Request().Context(), ids...)
	for _, l := range known {
		if slices.Contains(view.Unsettled(), l.State) {
			n++
		}
	}
	return n, err
}

// Break records an act of a visitor who breaks something on purpose, and does it.
func (f Front) Break(c echo.Context, target string, effect func() error) error {
	return f.record(c, trail.Act{Kind: trail.Break, Target: target}, effect)
}

// System returns the system as it is now, with all points.
func (f Front) System(ctx context.Context) system.Stats { return f.Stats.Now(ctx) }

// Log logs the error of a request that the pages answer themselves, as the error handler logs others.
func (f Front) Log(c echo.Context, err error) { f.logRefused(c, toProblem(err), err) }

// Who is the visitor of a public page: the principal, or a guest if the credentials are not valid.
func (f Front) Who(r *http.Request) identity.Principal {
	p, err := f.authenticate(r)
	if err != nil {
		return identity.Principal{}
	}
	return p
}

// Owns reports whether the visitor has placed the order, or has its link token.
func (f Front) Owns(c echo.Context, o order.Order) bool { return visitorOf(c).owns(o) }

// wantsPage reports whether a browser shows the answer as a page.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/v1/")
}
