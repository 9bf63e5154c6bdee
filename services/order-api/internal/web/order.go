package web

import (
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

// orderPage is the body of an order's page.
type orderPage struct {
	order.State
	Refunds  []order.State
	Country  *address.Country
	Headline headline
	Stages   []stage
	Path     string       // of the page
	Token    template.URL // "?token=…" for a guest; or empty
	Operator bool         // the visitor sees the orders of everybody
	Personal bool         // the visitor may read documents
	Cancel   bool         // the visitor may cancel
	Refund   bool         // the visitor may refund
	Asked    bool         // the visitor has just asked to cancel
	Again    bool         // the visitor has sent the form a second time

	Amounts order.Statement // of the document or, before there is one, as placed
}

func (p *Pages) order(c echo.Context) error {
	s, refunds, err := p.front.Order(c)
	if err != nil {
		return err
	}
	v := p.orderPage(c, s, refunds)
	live := v.Path + "/events" + string(v.Token)
	if v.Ended() {
		live = ""
	}
	return p.show(c, http.StatusOK, "order", page{Title: v.Headline.Title, Place: "orders", Roomy: true, Live: live, Body: v})
}

func (p *Pages) orderPage(c echo.Context, s order.State, refunds []order.State) orderPage {
	who := identity.From(c.Request().Context())
	owns := p.front.Owns(c, s.Order)
	v := orderPage{
		State: s, Refunds: refunds, Amounts: s.Statement(), Country: p.countries.Of(s.Order.ShipTo.Country), Headline: headlineOf(s), Stages: stagesOf(s),
		Path: orderPath(s.Order, false), Operator: who.May(identity.ReadAnyOrder),
		Personal: owns || who.May(identity.ReadPersonal), Cancel: owns || who.May(identity.CancelAnyOrder), Asked: c.QueryParam("asked") != "", Again: c.QueryParam("again") != "",
		Refund: who.May(identity.RefundOrders),
	}
	if token := c.QueryParam("token"); token != "" {
		v.Token = template.URL("?" + url.Values{"token": {token}}.Encode()) //nolint:gosec // it is encoded
	}
	return v
}

// Ended reports whether no change of the order can follow.
func (v orderPage) Ended() bool { return httpapi.Ended(v.State) }

// Issued reports whether the document is issued.
func (v orderPage) Issued() bool { return v.Progress.Issued() }

// Cancellable reports whether a cancel can succeed. The owner of the order decides.
func (v orderPage) Cancellable() bool {
	return v.Order.Refund == nil && !v.Issued() && (!v.Status.Final() || v.Status == order.Dead)
}

// statedLine is a line of the order, with the unit price as the document states it.
type statedLine struct {
	order.Line
	order.Amount
}

// Lines are the lines of the order. A unit price that is not stated as it was placed is rounded to a cent.
func (v orderPage) Lines() (all []statedLine) {
	for i, l := range v.Order.Lines {
		amount := v.Amounts.Lines[i]
		if amount.Stated != l.Price() {
			l.UnitPrice, _ = order.EUR.Parse(amount.Stated.Each(l.Quantity, 2)) // it is a decimal
		}
		all = append(all, statedLine{l, amount})
	}
	return all
}

// To are the lines of the address below the name.
func (v orderPage) To() []string {
	if v.Country == nil {
		a := v.Order.ShipTo
		return []string{a.Line1, a.City, a.PostalCode, a.Country}
	}
	return v.Country.Lines(v.Order.ShipTo)
}

// BillTo are the lines of the invoice address, or nil if it is that of the delivery.
func (v orderPage) BillTo() (lines []string) {
	b := v.Order.BillTo
	if b == nil {
		return nil
	}
	a := b.Address
	for _, text := range []string{b.Company, b.Name, a.Line1, a.Line2, strings.TrimSpace(a.PostalCode + " " + a.City), a.Region, a.Country, b.VATID} {
		if text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// Numbers are the label and the value of each number of the buyer.
func (v orderPage) Numbers() (all [][2]string) {
	for _, n := range [][2]string{{"Order number of the buyer", v.Order.PurchaseOrder}, {"Reference of the buyer", v.Order.BuyerReference}} {
		if n[1] != "" {
			all = append(all, n)
		}
	}
	return all
}

// Total is what the invoice asks for, or nil before there is one.
func (v orderPage) Total() *order.Money {
	if v.Progress.Invoice == nil {
		return nil
	}
	return &v.Progress.Invoice.Total
}

// Balance compares what the order costs with what was received for it.
func (v orderPage) Balance() order.Balance {
	var refunds []order.Order
	for _, r := range v.Refunds {
		refunds = append(refunds, r.Order)
	}
	return v.State.Balance(refunds)
}

// paidWords say what the state of payment means.
var paidWords = map[string]string{
	order.Unpaid: "Nothing is paid yet.", order.Prepaid: "A payment was received.", order.PartPaid: "A part is paid.", order.Paid: "The order is paid.",
	order.Overpaid: "More was paid than the order costs.", order.ReturnDue: "Money is to be paid back.", order.NothingDue: "Nothing is to be paid.",
}

// PaidWords is the state of payment in words.
func (v orderPage) PaidWords() string { return paidWords[v.Balance().State()] }

// orderPath is the path of an order's page. A guest needs the link token.
func orderPath(o order.Order, guest bool) string {
	path := "/orders/" + url.PathEscape(string(o.ID))
	if guest && o.LinkToken != "" {
		path += "?" + url.Values{"token": {o.LinkToken}}.Encode()
	}
	return path
}

// placedPath is the path of the page of an order that was just placed. It tells whether an earlier
// request has placed it.
func placedPath(p intake.Placed, guest bool) string {
	path := orderPath(p.Order, guest)
	switch {
	case !p.Replayed:
		return path
	case strings.Contains(path, "?"):
		return path + "&again=yes"
	}
	return path + "?again=yes"
}

// watchOrder streams the cells of the page.
func (p *Pages) watchOrder(c echo.Context) error {
	return p.front.Watch(c, func(w io.Writer, s order.State, after int64) (int64, error) {
		if s.Rev <= after {
			return after, writeBeat(w)
		}
		refunds, err := p.front.Refunds(c, s.Order.ID)
		if err != nil {
			return after, err
		}
		cells, err := p.part("order", "cells", p.orderPage(c, s, refunds))
		if err != nil {
			return after, err
		}
		return s.Rev, writeCells(w, s.Rev, cells)
	})
}

// cancelOrder asks to cancel the order, and returns to its page.
func (p *Pages) cancelOrder(c echo.Context) error {
	reason := c.FormValue("reason")
	if fault := order.TextFault(reason, 0, 200); fault != "" {
		return refuse(http.StatusUnprocessableEntity, "invalid-reason", "Invalid reason", "the reason "+fault)
	}
	s, err := p.front.Cancel(c, reason)
	if err != nil {
		return err
	}
	q := url.Values{"asked": {"cancel"}}
	if token := c.QueryParam("token"); token != "" {
		q.Set("token", token)
	}
	return c.Redirect(http.StatusSeeOther, orderPath(s.Order, false)+"?"+q.Encode())
}
