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
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/pdfa"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
)

// kind is a kind of problem. Its name, the last segment of the type, is part of the contract and
// never changes.
type kind struct {
	name   string
	status int
	title  string
}

// Every kind of problem, except those of package serve.
var (
	malformed         = kind{"malformed", http.StatusBadRequest, "Unreadable request body"}
	badParameter      = kind{"bad-parameter", http.StatusBadRequest, "Invalid parameter"}
	unauthenticated   = kind{"unauthenticated", http.StatusUnauthorized, "Sign-in required"}
	forbidden         = kind{"forbidden", http.StatusForbidden, "Permission required"}
	notFound          = kind{"not-found", http.StatusNotFound, "Not found"}
	unknownOrder      = kind{"unknown-order", http.StatusNotFound, "Order not found"}
	unknownDeadLetter = kind{"unknown-dead-letter", http.StatusNotFound, "Dead letter not found"}
	notIssued         = kind{"invoice-not-issued", http.StatusNotFound, "Invoice not issued yet"}
	noXML             = kind{"invoice-without-xml", http.StatusNotFound, "Invoice without XML"}
	unknownGroup      = kind{"unknown-group", http.StatusNotFound, "Cause not found"}
	unknownReplay     = kind{"unknown-replay", http.StatusNotFound, "Replay job not found"}
	signInInvalid     = kind{"sign-in-invalid", http.StatusBadRequest, "Sign-in cannot be continued"}
	signInRefused     = kind{"sign-in-refused", http.StatusForbidden, "Sign-in refused"}
	methodNotAllowed  = kind{"method-not-allowed", http.StatusMethodNotAllowed, "Method not allowed"}
	deadLetterClosed  = kind{"dead-letter-closed", http.StatusConflict, "Dead letter already closed"}
	noTarget          = kind{"no-target-topic", http.StatusConflict, "No topic to replay to"}
	deadLetterParked  = kind{"dead-letter-parked", http.StatusConflict, "Dead letter parked"}
	discarded         = kind{"dead-letter-discarded", http.StatusConflict, "Dead letter discarded"}
	notDiscarded      = kind{"not-discarded", http.StatusConflict, "Dead letter not discarded"}
	editConflict      = kind{"edit-conflict", http.StatusConflict, "Not the newest version"}
	lockedFields      = kind{"locked", http.StatusConflict, "Locked by the invoice"}
	notEditable       = kind{"not-editable", http.StatusConflict, "Dead letter cannot be edited"}
	replayEnded       = kind{"replay-ended", http.StatusConflict, "Replay job ended"}
	orderBegun        = kind{"order-begun", http.StatusConflict, "Order already begun"}
	notInvoiced       = kind{"not-invoiced", http.StatusConflict, "Order not invoiced"}
	isRefund          = kind{"is-refund", http.StatusConflict, "Order is a refund"}
	paymentConflict   = kind{"payment-conflict", http.StatusConflict, "Payment conflicts with another"}
	refundConflict    = kind{"refund-conflict", http.StatusConflict, "Conflicting refunds"}
	deadLetterGone    = kind{"dead-letter-gone", http.StatusGone, "Dead letter record deleted"}
	invoiceGone       = kind{"invoice-gone", http.StatusGone, "Invoice deleted"}
	unsupportedType   = kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "Unsupported media type"}
	failedCondition   = kind{"precondition-failed", http.StatusPreconditionFailed, "Precondition failed"}
	wrongRange        = kind{"range-not-satisfiable", http.StatusRequestedRangeNotSatisfiable, "Range not satisfiable"}
	invalidOrder      = kind{"invalid-order", http.StatusUnprocessableEntity, "Invalid order"}
	invalidRefund     = kind{"invalid-refund", http.StatusUnprocessableEntity, "Invalid refund"}
	invalidPayment    = kind{"invalid-payment", http.StatusUnprocessableEntity, "Invalid payment"}
	invalidReason     = kind{"invalid-reason", http.StatusUnprocessableEntity, "Invalid reason"}
	invalidEdit       = kind{"invalid-edit", http.StatusUnprocessableEntity, "Invalid edit"}
	invalidNote       = kind{"invalid-note", http.StatusUnprocessableEntity, "Invalid note"}
	invalidAssignment = kind{"invalid-assignment", http.StatusUnprocessableEntity, "Invalid assignment"}
	invalidSelection  = kind{"invalid-selection", http.StatusUnprocessableEntity, "Invalid selection"}
	emptySelection    = kind{"empty-selection", http.StatusUnprocessableEntity, "Nothing selected"}
	invalidPatch      = kind{"invalid-patch", http.StatusUnprocessableEntity, "Invalid JSON Patch"}
	invalidReplay     = kind{"invalid-replay", http.StatusUnprocessableEntity, "Invalid replay job"}
	invalidImport     = kind{"invalid-import", http.StatusUnprocessableEntity, "Invalid decision"}
	tooMany           = kind{"too-many", http.StatusUnprocessableEntity, "Too many dead letters"}
	keyReused         = kind{"idempotency-key-reused", http.StatusUnprocessableEntity, "Idempotency key already used"}
	noRoute           = kind{"no-route", http.StatusUnprocessableEntity, "No shipping service for this address"}
	tooHeavy          = kind{"too-heavy", http.StatusUnprocessableEntity, "Too heavy or too large to ship"}
	backpressure      = kind{"backpressure", http.StatusTooManyRequests, "New orders temporarily refused"}
	rateLimit         = kind{"rate-limit", http.StatusTooManyRequests, "Too many requests"}
	recipientLimit    = kind{"recipient-limit", http.StatusTooManyRequests, "Too many orders for one e-mail address"}
	busy              = kind{"busy", http.StatusServiceUnavailable, "Too many concurrent list requests"}
	closed            = kind{"closed", http.StatusServiceUnavailable, "New orders are placed elsewhere"}
	internal          = kind{"internal", http.StatusInternalServerError, "Internal server error"}
	unavailable       = kind{"unavailable", http.StatusServiceUnavailable, "Temporarily unavailable"}
	outcomeUnknown    = kind{"outcome-unknown", http.StatusGatewayTimeout, "Outcome unknown"}
)

