// Package httpapi is the API over HTTP: it turns requests into calls of intake, view and desk, and what they return into answers.
//
// openapi.yaml in package api is the contract; routes.go has all routes, and problem.go alone turns errors into problem
// documents. The body of a request is read as a whole by package serve before its handler runs. Every answer has a time by
// which it must be written; streams have one for each event, and end when the program stops.
//
// Until there is sign-in everything is allowed to everybody who can connect. So package serve refuses pages of other
// origins where they could change something, and every request that names a host which is not in Config.Access: it may
// come from a page whose own name was made to point at this machine.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/config"
	"example.com/orders/shared/rates"
)

// Config are the settings of the API.
type Config struct {
	Log     *slog.Logger
	OpenAPI []byte        // the contract, to show
	Access  config.Access // the hosts that it answers to
	// Ready adds to what must be right for /healthz/ready; or nil. It is called within a deadline.
	Ready    func(context.Context) error
	Stopping <-chan struct{} // closed when streams, and answers that wait for an order, must end
}

// api holds what handlers need.
type api struct {
	Config
	intake    *intake.Intake
	view      *view.View
	desk      *desk.Desk
	catalogue *catalogue.Catalogue
	card      *rates.Card
	refused   seldom        // that no new orders are taken
	searches  chan struct{} // as many as there are requests that search now
}

// New returns the handler of the whole API.
func New(cfg Config, in *intake.Intake, v *view.View, d *desk.Desk, shop *catalogue.Catalogue, card *rates.Card) http.Handler {
	a := &api{Config: cfg, intake: in, view: v, desk: d, catalogue: shop, card: card, searches: make(chan struct{}, maxSearches)}
	e := echo.New()
	// Nobody stands in front of the API that could be trusted to say where a request comes from.
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = a.answerProblem
	e.Use(a.measured(e), headed, a.recovered, a.admitted)
	a.routes(e)
	return e
}
