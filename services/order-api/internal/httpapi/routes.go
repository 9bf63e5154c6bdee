package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// routes registers all routes, in groups by who uses them. A group is the place for what its routes
// require of a request. It is created without middleware: echo registers a route for unknown paths
// with the middleware of a group that has any.
func (a *api) routes(e *echo.Echo) {
	customer := e.Group("")
	customer.POST("/v1/orders", a.placeOrder)
	get(customer, "/v1/orders", a.listOrders, a.limitLists)
	get(customer, "/v1/orders/:id", a.getOrder)
	get(customer, "/v1/orders/:id/events", a.watchOrder)
	get(customer, "/v1/orders/:id/invoice.pdf", a.getInvoice)
	get(customer, "/v1/orders/:id/invoice.xml", a.getInvoiceXML)
	customer.POST("/v1/orders/:id/cancel", a.cancelOrder)
	get(customer, "/v1/products", a.listProducts)
	customer.POST("/v1/quotes", a.quote)

	operator := e.Group("")
	operator.POST("/v1/orders/:id/refund", a.refundOrder)
	get(operator, "/v1/dead-letters", a.listDeadLetters, a.limitLists)
	get(operator, "/v1/dead-letters/:id", a.getDeadLetter)
	operator.POST("/v1/dead-letters/:id/replay", a.replayDeadLetter)

	ops := e.Group("")
	get(ops, "/healthz/live", a.live)
	get(ops, "/healthz/ready", a.ready)
	get(ops, "/metrics", a.metrics.serve)

	public := e.Group("")
	get(public, "/openapi.yaml", a.openAPI)
	get(public, "/docs", a.docsPage)
	get(public, "/docs/:file", a.docsFile)
	get(public, "/sign-in", a.signIn)
	get(public, "/sign-in/callback", a.signInCallback)
	public.POST("/sign-out", a.signOut)
	get(public, "/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
}

// get adds a route for GET and HEAD. net/http drops the body of the answer to HEAD.
func get(g *echo.Group, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	g.Match([]string{http.MethodGet, http.MethodHead}, path, h, m...)
}
