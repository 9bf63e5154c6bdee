package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

func (a *api) routes(e *echo.Echo) {
	e.POST("/v1/orders", a.placeOrder)
	e.GET("/v1/orders", a.listOrders)
	e.GET("/v1/orders/:id", a.getOrder)
	e.GET("/v1/orders/:id/events", a.watchOrder)
	e.GET("/v1/orders/:id/invoice.pdf", a.getInvoice)
	e.GET("/v1/orders/:id/invoice.xml", a.getInvoiceXML)
	e.GET("/v1/products", a.listProducts)

	e.GET("/v1/letters", a.listLetters)
	e.GET("/v1/letters/:id", a.getLetter)
	e.POST("/v1/letters/:id/replay", a.replayLetter)

	e.GET("/healthz/live", a.live)
	e.GET("/healthz/ready", a.ready)

	e.GET("/openapi.yaml", a.openAPI)
	e.GET("/docs", a.docsPage)
	e.GET("/docs/:file", a.docsFile)
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
}
