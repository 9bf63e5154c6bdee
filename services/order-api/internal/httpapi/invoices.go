package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/pdfa"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

func (a *api) getInvoice(c echo.Context) error {
	i, document, err := a.issued(c)
	if err != nil {
		return err
	}
	return serveInvoice(c, "application/pdf", i.Number+".pdf", i.Kept.SHA256, document)
}

// getInvoiceXML answers with the XML that is attached to the issued PDF. An invoice that was issued
// without XML gets none later.
func (a *api) getInvoiceXML(c echo.Context) error {
	i, document, err := a.issued(c)
	if err != nil {
		return err
	}
	attached, err := pdfa.Extract(document)
	if err != nil {
		return err
	}
	return serveInvoice(c, "application/xml", i.Number+".xml", wire.SHA256(attached), attached)
}

// issued returns the issued invoice of the requested order, with its PDF.
func (a *api) issued(c echo.Context) (*order.Invoice, []byte, error) {
	ctx := c.Request().Context()
	s, err := a.find(c)
	if err == nil {
		err = visitorOf(c).check(s.Order, identity.ReadPersonal)
	}
	if err != nil {
		return nil, nil, err
	}
	document, err := a.view.Document(ctx, s)
	if errors.Is(err, view.ErrUnknown) {
		return nil, nil, newProblem(notIssued, fmt.Sprintf("the status of the order is %s", s.Status))
	}
	if errors.Is(err, view.ErrGone) {
		a.Log.LogAttrs(ctx, slog.LevelWarn, "invoice is gone", slog.String(telemetry.Order, string(s.Order.ID)), slog.Any(telemetry.Error, err))
	}
	return s.Progress.Invoice, document, err
}

// serveInvoice answers with an invoice, which never changes, or with the requested range of it.
func serveInvoice(c echo.Context, contentType, name, hash string, content []byte) (err error) {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", name))
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Cache-Control", "private, no-cache") // revalidate, so that access is checked each time
	w := &successOnly{ResponseWriter: c.Response()}
	http.ServeContent(w, c.Request(), "", time.Time{}, bytes.NewReader(content))
	switch w.refused {
	case http.StatusPreconditionFailed:
		err = newProblem(failedCondition, "")
	case http.StatusRequestedRangeNotSatisfiable:
		err = newProblem(wrongRange, fmt.Sprintf("the invoice has %d bytes", len(content)))
	}
	if err != nil {
		// The problem document has its own type, and is no file.
		h.Del("Content-Type")
		h.Del("Content-Disposition")
	}
	return err
}

// successOnly passes on a successful response, and drops another one: a problem replaces it.
type successOnly struct {
	http.ResponseWriter
	refused int // status of the response that was dropped, or 0
}

// WriteHeader is called by net/http.
func (w *successOnly) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is called by net/http.
func (w *successOnly) Write(text []byte) (int, error) {
	if w.refused != 0 {
		return len(text), nil
	}
	return w.ResponseWriter.Write(text)
}
