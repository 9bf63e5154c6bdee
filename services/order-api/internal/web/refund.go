package web

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// refundPage is the body of the form of a refund.
type refundPage struct {
	order.State
	Path     string
	Key      string  // idempotency key of the form
	Pieces   []field // for each line of the order
	Shipping bool
	Reason   field
	Wrong    []string // what no field has
	Fault    *fault   // why nothing was refunded; or nil
}

func (p *Pages) askRefund(c echo.Context) error {
	s, _, err := p.front.Order(c)
	if err != nil {
		return err
	}
	return p.showRefund(c, http.StatusOK, newRefundPage(c, s, rand.Text()))
}

// newRefundPage is the form with what was given.
func newRefundPage(c echo.Context, s order.State, key string) refundPage {
	v := refundPage{State: s, Path: orderPath(s.Order, false), Key: key, Shipping: c.FormValue("shipping") == "true"}
	for i, l := range s.Order.Lines {
		name := "pieces-" + strconv.Itoa(i)
		v.Pieces = append(v.Pieces, field{Name: name, Label: l.Name + ", pieces of " + number(l.Quantity), Type: "text", Value: c.FormValue(name), Complete: "off", Optional: true})
	}
	v.Reason = reasonField(c.FormValue("reason"), true)
	v.Reason.Label = "Why, as the credit note says"
	return v
}

func (p *Pages) showRefund(c echo.Context, status int, v refundPage) error {
	return p.show(c, status, "refund", page{Title: "Refund", Place: "orders", Roomy: true, Body: v})
}

// refundOrder refunds what the form says. Its key makes a repeat the same refund.
func (p *Pages) refundOrder(c echo.Context) error {
	s, _, err := p.front.Order(c)
	if err != nil {
		return err
	}
	v := newRefundPage(c, s, c.FormValue("key"))
	want, rows, ok := v.read()
	if !ok {
		return p.showRefund(c, http.StatusUnprocessableEntity, v)
	}
	refund, err := p.front.Refund(c, v.Key, want)
	if err != nil {
		return p.again(c, err, func() error { return p.notRefunded(c, v, rows, err) })
	}
	return c.Redirect(http.StatusSeeOther, placedPath(refund, false))
}

// read reads the fields, and of which lines the items are. It reports false if one is no number.
func (v *refundPage) read() (want client.NewRefund, rows []int, ok bool) {
	want, ok = client.NewRefund{Shipping: v.Shipping, Reason: v.Reason.Value}, true
	for i, f := range v.Pieces {
		if strings.TrimSpace(f.Value) == "" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(f.Value))
		if err != nil {
			v.Pieces[i].Wrong, ok = "Must be a whole number.", false
			continue
		}
		want.Items = append(want.Items, client.Item{SKU: v.Order.Lines[i].SKU, Quantity: n})
		rows = append(rows, i)
	}
	return want, rows, ok
}

// notRefunded shows the form again, with what is wrong.
func (p *Pages) notRefunded(c echo.Context, v refundPage, rows []int, refused error) error {
	f, status := p.problemOf(c, refused)
	for _, e := range f.Errors {
		at, _ := strings.CutPrefix(e.Pointer, "/items/")
		at, _, _ = strings.Cut(at, "/")
		i, err := strconv.Atoi(at)
		switch {
		case e.Pointer == "/reason":
			v.Reason.Wrong = sentence(e.Detail)
		case err == nil && i < len(rows):
			v.Pieces[rows[i]].Wrong = sentence(e.Detail)
		default:
			v.Wrong = append(v.Wrong, sentence(e.Detail))
		}
	}
	if len(f.Errors) == 0 {
		v.Fault = f
	}
	return p.showRefund(c, status, v)
}
