package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/mask"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

func (a *api) listDeadLetters(c echo.Context) error {
	q := query(c, "state", "step", "reason", "limit", "cursor")
	f := view.DeadLetterFilter{
		Step:   oneOf(&q, "step", order.Steps()...),
		Reason: failure.Reason(q.text("reason")), Limit: q.limit(), Cursor: c.QueryParam("cursor"),
	}
	if state := oneOf(&q, "state", view.DeadLetterStates()...); state != "" {
		f.States = []view.DeadLetterState{state}
	}
	if q.wrong != nil {
		return q.wrong
	}
	deadLetters, next, err := a.view.DeadLetters(c.Request().Context(), f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, deadLetterPage{each(deadLetters, visitorOf(c).deadLetter), next})
}

func (a *api) getDeadLetter(c echo.Context) error {
	l, err := a.desk.DeadLetter(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	v := visitorOf(c)
	answer, key, value := v.deadLetter(l), l.Key, mask.LinkToken(l.Value)
	if !v.May(identity.ReadPersonal) {
		key, value = mask.Record(l.Key, l.Value)
	}
	answer.Record = toRecord(key, value)
	return c.JSON(http.StatusOK, answer)
}

// deadLetter is a dead letter as the visitor may see it. Its message can quote what a mail server
// answered.
func (v visitor) deadLetter(l view.DeadLetter) client.DeadLetter {
	answer := toDeadLetter(l)
	if !v.May(identity.ReadPersonal) {
		answer.Message = mask.Text(answer.Message)
	}
	return answer
}

func (a *api) replayDeadLetter(c echo.Context) error {
	reason, err := givenReason(c.Request())
	if err != nil {
		return err
	}
	var number int
	err = a.record(c, trail.Act{Kind: trail.Replay, Target: "dead-letter/" + c.Param("id"), Reason: reason}, func() (err error) {
		number, err = a.desk.Replay(c.Request().Context(), c.Param("id"), false)
		return err
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, struct {
		DeadLetter string `json:"dead_letter"`
		Replay     int    `json:"replay"`
	}{c.Param("id"), number})
}
