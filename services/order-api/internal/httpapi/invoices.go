package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

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

// getInvoiceXML answers with what is attached to the issued document. An invoice of old has nothing attached, and gets
// nothing later: it was issued without.
func (a *api) getInvoiceXML(c echo.Context) error {
	i, document, err := a.issued(c)
	if err != nil {
		return err
	}
	attached, err := pdfa.Extract(document)
	if errors.Is(err, pdfa.ErrNone) {
		return newProblem(noXML, "it was issued as a PDF alone")
	}
	if err != nil {
		return err
	}
	return serveInvoice(c, "application/xml", i.Number+".xml", wire.SHA256(attached), attached)
}

// issued returns the invoice of the order that is asked for, and its document.
func (a *api) issued(c echo.Context) (*order.Invoice, []byte, error) {
	ctx := c.Request().Context()
	s, err := a.find(ctx, order.ID(c.Param("id")))
	if err != nil {
		return nil, nil, err
	}
	document, err := a.view.Document(ctx, s)
	if errors.Is(err, view.ErrUnknown) {
		return nil, nil, newProblem(notIssued, fmt.Sprintf("the order is %s", s.Status))
	}
	if errors.Is(err, view.ErrGone) {
		a.Log.LogAttrs(ctx, slog.LevelWarn, "invoice is gone", slog.String(telemetry.Order, string(s.Order.ID)), slog.Any(telemetry.Error, err))
		return nil, nil, newProblem(invoiceGone, "its record was deleted from the topic of the invoices, or the topic was made again")
	}
	return s.Progress.Invoice, document, err
}

// serveInvoice answers with what never changes, or with the part of it that is asked for.
func serveInvoice(c echo.Context, contentType, name, hash string, content []byte) (err error) {
	h := c.Response().Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", name))
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Cache-Control", "private, no-cache") // it never changes, but whoever is asked for it must be asked
	w := &refusing{ResponseWriter: c.Response()}
	http.ServeContent(w, c.Request(), "", time.Time{}, bytes.NewReader(content))
	switch w.refused {
	case http.StatusPreconditionFailed:
		err = newProblem(failedCondition, "")
	case http.StatusRequestedRangeNotSatisfiable:
		err = newProblem(wrongRange, fmt.Sprintf("the invoice has %d bytes", len(content)))
	}
	if err != nil {
		// They are those of a document.
		h.Del("Content-Type")
		h.Del("Content-Disposition")
	}
	return err
}

// refusing writes what is found, and keeps a refusal back: that is to be a problem like any other.
type refusing struct {
	http.ResponseWriter
	refused int // the status, or 0
}

// WriteHeader is called by net/http.
func (w *refusing) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is called by net/http.
func (w *refusing) Write(text []byte) (int, error) {
	if w.refused != 0 {
		return len(text), nil
	}
	return w.ResponseWriter.Write(text)
}
