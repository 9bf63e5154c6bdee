package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

func (a *api) routes(e *echo.Echo) {
	// Whatever can be got can be asked for without its body, which net/http leaves out.
	get := func(path string, h echo.HandlerFunc) { e.Match([]string{http.MethodGet, http.MethodHead}, path, h) }

	e.POST("/v1/orders", a.placeOrder)
	get("/v1/orders", a.listOrders)
	get("/v1/orders/:id", a.getOrder)
	get("/v1/orders/:id/events", a.watchOrder)
	get("/v1/orders/:id/invoice.pdf", a.getInvoice)
	get("/v1/products", a.listProducts)
	e.POST("/v1/quotes", a.quote)

	get("/v1/letters", a.listLetters)
	get("/v1/letters/:id", a.getLetter)
	e.POST("/v1/letters/:id/replay", a.replayLetter)

	get("/healthz/live", a.live)
	get("/healthz/ready", a.ready)

	get("/openapi.yaml", a.openAPI)
	get("/docs", a.docsPage)
	get("/docs/:file", a.docsFile)
	get("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
}