func newProblem(k kind, detail string) *client.Problem {
	return &client.Problem{Type: "/problems/" + k.name, Title: k.title, Status: k.status, Detail: detail}
}

// repartitioned is the detail of a request that is refused because the partition count changed.
const repartitioned = "the number of partitions of the topics has changed: new orders are refused until an operator acts; " +
	"orders that are placed already are not affected"

// sentinels maps errors without data to problems. The first match counts: desk.ErrUnknown wraps
// view.ErrUnknown, and intake.ErrNotPlaced wraps view.ErrNoLeader.
var sentinels = []struct {
	err    error
	kind   kind
	detail string
}{
	{session.ErrReturn, badParameter, "return must be a path of this program, such as /orders"},
	{oidc.ErrAttempt, signInInvalid, "the answer of the sign-in service belongs to no sign-in that this browser began within 10 minutes: begin again at /sign-in"},
	{oidc.ErrRefused, signInRefused, "the sign-in service refused the sign-in"},
	{oidc.ErrNoRole, signInRefused, "your account has no role in this application: ask an administrator for one"},
	{identity.ErrUnavailable, unavailable, "the sign-in service cannot be reached: try again later; those who are signed in are not affected"},
	{errSignIn, unauthenticated, "send an API key or a token in the header Authorization"},
	{identity.ErrCredentials, unauthenticated, "the credentials are invalid, expired or revoked"},
	{view.ErrCursor, badParameter, "cursor is invalid: use the value of next from the previous page"},
	{desk.ErrUnknown, unknownDeadLetter, ""},
	{view.ErrUnknown, unknownOrder, ""},
	{view.ErrGone, invoiceGone, "its record was deleted from the topic of the invoices, or the topic was recreated"},
	{pdfa.ErrNone, noXML, "the invoice was issued as a PDF without XML"},
	{desk.ErrParked, deadLetterParked, "it was replayed 5 times without success: a replay needs override"},
	{desk.ErrDiscarded, discarded, "somebody has decided not to replay it: restore it first"},
	{desk.ErrNotDiscarded, notDiscarded, "only a discarded dead letter can be restored"},
	{desk.ErrUnknownGroup, unknownGroup, ""},
	{edit.ErrNotEditable, notEditable, "refunds and records that are no order cannot be edited"},
	{jobs.ErrUnknown, unknownReplay, ""},
	{jobs.ErrState, replayEnded, "the job has ended: start another one"},
	{jobs.ErrEmpty, emptySelection, "no dead letter that can be replayed is selected"},
	{desk.ErrClosed, deadLetterClosed, "its order is being processed again, or is final; or the record was sent to its topic"},
	{desk.ErrBegun, orderBegun, "a worker has begun the order: it cannot be cancelled any more"},
	{desk.ErrRefund, isRefund, "a refund cannot be cancelled"},
	{desk.ErrRefundPaid, isRefund, "a refund cannot be paid: pay the order that it refunds"},
	{desk.ErrPaymentConflict, paymentConflict, "the order has a payment with this reference and another amount or method"},
	{desk.ErrPaidBack, paymentConflict, "more would be paid back than the payments that are recorded: record what was received first"},
	{desk.ErrPayments, paymentConflict, fmt.Sprintf("the order has %d payments, and cannot have more", order.MaxPayments)},
	{intake.ErrRefund, isRefund, "a refund cannot be refunded"},
	{intake.ErrNotInvoiced, notInvoiced, "only an invoiced order can be refunded; an order that no worker has begun can be cancelled"},
	{intake.ErrConflict, refundConflict, "other refunds of the order were placed at the same time: check the refunds of the order, then try again"},
	{intake.ErrBackpressure, backpressure, "older orders have waited too long for a worker: new orders are accepted when workers have begun those"},
	{intake.ErrBlocked, unavailable, repartitioned},
	{intake.ErrClosed, closed, "new orders are placed at another API: repeat the request there, with the same key"},
	{errEarlier, unavailable, "the API that has earlier orders cannot be reached: repeat the request in a few seconds; repeating it is safe"},
	{trail.ErrUnwritten, unavailable, "the audit trail cannot be written, so nothing was done: repeat the request in a few seconds"},
	{view.ErrNoLeader, unavailable, "the Kafka partition of this order has no leader: try again later; orders in other partitions are accepted"},
	{view.ErrStore, unavailable, "the read model cannot be read, or is being rebuilt from Kafka: try again later; placed orders are not affected"},
	{intake.ErrNotPlaced, unavailable, retry},
	{view.ErrBehind, unavailable, retry},
	{view.ErrAway, unavailable, retry},
}

