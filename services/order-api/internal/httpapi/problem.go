package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
)

// kind is a kind of problem: what its type ends in, for good.
type kind string

// Every kind of problem.
const (
	malformed         kind = "malformed"
	badParameter      kind = "bad-parameter"
	notFound          kind = "not-found"
	unknownOrder      kind = "unknown-order"
	unknownDeadLetter kind = "unknown-dead-letter"
	deadLetterGone    kind = "dead-letter-gone"
	invoiceGone       kind = "invoice-gone"
	notIssued         kind = "invoice-not-issued"
	noXML             kind = "invoice-without-xml"
	methodNotAllowed  kind = "method-not-allowed"
	deadLetterClosed  kind = "dead-letter-closed"
	orderBegun        kind = "order-begun"
	notInvoiced       kind = "not-invoiced"
	isRefund          kind = "is-refund"
	refundConflict    kind = "refund-conflict"
	unsupportedType   kind = "unsupported-media-type"
	failedCondition   kind = "precondition-failed"
	wrongRange        kind = "range-not-satisfiable"
	invalidOrder      kind = "invalid-order"
	invalidRefund     kind = "invalid-refund"
	keyReused         kind = "idempotency-key-reused"
	noRoute           kind = "no-route"
	tooHeavy          kind = "too-heavy"
	overdue           kind = "overdue"
	recipientLimit    kind = "recipient-limit"
	busy              kind = "busy"
	internal          kind = "internal"
	unavailable       kind = "unavailable"
	resultUnknown     kind = "result-unknown"
)

var kinds = map[kind]struct {
	status int
	title  string
}{
	malformed:         {http.StatusBadRequest, "Unreadable request body"},
	badParameter:      {http.StatusBadRequest, "A parameter is not right"},
	notFound:          {http.StatusNotFound, "There is nothing here"},
	unknownOrder:      {http.StatusNotFound, "There is no such order"},
	unknownDeadLetter: {http.StatusNotFound, "There is no such dead letter"},
	notIssued:         {http.StatusNotFound, "The invoice is not issued yet"},
	noXML:             {http.StatusNotFound, "The invoice has no XML"},
	methodNotAllowed:  {http.StatusMethodNotAllowed, "This cannot be done here"},
	deadLetterClosed:  {http.StatusConflict, "The dead letter is not open any more"},
	orderBegun:        {http.StatusConflict, "Work on the order has begun"},
	notInvoiced:       {http.StatusConflict, "The order is not invoiced"},
	isRefund:          {http.StatusConflict, "The order is a refund itself"},
	refundConflict:    {http.StatusConflict, "Others refund the order at the same time"},
	deadLetterGone:    {http.StatusGone, "The dead letter is gone"},
	invoiceGone:       {http.StatusGone, "The invoice is gone"},
	unsupportedType:   {http.StatusUnsupportedMediaType, "The body must be JSON"},
	failedCondition:   {http.StatusPreconditionFailed, "It is not the one that was asked for"},
	wrongRange:        {http.StatusRequestedRangeNotSatisfiable, "There is no such part of it"},
	invalidOrder:      {http.StatusUnprocessableEntity, "The order is not right"},
	invalidRefund:     {http.StatusUnprocessableEntity, "The refund is not right"},
	keyReused:         {http.StatusUnprocessableEntity, "The idempotency key was used already"},
	noRoute:           {http.StatusUnprocessableEntity, "It is not shipped there"},
	tooHeavy:          {http.StatusUnprocessableEntity, "It is not shipped, as heavy or as large as it is"},
	overdue:           {http.StatusTooManyRequests, "No new orders at the moment"},
	recipientLimit:    {http.StatusTooManyRequests, "Too many orders for one e-mail address"},
	busy:              {http.StatusServiceUnavailable, "Too many searches at once"},
	internal:          {http.StatusInternalServerError, "Something went wrong here"},
	unavailable:       {http.StatusServiceUnavailable, "Not possible at the moment"},
	resultUnknown:     {http.StatusGatewayTimeout, "Nobody knows yet whether the order is placed"},
}

func newProblem(k kind, detail string) *client.Problem {
	return &client.Problem{Type: "/problems/" + string(k), Title: kinds[k].title, Status: kinds[k].status, Detail: detail}
}

// answerProblem is where every error of a handler ends.
func (a *api) answerProblem(err error, c echo.Context) {
	p := toProblem(err)
	level := slog.LevelDebug
	switch {
	case c.Request().Context().Err() != nil: // nobody is there to be answered
	case p.Status == http.StatusInternalServerError:
		level = slog.LevelError
	case p.Status > http.StatusInternalServerError:
		level = slog.LevelWarn
	case p.Status == http.StatusTooManyRequests && a.refused.due():
		level = slog.LevelWarn
	}
	a.Log.LogAttrs(c.Request().Context(), level, "request refused",
		slog.String(telemetry.Request, c.Response().Header().Get(echo.HeaderXRequestID)), slog.String(telemetry.Route, c.Path()),
		slog.Int(telemetry.Status, p.Status), slog.String(telemetry.Error, err.Error()))
	if c.Response().Committed {
		return
	}
	if after := retryAfter(p.Status, err); after > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	body, err := json.Marshal(p)
	if err == nil {
		err = c.Blob(p.Status, "application/problem+json", body)
	}
	if err != nil {
		a.Log.Debug("answering a problem", telemetry.Error, err)
	}
}

