package httpapi

import (
	"errors"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/order"
)

func (a *api) refundOrder(c echo.Context) error {
	r := c.Request()
	key, body, err := keyed(r)
	if err != nil {
		return err
	}
	want, wrong, err := decodeRefund(body)
	if err != nil {
		return err
	}
	of, err := a.find(r.Context(), order.ID(c.Param("id")))
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return rejected(invalidRefund, wrong)
	}
	s, err := a.intake.Refund(r.Context(), of.Order.ID, want, key)
	if r, ok := errors.AsType[*intake.Rejected](err); ok {
		return rejected(invalidRefund, r.Invalid)
	}
	if err != nil {
		return err
	}
	return a.answerPlaced(c, s)
}
