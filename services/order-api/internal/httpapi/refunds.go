package httpapi

import (
	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/intake"
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
	refunded, err := a.find(c)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return &intake.RejectedError{Invalid: wrong, Refund: true}
	}
	s, err := a.intake.Refund(r.Context(), refunded.Order.ID, want, key)
	if err != nil {
		return err
	}
	return a.answerPlaced(c, s)
}