const retry = "Kafka cannot be reached, or the read model is out of date: repeat the request in a few seconds; repeating it is safe"

// toProblem maps an error to what the client may know about it. Unknown errors are bugs: the client
// learns nothing about them.
func toProblem(err error) *client.Problem {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*serve.Refusal](err); ok {
		return &client.Problem{Type: r.Type, Title: r.Title, Status: r.Status, Detail: r.Detail}
	}
	if h, ok := errors.AsType[*echo.HTTPError](err); ok {
		return routerProblem(h)
	}
	if f, ok := errors.AsType[*forbiddenError](err); ok {
		return newProblem(forbidden, fmt.Sprintf("%s; these roles have it: %s", f.Error(), f.roles()))
	}
	if r, ok := errors.AsType[*intake.RejectedError](err); ok {
		return rejectedProblem(r)
	}
	if r, ok := errors.AsType[*rates.Refused](err); ok {
		return shippingProblem(r)
	}
	if k, ok := errors.AsType[*intake.KeyReusedError](err); ok {
		return newProblem(keyReused, k.Error())
	}
	if r, ok := errors.AsType[*intake.RecipientLimitError](err); ok {
		return newProblem(recipientLimit, fmt.Sprintf("the order is not placed: at most %d orders an hour are accepted for one e-mail address", r.PerHour))
	}
	if u, ok := errors.AsType[*intake.OutcomeUnknownError](err); ok {
		p := newProblem(outcomeUnknown, "the order may be placed or not: repeat the request with the same Idempotency-Key, or ask for the order later")
		p.Order = string(u.ID)
		return p
	}
	if l, ok := errors.AsType[*desk.LostError](err); ok {
		return lostProblem(l)
	}
	if p := editProblem(err); p != nil {
		return p
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return newProblem(s.kind, s.detail)
		}
	}
	return newProblem(internal, "")
}

// routerProblem maps the errors of echo's router.
func routerProblem(h *echo.HTTPError) *client.Problem {
	switch h.Code {
	case http.StatusNotFound:
		return newProblem(notFound, "there is nothing at this address; the API is described at /docs")
	case http.StatusMethodNotAllowed:
		return newProblem(methodNotAllowed, "")
	}
	return newProblem(internal, "")
}

func rejectedProblem(r *intake.RejectedError) *client.Problem {
	k := invalidOrder
	if r.Refund {
		k = invalidRefund
	}
	return invalidProblem(k, r.Invalid)
}

