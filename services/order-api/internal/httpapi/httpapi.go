// Package httpapi serves the API over HTTP: it maps requests to calls of intake, view and desk, and
// their results to responses.
//
// openapi.yaml in package api is the contract. routes.go lists all routes, headers.go reads what
// request headers ask for, and problem.go alone maps errors to problem documents (RFC 9457). Package
// serve reads the whole body of a request before its handler runs. Every response has a write
// deadline; event streams have one for each event, and end when the program stops.
//
// The pages of package web reach the same services through Front (front.go), and their errors are the
// same problems. Types of echo stay in these two packages.
//
// Each route names the permission that it requires, or that it is public; access.go authenticates
// the request and checks it before the handler runs. A principal without a permission for all orders
// sees its own alone: another one is answered as if it did not exist, in the same words and time.
// Package mask hides personal data from those that may see an order but not its customer.
//
// Package serve refuses requests of other origins that could change something, and requests with a
// host that is not in Config.Access, which protects against DNS rebinding.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/foreign/expiry"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka/meter"
	"example.com/orders/shared/rates"
)

// Config is the configuration of the handler.
type Config struct {
	Log     *slog.Logger
	OpenAPI []byte        // the contract, served as it is
	Access  config.Access // allowed hosts
	// Auth finds out who sends a request. With nil there is no sign-in: every request is one of the
	// demo operator, who may do everything, and credentials are not read.
	Auth   identity.Authenticator
	Guests bool // requests without credentials may place orders, and see products and quotes
	// Earlier is the API of an earlier prefix, for the orders that this one does not have; or nil.
	Earlier *url.URL
	// Denied is called with each request that is refused because its principal lacks a permission,
	// before the response; nil writes it to Trail.
	Denied func(r *http.Request, p identity.Principal, needed identity.Permission)
	// Ready is an additional check of /healthz/ready; or nil. Its context has a deadline.
	Ready    func(context.Context) error
	Pages    *oidc.Pages       // sign-in with an issuer; or nil: there is none
	Sessions *session.Sessions // of browsers; or nil: there are none
	Stopping <-chan struct{}   // closed when event streams and waiting requests must end
	Trail    *trail.Trail      // the audit trail of the acts of operators
	Keys     *apikey.Store     // for the list of API keys; or nil: there are none
	Limits   Limits
	Web      Web // the pages; or nil: there are none

	Decisions   *desk.Decisions
	Jobs        *jobs.Jobs
	Stats       *stats.Stats
	Meter       *meter.Kafka // of the Kafka clients; or nil: there is none
	DeadLetters string       // dead-letter topic of this application
	// Of the dead letters of other programs: when Kafka deletes them, or nil; and where they are replayed
	// to.
	Expiry  *expiry.Watch
	Foreign sender.Rules
}

// api holds what handlers need.
type api struct {
	Config
	intake    *intake.Intake
	view      *view.View
	desk      *desk.Desk
	catalogue *catalogue.Catalogue
	card      *rates.Card
	metrics   *metrics
	tooMany   oncePerMinute // log lines of 429
	limits    *limits
	lists     chan struct{} // holds an element for each list request that runs
}

// New returns the handler of the whole API.
func New(cfg Config, in *intake.Intake, v *view.View, d *desk.Desk, products *catalogue.Catalogue, card *rates.Card) http.Handler {
	a := &api{
		Config: cfg, intake: in, view: v, desk: d, catalogue: products, card: card,
		limits: newLimits(cfg.Limits), lists: make(chan struct{}, maxLists),
	}
	a.metrics = newMetrics(a)
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // unused: serve.ClientAddr knows the trusted proxies
	if a.Denied == nil {
		a.Denied = func(r *http.Request, p identity.Principal, needed identity.Permission) {
			a.denied(r, p, needed)
		}
	}
	e.HTTPErrorHandler = a.answerProblem
	e.Use(a.metrics.measure, setHeaders, recoverPanics, a.admit, a.slowGuesses, a.askEarlier)
	a.routes(e)
	a.metrics.know(e.Routes())
	return e
}
