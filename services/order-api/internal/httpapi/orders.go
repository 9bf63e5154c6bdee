package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

func (a *api) placeOrder(c echo.Context) error {
	r := c.Request()
	key, body, err := keyed(r)
	if err != nil {
		return err
	}
	o, wrong, err := decodeOrder(body)
	if err != nil {
		return err
	}
	unpaid, err := visitorOf(c).placedPaid(&o)
	if err != nil {
		return err
	}
	s, err := a.intake.Place(r.Context(), o, key, append(wrong, unpaid...)...)
	if err != nil {
		return err
	}
	return a.answerPlaced(c, s)
}

// answerPlaced answers with an order or a refund that was just placed, after the preferred wait.
func (a *api) answerPlaced(c echo.Context, p intake.Placed) error {
	s, r, h, status := p.State, c.Request(), c.Response().Header(), http.StatusAccepted
	if p.Replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	h.Set("Location", "/v1/orders/"+string(s.Order.ID))
	if wait, ok := preferredWait(r.Header); ok {
		h.Set("Preference-Applied", fmt.Sprintf("wait=%d", int(wait.Seconds())))
		s = a.awaitOrder(r.Context(), s, wait, func(s order.State) bool { return s.Status.Final() })
		if s.Status.Final() {
			status = http.StatusOK
		}
	}
	v := visitorOf(c)
	if !v.Guest() {
		return c.JSON(status, toOrder(v.shown(s)))
	}
	answer := toOrder(s)
	answer.LinkToken = s.Order.LinkToken
	return c.JSON(status, answer)
}

// awaitOrder waits until an order is as wanted, and returns the newest state: the wanted one, or that at the
// end of the wait.
func (a *api) awaitOrder(ctx context.Context, s order.State, wait time.Duration, wanted func(order.State) bool) order.State {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	changes, stop := a.view.Watch(s.Order.ID)
	defer stop()
	for {
		// The view may not have applied the new order yet.
		if seen, err := a.view.Order(ctx, s.Order.ID); err == nil {
			s = seen
		}
		if wanted(s) {
			return s
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return s
		case <-a.Stopping:
			return s
		}
	}
}

func (a *api) listOrders(c echo.Context) error {
	q := query(c, "kind", "status", "customer", "reference", "from", "to", "limit", "cursor")
	f := view.Filter{
		Refunds:  oneOf(&q, "kind", "order", "refund") == "refund",
		Status:   oneOf(&q, "status", order.Statuses()...),
		Customer: q.text("customer"), Reference: q.text("reference"), From: q.time("from"), To: q.time("to"),
		Limit: q.limit(), Cursor: c.QueryParam("cursor"),
	}
	if q.wrong != nil {
		return q.wrong
	}
	states, next, err := a.Orders(c, f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, orderPage{each(states, toOrder), next})
}

// Orders returns the orders of a filter that the visitor may see, as the visitor may see them, and the
// cursor of the next page.
func (a *api) Orders(c echo.Context, f view.Filter) ([]order.State, string, error) {
	v := visitorOf(c)
	switch {
	case !v.May(identity.ReadAnyOrder):
		f.Owner = v.Actor()
	case f.Customer != "" && !v.May(identity.ReadPersonal): // the search would tell what is masked
		return nil, "", &forbiddenError{identity.ReadPersonal}
	}
	states, next, err := a.view.Orders(c.Request().Context(), f)
	return each(states, v.shown), next, err
}

func (a *api) getOrder(c echo.Context) error {
	s, refunds, err := a.Order(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toWhole(s, refunds))
}

// Order returns the requested order as the visitor may see it, and its refunds.
func (a *api) Order(c echo.Context) (order.State, []order.State, error) {
	s, err := a.find(c)
	if err != nil {
		return s, nil, err
	}
	refunds, err := a.view.Refunds(c.Request().Context(), s.Order.ID)
	return visitorOf(c).shown(s), refunds, err
}

// find returns the state of the requested order. The error is view.ErrUnknown if there is none after the wait
// of view.AwaitKnown, and likewise for an order that the visitor may not read: both take the same way and
// the same time, whatever happens to the order meanwhile.
func (a *api) find(c echo.Context) (s order.State, err error) {
	ctx, id, v := c.Request().Context(), order.ID(c.Param("id")), visitorOf(c)
	changes, stop := a.view.Watch(id)
	defer stop()
	err = a.view.AwaitKnown(ctx, changes, a.Stopping, func() (err error) {
		s, err = a.view.Order(ctx, id)
		if err == nil && v.check(s.Order, identity.ReadAnyOrder) != nil {
			s, err = order.State{}, a.view.Unknown(id)
		}
		return err
	})
	return s, err
}

func (a *api) cancelOrder(c echo.Context) error {
	reason, err := givenReason(c.Request())
	if err != nil {
		return err
	}
	s, err := a.Cancel(c, reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, toOrder(visitorOf(c).shown(s)))
}

// Cancel asks the owner of the requested order to cancel it. An operator's reason is in the audit trail.
func (a *api) Cancel(c echo.Context, reason string) (order.State, error) {
	ctx, v := c.Request().Context(), visitorOf(c)
	s, err := a.find(c)
	if err != nil {
		return s, err
	}
	if err := v.check(s.Order, identity.CancelAnyOrder); err != nil {
		return s, err
	}
	cancel := func() (err error) {
		s, err = a.desk.Cancel(ctx, s.Order.ID)
		return err
	}
	if v.May(identity.CancelAnyOrder) { // customers cancel their own orders only, which is no act of an operator
		err = a.record(c, trail.Act{Kind: trail.Cancel, Target: "order/" + c.Param("id"), Reason: reason}, cancel)
	} else {
		err = cancel()
	}
	return s, err
}
