package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

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
	s, err := a.intake.Place(r.Context(), o, key, wrong...)
	if err != nil {
		return err
	}
	return a.answerPlaced(c, s)
}

// answerPlaced answers with an order that was just placed, or with what has become of it when its client prefers to wait.
func (a *api) answerPlaced(c echo.Context, s order.State) error {
	r, h, status := c.Request(), c.Response().Header(), http.StatusAccepted
	h.Set("Location", "/v1/orders/"+string(s.Order.ID))
	if wait, ok := preferredWait(r.Header); ok {
		h.Set("Preference-Applied", fmt.Sprintf("wait=%d", int(wait.Seconds())))
		s = a.finished(r.Context(), s, wait)
		if s.Status.Final() {
			status = http.StatusOK
		}
	}
	return c.JSON(status, toOrder(s))
}

// keyed reads what makes an order: the idempotency key, or none, and the JSON.
func keyed(r *http.Request) (key string, body []byte, err error) {
	if key, err = idempotencyKey(r.Header); err != nil {
		return "", nil, err
	}
	body, err = readJSON(r)
	return key, body, err
}

var visible = regexp.MustCompile(`^[!-~]{1,200}$`)

func idempotencyKey(h http.Header) (string, error) {
	keys := h.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", nil
	}
	if len(keys) > 1 || !visible.MatchString(keys[0]) {
		return "", newProblem(badParameter, "Idempotency-Key must be one key of 1 to 200 visible ASCII characters")
	}
	return keys[0], nil
}

func readJSON(r *http.Request) ([]byte, error) {
	if err := checkType(r.Header); err != nil {
		return nil, err
	}
	return io.ReadAll(r.Body)
}

// checkType takes JSON in UTF-8, and what curl says of it unless it is told better. Pages of other origins, which can make a
// browser send a form without asking, are refused before.
func checkType(h http.Header) error {
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return newProblem(unsupportedType, "Content-Encoding must be absent: the body is not compressed")
		}
	}
	types := h.Values("Content-Type")
	if len(types) == 0 || len(types) == 1 && types[0] == "" {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(types[0])
	if len(types) > 1 || err != nil || kind != "application/json" && kind != echo.MIMEApplicationForm {
		return newProblem(unsupportedType, "Content-Type must be application/json")
	}
	if charset, given := parameters["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return newProblem(unsupportedType, "the charset of Content-Type must be UTF-8")
	}
	return nil
}

// maxWait is how long a client may wait for its order in one request.
const maxWait = 60

// preferredWait reads how long a client prefers to wait (RFC 7240). Preferences that make no sense are ignored, as they must be.
func preferredWait(h http.Header) (time.Duration, bool) {
	for preference := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if seconds, err := strconv.ParseUint(value, 10, 32); strings.EqualFold(name, "wait") && err == nil {
			return time.Duration(min(seconds, maxWait)) * time.Second, true
		}
	}
	return 0, false
}

// finished waits until the workers are through with an order, and returns it as it stands then or when the wait is over.
func (a *api) finished(ctx context.Context, s order.State, wait time.Duration) order.State {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	changes, stop := a.view.Watch(s.Order.ID)
	defer stop()
	for {
		// The view may not know the order yet.
		if seen, err := a.view.Order(ctx, s.Order.ID); err == nil {
			s = seen
		}
		if s.Status.Final() {
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

// unknownFor is how long an order that nobody knows is waited for: it may have been placed just now.
const unknownFor = time.Second

// find returns an order, waiting a moment for one that is not there yet.
func (a *api) find(ctx context.Context, id order.ID) (order.State, error) {
	changes, stop := a.view.Watch(id)
	defer stop()
	s, err := a.view.Order(ctx, id)
	if errors.Is(err, view.ErrUnknown) {
		select {
		case <-changes:
			s, err = a.view.Order(ctx, id)
		case <-time.After(unknownFor):
		case <-ctx.Done():
		case <-a.Stopping:
		}
	}
	if errors.Is(err, view.ErrUnknown) {
		return s, newProblem(unknownOrder, "")
	}
	return s, err
}

func (a *api) getOrder(c echo.Context) error {
	ctx := c.Request().Context()
	s, err := a.find(ctx, order.ID(c.Param("id")))
	if err != nil {
		return err
	}
	refunds, err := a.view.Refunds(ctx, s.Order.ID)
	if err != nil {
		return err
	}
	answer := toOrder(s)
	answer.Refunds = each(refunds, toRefundRef)
	return c.JSON(http.StatusOK, answer)
}

func (a *api) cancelOrder(c echo.Context) error {
	ctx, id := c.Request().Context(), order.ID(c.Param("id"))
	if _, err := a.find(ctx, id); err != nil {
		return err
	}
	s, err := a.desk.Cancel(ctx, id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, toOrder(s))
}

func (a *api) listOrders(c echo.Context) error {
	q := query(c, "kind", "status", "customer", "from", "to", "limit", "cursor")
	f := view.Filter{
		Refunds:  oneOf(&q, "kind", "order", "refund") == "refund",
		Status:   oneOf(&q, "status", order.Statuses()...),
		Customer: q.text("customer"), From: q.moment("from"), To: q.moment("to"),
		Limit: q.limit(), Cursor: c.QueryParam("cursor"),
	}
	if q.wrong != nil {
		return q.wrong
	}
	states, next, err := a.view.Orders(c.Request().Context(), f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, orderPage{each(states, toOrder), next})
}

func (a *api) listProducts(c echo.Context) error {
	return c.JSON(http.StatusOK, productPage{each(a.catalogue.Products(), toProduct)})
}
