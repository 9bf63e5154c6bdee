package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/order"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// Errors of payments that are refused.
var (
	ErrPaymentConflict = errors.New("another payment of the order has this reference")
	ErrPayments        = fmt.Errorf("the order has %d payments, which is the maximum", order.MaxPayments)
	ErrRefundPaid      = errors.New("a refund cannot be paid")
	ErrPaidBack        = errors.New("more would be paid back than was received")
)

// Pay requests that a worker records a payment for an order, whatever its status is, and returns the
// order. A payment that is recorded already is returned without a request. The payment must be valid.
//
// It is view.ErrUnknown, ErrPaymentConflict, ErrPayments, ErrPaidBack or ErrRefundPaid if it is refused, and
// view.ErrBehind if the view is too old to know. With view.ErrAway the payment may have been requested:
// repeating it is safe. If two payments with one reference are requested at the same time, the worker
// records the first, and the timeline gets the reason that the other was refused.
func (d *Desk) Pay(ctx context.Context, id order.ID, p order.Payment) (s order.State, known bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := d.view.Fresh(ctx); err != nil {
		return s, false, err
	}
	s, at, err := d.view.Newest(ctx, id)
	if err == nil {
		err = d.view.CheckPartition(s.Origin.Partition)
	}
	if err != nil {
		return s, false, err
	}
	if known, err = Recorded(s, p); known || err != nil {
		return s, known, err
	}
	tracing.About(ctx, string(id), s.Order.Cause.Trace)
	request := wire.PaymentRequest{
		Order: id, Origin: s.Origin, StateAt: at, Payment: p, Cause: identity.Cause(ctx), At: time.Now(),
	}
	if err := d.request(ctx, s.Origin.Partition, request.Record()); err != nil {
		return s, false, fmt.Errorf("recording a payment of %s: %w", id, err)
	}
	return s, false, nil
}

// Recorded reports whether an order has a payment. It is ErrPaymentConflict, ErrPayments, ErrPaidBack or
// ErrRefundPaid if the order cannot have it.
func Recorded(s order.State, p order.Payment) (known bool, err error) {
	reason := s.Receive(p)
	switch {
	case reason != order.PaymentRefused:
		return reason == "", nil
	case s.Order.Refund != nil:
		err = ErrRefundPaid
	case slices.ContainsFunc(s.Payments, func(known order.Payment) bool { return known.Reference == p.Reference }):
		err = ErrPaymentConflict
	case len(s.Payments) < order.MaxPayments:
		err = ErrPaidBack
	default:
		err = ErrPayments
	}
	return false, fmt.Errorf("order %s: %w", s.Order.ID, err)
}
