package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func (a *api) listProducts(c echo.Context) error {
	return c.JSON(http.StatusOK, productPage{toPrices(a.catalogue.Gross()), each(a.catalogue.Products(), toProduct)})
}

func (a *api) quote(c echo.Context) error {
	body, err := readJSON(c.Request())
	if err != nil {
		return err
	}
	o, wrong, err := decodeOrder(body)
	if err != nil {
		return err
	}
	o, asked, services, err := a.Quote(o, wrong...)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, client.Quote{
		Prices: toPrices(o.Gross), ItemsTotal: toMoney(o.ItemsTotal()), Service: asked,
		Services: each(services, func(s *order.Shipping) client.Shipping { return toShipping(s, o.Lines) }),
	})
}

// Quote prices an order and its shipping without placing it. It returns the priced order, the
// requested service, and the shipping by each service that ships the order, the cheapest first. found
// are faults that the caller found while it decoded the order.
func (a *api) Quote(o order.Order, found ...order.Invalid) (order.Order, string, []*order.Shipping, error) {
	o.Service = cmp.Or(o.Service, order.Standard)
	if o.Payment != nil {
		paidBy(o.Payment, time.Now())
	}
	o, err := a.intake.Basket(o, found...)
	if err != nil {
		return o, "", nil, err
	}
	asked, err := a.card.Quote(o)
	if err != nil {
		return o, "", nil, err
	}
	services := []*order.Shipping{asked}
	for _, service := range []string{order.Standard, order.Express} {
		if service == asked.Service {
			continue
		}
		other := o
		other.Service = service
		// Omit a service that does not ship this order.
		if s, err := a.card.Quote(other); err == nil {
			services = append(services, s)
		}
	}
	slices.SortStableFunc(services, func(a, b *order.Shipping) int { return cmp.Compare(a.Price.Minor, b.Price.Minor) })
	return o, asked.Service, services, nil
}
