package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

func (a *api) routes(e *echo.Echo) {
	e.POST("/v1/orders", a.placeOrder)
	get(e, "/v1/orders", a.search(a.listOrders))
	get(e, "/v1/orders/:id", a.getOrder)
	get(e, "/v1/orders/:id/events", a.watchOrder)
	get(e, "/v1/orders/:id/invoice.pdf", a.getInvoice)
	get(e, "/v1/orders/:id/invoice.xml", a.getInvoiceXML)
	e.POST("/v1/orders/:id/cancel", a.cancelOrder)
	e.POST("/v1/orders/:id/refund", a.refundOrder)
	get(e, "/v1/products", a.listProducts)
	e.POST("/v1/quotes", a.quote)

	get(e, "/v1/dead-letters", a.search(a.listDeadLetters))
	get(e, "/v1/dead-letters/:id", a.getDeadLetter)
	e.POST("/v1/dead-letters/:id/replay", a.replayDeadLetter)

	get(e, "/healthz/live", a.live)
	get(e, "/healthz/ready", a.ready)

	get(e, "/openapi.yaml", a.openAPI)
	get(e, "/docs", a.docsPage)
	get(e, "/docs/:file", a.docsFile)
	get(e, "/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
}

// get adds a route for GET, and for HEAD: whatever can be got can be asked for without its body, which net/http leaves out.
func get(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.Match([]string{http.MethodGet, http.MethodHead}, path, h)
}
