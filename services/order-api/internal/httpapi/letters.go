package httpapi

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

func (a *api) listLetters(c echo.Context) error {
	q := query(c, "state", "step", "reason", "limit", "cursor")
	f := view.LetterFilter{
		State:  oneOf(&q, "state", view.Open, view.Replayed, view.Closed),
		Step:   oneOf(&q, "step", order.StepShipping, order.StepInvoice, order.StepEmail),
		Reason: failure.Reason(q.text("reason")), Limit: q.limit(), Cursor: c.QueryParam("cursor"),
	}
	if q.wrong != nil {
		return q.wrong
	}
	letters, next, err := a.view.Letters(c.Request().Context(), f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, letterPage{each(letters, toLetter), next})
}

func (a *api) getLetter(c echo.Context) error {
	l, err := a.desk.Letter(c.Request().Context(), c.Param("id"))
	if err != nil {
		return ofLetter(err)
	}
	answer := toLetter(l)
	answer.Record = toRecord(l.Key, l.Value)
	return c.JSON(http.StatusOK, answer)
}

func (a *api) replayLetter(c echo.Context) error {
	number, err := a.desk.Replay(c.Request().Context(), c.Param("id"))
	if err != nil {
		return ofLetter(err)
	}
	return c.JSON(http.StatusAccepted, struct {
		Letter string `json:"letter"`
		Replay int    `json:"replay"`
	}{c.Param("id"), number})
}

func ofLetter(err error) error {
	if errors.Is(err, view.ErrUnknown) {
		return newProblem(unknownLetter, "")
	}
	return err
}
