package httpapi

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func (a *api) listProducts(c echo.Context) error {
	return c.JSON(http.StatusOK, productPage{each(a.catalogue.Products(), toProduct)})
}

// quote calculates the shipping of an order without placing it: with the requested service and with
// the others that ship it.
func (a *api) quote(c echo.Context) error {
	body, err := readJSON(c.Request())
	if err != nil {
		return err
	}
	o, wrong, err := decodeOrder(body)
	if err != nil {
		return err
	}
	o.Service = cmp.Or(o.Service, order.Standard)
	if o, err = a.intake.Basket(o, wrong...); err != nil {
		return err
	}
	asked, err := a.card.Ship(o)
	if err != nil {
		return err
	}
	services := []*order.Shipping{asked}
	for _, service := range []string{order.Standard, order.Express} {
		if service == asked.Service {
			continue
		}
		other := o
		other.Service = service
		// Omit a service that does not ship this order.
		if s, err := a.card.Ship(other); err == nil {
			services = append(services, s)
		}
	}
	slices.SortStableFunc(services, func(a, b *order.Shipping) int { return cmp.Compare(a.Price.Minor, b.Price.Minor) })
	return c.JSON(http.StatusOK, client.Quote{
		ItemsTotal: toMoney(o.ItemsTotal()), Service: asked.Service,
		Services: each(services, func(s *order.Shipping) client.Shipping { return toShipping(s, o.Lines) }),
	})
}
