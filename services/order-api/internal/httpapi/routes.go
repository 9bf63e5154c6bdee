package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
)

// routes registers all routes, each with what it requires of who sends the request. Customers and
// guests use the first ones, for their own orders; handlers check the permissions for the orders of
// others. Metrics are public: the listener of the API is the one that Prometheus scrapes, and they
// contain no data of orders.
func (a *api) routes(e *echo.Echo) {
	a.route(e, http.MethodPost, "/v1/orders", requiresUnlessGuests(identity.PlaceOrders), a.placeOrder)
	a.get(e, "/v1/orders", requires(identity.ReadOrders), a.listOrders, a.limitLists)
	a.get(e, "/v1/orders/:id", requiresLink(identity.ReadOrders), a.getOrder)
	a.get(e, "/v1/orders/:id/events", requiresLink(identity.ReadOrders), a.watchOrder)
	a.get(e, "/v1/orders/:id/invoice.pdf", requiresLink(identity.ReadOrders), a.getInvoice)
	a.get(e, "/v1/orders/:id/invoice.xml", requiresLink(identity.ReadOrders), a.getInvoiceXML)
	a.route(e, http.MethodPost, "/v1/orders/:id/cancel", requiresLink(identity.CancelOrders), a.cancelOrder)
	a.get(e, "/v1/products", requiresUnlessGuests(identity.PlaceOrders), a.listProducts)
	a.route(e, http.MethodPost, "/v1/quotes", requiresUnlessGuests(identity.PlaceOrders), a.quote)

	a.route(e, http.MethodPost, "/v1/orders/:id/payments", requires(identity.RecordPayments), a.payOrder)
	a.route(e, http.MethodPost, "/v1/orders/:id/refund", requires(identity.RefundOrders), a.refundOrder)
	a.get(e, "/v1/dead-letters", requires(identity.ReadDeadLetters), a.listDeadLetters, a.limitLists)
	a.get(e, "/v1/dead-letters/groups", requires(identity.ReadDeadLetters), a.listGroups, a.limitLists)
	a.route(e, http.MethodPost, "/v1/dead-letters/groups/:id/notes", requires(identity.NoteDeadLetters), a.noteGroup)
	a.get(e, "/v1/dead-letters/groups/:id", requires(identity.ReadDeadLetters), a.getGroup, a.limitLists)
	a.route(e, http.MethodPost, "/v1/dead-letters/groups/:id/assign", requires(identity.NoteDeadLetters), a.assignGroup)
	a.get(e, "/v1/dead-letters/export", requires(identity.ReadDeadLetters), a.exportDeadLetters)
	a.route(e, http.MethodPost, importPath, requires(identity.EditDeadLetters), a.importDecisions, a.limitLists)
	a.route(e, http.MethodPost, "/v1/dead-letters/fix", requires(identity.EditDeadLetters), a.previewFix, a.limitLists)
	a.get(e, "/v1/dead-letters/:id", requires(identity.ReadDeadLetters), a.getDeadLetter)
	a.route(e, http.MethodPost, "/v1/dead-letters/:id/replay", requires(identity.ReplayDeadLetters), a.replayDeadLetter)
	a.route(e, http.MethodPost, "/v1/dead-letters/:id/edit", requires(identity.EditDeadLetters), a.editDeadLetter)
	a.route(e, http.MethodPost, "/v1/dead-letters/:id/discard", requires(identity.EditDeadLetters), a.discardDeadLetter)
	a.route(e, http.MethodPost, "/v1/dead-letters/:id/restore", requires(identity.EditDeadLetters), a.restoreDeadLetter)
	a.route(e, http.MethodPost, "/v1/dead-letters/:id/notes", requires(identity.NoteDeadLetters), a.noteDeadLetter)
	a.replayRoutes(e)
	a.get(e, "/v1/keys", requires(identity.ManageKeys), a.listKeys)
	a.get(e, "/v1/stats", requires(identity.ReadStats), a.getStats)
	a.get(e, "/v1/stats/events", requires(identity.ReadStats), a.watchStats)
	a.get(e, "/v1/audit", requires(identity.ReadAudit), a.listActs, a.limitLists)

	a.get(e, "/healthz/live", public, a.live)
	a.get(e, "/healthz/ready", public, a.ready)
	a.get(e, "/metrics", public, a.metrics.serve)

	a.get(e, "/openapi.yaml", public, a.openAPI)
	a.get(e, "/docs", public, a.docsPage)
	a.get(e, "/docs/:file", public, a.docsFile)
	a.get(e, oidc.BeginPath, public, a.signIn)
	a.get(e, "/sign-in/callback", public, a.signInCallback)
	a.pages(e)
}

// pages registers the pages. Without pages / leads to the documentation.
func (a *api) pages(e *echo.Echo) {
	if a.Web == nil {
		a.get(e, "/", public, func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
		return
	}
	for _, p := range a.Web.Pages(Front{a}) {
		n := need{permission: p.Needs, public: p.Needs == "", guests: p.Guests}
		var m []echo.MiddlewareFunc
		if p.List {
			m = append(m, a.limitLists)
		}
		if p.Method == http.MethodGet {
			a.get(e, p.Path, n, p.Handler, m...)
		} else {
			a.route(e, p.Method, p.Path, n, p.Handler, m...)
		}
	}
}

// replayRoutes registers those of replay jobs.
func (a *api) replayRoutes(e *echo.Echo) {
	a.route(e, http.MethodPost, "/v1/replays", requires(identity.ReplayDeadLetters), a.startReplay)
	a.get(e, "/v1/replays", requires(identity.ReadDeadLetters), a.listReplays, a.limitLists)
	a.get(e, "/v1/replays/:id", requires(identity.ReadDeadLetters), a.getReplay)
	a.get(e, "/v1/replays/:id/forecasts", requires(identity.ReadDeadLetters), a.listForecasts, a.limitLists)
	a.get(e, "/v1/replays/:id/events", requires(identity.ReadDeadLetters), a.watchReplay)
	a.route(e, http.MethodPost, "/v1/replays/:id/pause", requires(identity.ReplayDeadLetters), a.commandReplay("pause"))
	a.route(e, http.MethodPost, "/v1/replays/:id/resume", requires(identity.ReplayDeadLetters), a.commandReplay("resume"))
	a.route(e, http.MethodPost, "/v1/replays/:id/cancel", requires(identity.ReplayDeadLetters), a.commandReplay("cancel"))
	a.route(e, http.MethodPost, "/v1/replays/:id/rate", requires(identity.ReplayDeadLetters), a.changeRate)
}

// route adds a route. Its name is what it needs: a test finds routes that were added without.
func (a *api) route(e *echo.Echo, method, path string, n need, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	e.Add(method, path, h, append([]echo.MiddlewareFunc{a.require(n)}, m...)...).Name = n.String()
}

// get adds a route for GET and HEAD. net/http drops the body of the answer to HEAD.
func (a *api) get(e *echo.Echo, path string, n need, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	a.route(e, http.MethodGet, path, n, h, m...)
	a.route(e, http.MethodHead, path, n, h, m...)
}
