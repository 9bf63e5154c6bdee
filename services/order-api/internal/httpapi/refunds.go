package httpapi

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/trail"
)

func (a *api) refundOrder(c echo.Context) error {
	key, body, err := keyed(c.Request())
	if err != nil {
		return err
	}
	s, err := a.refund(c, key, body)
	if err != nil {
		return err
	}
	return a.answerPlaced(c, s)
}

// Refund refunds the requested order, as the API does.
func (f Front) Refund(c echo.Context, key string, n client.NewRefund) (intake.Placed, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return intake.Placed{}, err
	}
	return f.refund(c, key, body)
}

// refund refunds what a body says of the requested order.
func (a *api) refund(c echo.Context, key string, body []byte) (s intake.Placed, err error) {
	want, wrong, err := decodeRefund(body)
	if err != nil {
		return s, err
	}
	refunded, err := a.find(c)
	if err != nil {
		return s, err
	}
	if len(wrong) > 0 {
		return s, &intake.RejectedError{Invalid: wrong, Refund: true}
	}
	err = a.record(c, trail.Act{Kind: trail.Refund, Target: "order/" + c.Param("id"), Reason: want.Reason}, func() (err error) {
		s, err = a.intake.Refund(c.Request().Context(), refunded.Order.ID, want, key)
		return err
	})
	return s, err
}
