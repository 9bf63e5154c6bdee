package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// ordersPage is the body of the list of orders.
type ordersPage struct {
	Orders   []order.State
	All      bool // the visitor sees the orders of everybody
	Statuses []order.Status
	Status   order.Status // filter; or empty
	Customer string       // filter; or empty
	Next     string       // URL of the next page; or empty
	First    bool         // no cursor: this is the first page
}

// perPage is the number of orders of a page.
const perPage = 50

var orderID = regexp.MustCompile(`^ord_[a-z0-9]{26}(-refund-[0-9]+)?$`)

// orders lists the orders that the visitor may see. The search of the bar leads here: an order ID and
// the number of the shop go to their order, any other text is part of a name or an e-mail address.
func (p *Pages) orders(c echo.Context) error {
	q := strings.TrimSpace(c.QueryParam("q"))
	if orderID.MatchString(q) {
		return c.Redirect(http.StatusSeeOther, orderPath(order.Order{ID: order.ID(q)}, false))
	}
	v := ordersPage{
		All: identity.From(c.Request().Context()).May(identity.ReadAnyOrder), Statuses: order.Statuses(),
		Status: order.Status(c.QueryParam("status")), Customer: q, First: c.QueryParam("cursor") == "",
	}
	if v.Status != "" && !slices.Contains(v.Statuses, v.Status) {
		return refuse(http.StatusBadRequest, "bad-parameter", "Invalid parameter", "status is none of an order")
	}
	if len(q) > 200 {
		return refuse(http.StatusBadRequest, "bad-parameter", "Invalid parameter", "the search must not be longer than 200 bytes")
	}
	f := view.Filter{Status: v.Status, Customer: q, Limit: perPage, Cursor: c.QueryParam("cursor")}
	states, next, err := p.found(c, f)
	switch {
	case err != nil:
		return err
	case v.First && q != "" && len(states) == 1 && states[0].Order.Reference == q:
		return c.Redirect(http.StatusSeeOther, orderPath(states[0].Order, false))
	}
	v.Orders = states
	if next != "" {
		v.Next = "/orders?" + v.filter(url.Values{"cursor": {next}}).Encode()
	}
	return p.show(c, http.StatusOK, "orders", page{Title: "Orders", Place: "orders", Body: v})
}

// found lists the orders that have the text of the filter as their number or, without one, in their
// names.
func (p *Pages) found(c echo.Context, f view.Filter) ([]order.State, string, error) {
	numbered := f
	numbered.Customer, numbered.Reference = "", f.Customer
	if states, next, err := p.front.Orders(c, numbered); err != nil || len(states) > 0 || f.Customer == "" {
		return states, next, err
	}
	return p.front.Orders(c, f)
}

// filter adds the filters of the list to values of a query.
func (v ordersPage) filter(q url.Values) url.Values {
	if v.Status != "" {
		q.Set("status", string(v.Status))
	}
	if v.Customer != "" {
		q.Set("q", v.Customer)
	}
	return q
}

// With is the URL of the list with another status.
func (v ordersPage) With(s order.Status) string {
	v.Status = s
	if q := v.filter(url.Values{}).Encode(); q != "" {
		return "/orders?" + q
	}
	return "/orders"
}