func invalidProblem(k kind, faults []order.Invalid) *client.Problem {
	p := newProblem(k, "")
	p.Errors = each(faults, func(i order.Invalid) client.FieldError { return client.FieldError(i) })
	return p
}

// shippingProblem has the same reasons as the dead letter of such an order would have.
func shippingProblem(r *rates.Refused) *client.Problem {
	k := noRoute
	if r.Reason == failure.TooHeavy {
		k = tooHeavy
	}
	p := newProblem(k, "")
	p.Errors = []client.FieldError{{Pointer: r.Pointer, Detail: r.Detail}}
	return p
}

// editProblem maps the errors of edits, or is nil for any other.
func editProblem(err error) *client.Problem {
	if e, ok := errors.AsType[*edit.InvalidError](err); ok {
		return invalidProblem(invalidOrder, e.Faults)
	}
	if e, ok := errors.AsType[*edit.LockedError](err); ok {
		return invalidProblem(lockedFields, each(e.Pointers, func(at string) order.Invalid {
			return order.Invalid{Pointer: at, Detail: "is printed on the stored invoice"}
		}))
	}
	if e, ok := errors.AsType[*desk.ConflictError](err); ok {
		p := newProblem(editConflict, "the edited version is not the newest one: somebody may have edited it meanwhile; look at it again, and edit that")
		p.Version = e.Newest
		return p
	}
	return nil
}

func lostProblem(l *desk.LostError) *client.Problem {
	p := newProblem(deadLetterGone, "the record was deleted from the dead-letter topic, and there is no order to replay")
	if l.Order != "" {
		p.Detail = "the record was deleted from the dead-letter topic; a replay uses the current state of the order"
		p.Order = string(l.Order)
	}
	return p
}

// answerProblem is echo's error handler: it logs every error of a handler and sends its problem.
func (a *api) answerProblem(err error, c echo.Context) {
	p := toProblem(err)
	a.logRefused(c, p, err)
	if f, ok := errors.AsType[*forbiddenError](err); ok && a.Denied != nil {
		a.Denied(c.Request(), identity.From(c.Request().Context()), f.needed)
	}
	if c.Response().Committed {
		return
	}
	if p.Status == http.StatusUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	if after := retryAfter(p.Status, err); after > 0 && c.Response().Header().Get(echo.HeaderRetryAfter) == "" {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	if a.Web != nil && wantsPage(c.Request()) {
		if a.Web.Problem(c, p) == nil {
			return
		}
	}
	body, err := json.Marshal(p)
	if err == nil {
		err = c.Blob(p.Status, "application/problem+json", body)
	}
	if err != nil {
		a.Log.Debug("sending a problem failed", telemetry.Error, err)
	}
}

func (a *api) logRefused(c echo.Context, p *client.Problem, err error) {
	a.Log.LogAttrs(c.Request().Context(), a.level(c, p.Status), "request refused",
		slog.String(telemetry.Request, c.Response().Header().Get(echo.HeaderXRequestID)), slog.String(telemetry.Route, c.Path()),
		slog.Int(telemetry.Status, p.Status), slog.String(telemetry.Error, err.Error()))
}

// level is the log level of a refused request.
func (a *api) level(c echo.Context, status int) slog.Level {
	switch {
	case c.Request().Context().Err() != nil: // the client has disconnected
		return slog.LevelDebug
	case status == http.StatusInternalServerError:
		return slog.LevelError
	case status > http.StatusInternalServerError:
		return slog.LevelWarn
	case status == http.StatusTooManyRequests && a.tooMany.allow():
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// oncePerMinute limits a log line that every request could cause. The zero value allows the first.
type oncePerMinute struct{ last atomic.Int64 }

func (o *oncePerMinute) allow() bool {
	last, now := o.last.Load(), time.Now().UnixNano()
	return (last == 0 || now-last >= int64(time.Minute)) && o.last.CompareAndSwap(last, now)
}

// retryAfter is the value of Retry-After, or zero for no header.
func retryAfter(status int, err error) time.Duration {
	limit, ok := errors.AsType[*intake.RecipientLimitError](err)
	switch {
	case ok:
		return limit.Wait
	case status == http.StatusTooManyRequests: // a backlog takes its time
		return 30 * time.Second
	case status == http.StatusServiceUnavailable:
		return 2 * time.Second
	}
	return 0
}