// retryAfter is when it makes sense to repeat a request, or zero: never as it is.
func retryAfter(status int, err error) time.Duration {
	crowded, ok := errors.AsType[*intake.CrowdedError](err)
	switch {
	case ok:
		return crowded.Wait
	case status == http.StatusTooManyRequests: // a backlog takes its time
		return 30 * time.Second
	case status == http.StatusServiceUnavailable:
		return 2 * time.Second
	}
	return 0
}

// seldom says of a line that could come with every request when it is due: at once, and then once a minute.
type seldom struct{ last atomic.Int64 }

func (s *seldom) due() bool {
	last, now := s.last.Load(), time.Now().UnixNano()
	return (last == 0 || now-last >= int64(time.Minute)) && s.last.CompareAndSwap(last, now)
}

// toProblem says of an error what a client may know.
func toProblem(err error) *client.Problem {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*serve.Refusal](err); ok {
		return &client.Problem{Type: r.Type, Title: r.Title, Status: r.Status, Detail: r.Detail}
	}
	if r, ok := errors.AsType[*intake.Rejected](err); ok {
		return rejected(invalidOrder, r.Invalid)
	}
	if r, ok := errors.AsType[*rates.Refused](err); ok {
		return unshipped(r)
	}
	if k, ok := errors.AsType[*intake.KeyReused](err); ok {
		return newProblem(keyReused, k.Error())
	}
	if u, ok := errors.AsType[*intake.Unknown](err); ok {
		p := newProblem(resultUnknown, "repeat the request with the same Idempotency-Key, or see after a while what is there")
		p.Order = string(u.ID)
		return p
	}
	if c, ok := errors.AsType[*intake.CrowdedError](err); ok {
		return newProblem(recipientLimit, fmt.Sprintf("the order is not placed: at most %d orders an hour are accepted for one e-mail address", c.PerHour))
	}
	if h, ok := errors.AsType[*echo.HTTPError](err); ok {
		return ofRouter(h)
	}
	switch {
	case errors.Is(err, view.ErrCursor):
		return newProblem(badParameter, "cursor is not one that this API gave out")
	case errors.Is(err, desk.ErrClosed):
		return newProblem(deadLetterClosed, "its order is being worked on again, or has ended otherwise")
	case errors.Is(err, desk.ErrBegun):
		return newProblem(orderBegun, "work on the order has begun: it cannot be cancelled any more")
	case errors.Is(err, desk.ErrRefund):
		return newProblem(isRefund, "a refund cannot be cancelled")
	case errors.Is(err, intake.ErrRefund):
		return newProblem(isRefund, "a refund cannot be refunded")
	case errors.Is(err, intake.ErrNotInvoiced):
		return newProblem(notInvoiced, "only what is invoiced can be refunded; what is not begun can be cancelled")
	case errors.Is(err, intake.ErrConflict):
		return newProblem(refundConflict, "see which refunds the order has, and try again")
	case errors.Is(err, intake.ErrOverdue):
		return newProblem(overdue, "orders placed before wait longer than they should: new ones are taken when those are begun")
	case errors.Is(err, intake.ErrBlocked):
		return newProblem(unavailable, repartitioned)
	case errors.Is(err, view.ErrNoLeader):
		return newProblem(unavailable, "the part of Kafka that this order belongs to does not answer: other orders are taken, this one when it is back")
	case errors.Is(err, view.ErrStore):
		return newProblem(unavailable, "the read model cannot be read at the moment, or is being built again from Kafka: try again later, orders that are placed stay")
	case errors.Is(err, intake.ErrNotTaken), errors.Is(err, view.ErrBehind), errors.Is(err, view.ErrAway):
		return newProblem(unavailable, "try again in a few seconds: that is safe")
	}
	return newProblem(internal, "")
}

// repartitioned is the only reason for which an intake is blocked.
const repartitioned = "the number of partitions of the topics has changed: new orders are refused until an operator acts; those placed before stay"

func rejected(k kind, invalid []order.Invalid) *client.Problem {
	p := newProblem(k, "")
	for _, i := range invalid {
		p.Errors = append(p.Errors, client.FieldError(i))
	}
	return p
}

// unshipped goes by the reasons that a dead letter would have.
func unshipped(r *rates.Refused) *client.Problem {
	k := noRoute
	if r.Reason == failure.TooHeavy {
		k = tooHeavy
	}
	p := newProblem(k, "")
	p.Errors = []client.FieldError{{Pointer: r.Pointer, Detail: r.Detail}}
	return p
}

// ofRouter translates what echo itself answers: no such route, or none for the method.
func ofRouter(h *echo.HTTPError) *client.Problem {
	switch h.Code {
	case http.StatusNotFound:
		return newProblem(notFound, "see /docs for what there is")
	case http.StatusMethodNotAllowed:
		return newProblem(methodNotAllowed, "")
	}
	return newProblem(internal, "")
}
