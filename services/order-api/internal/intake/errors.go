package intake

import (
	"errors"
	"fmt"
	"time"

	"example.com/orders/shared/order"
)

// RejectedError is an invalid order or refund. Nothing was appended.
type RejectedError struct {
	Invalid []order.Invalid // at least one
	Refund  bool            // the rejected request is a refund
}

// Error names the first fault.
func (r *RejectedError) Error() string {
	return fmt.Sprintf("rejected: %s %s", r.Invalid[0].Pointer, r.Invalid[0].Detail)
}

// KeyReusedError is an idempotency key that was used for another order or refund. Nothing new was
// placed.
type KeyReusedError struct {
	Key  string
	what string // order or refund
}

// Error names the key.
func (k *KeyReusedError) Error() string {
	return fmt.Sprintf("idempotency key %s was used for a different %s", k.Key, k.what)
}

// OutcomeUnknownError is an order or refund that may be placed or not.
type OutcomeUnknownError struct {
	ID  order.ID
	Err error // why the outcome is unknown
}

// Error names the order.
func (u *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("placing %s: outcome unknown: %v", u.ID, u.Err)
}

// Unwrap returns the cause.
func (u *OutcomeUnknownError) Unwrap() error { return u.Err }

// RecipientLimitError is an order for an e-mail address that has reached Config.PerHour. The order
// is not placed.
type RecipientLimitError struct {
	PerHour int
	Wait    time.Duration // until the next order is accepted
}

// Error does not name the address: logs contain no personal data.
func (r *RecipientLimitError) Error() string {
	return fmt.Sprintf("more than %d orders an hour for one e-mail address", r.PerHour)
}

// Errors of an order or refund that is certainly not placed. All but ErrBlocked and ErrClosed are temporary.
var (
	ErrBlocked      = errors.New("new orders are refused until an operator acts")
	ErrClosed       = errors.New("new orders are placed at another prefix") // see Config.Closed
	ErrNotPlaced    = errors.New("order not placed")
	ErrBackpressure = errors.New("orders placed before are not begun in time") // see Config.Promise; the wrapping error names the oldest
)

// Errors of a refund that cannot be placed, whatever is to be refunded.
var (
	ErrNotInvoiced = errors.New("the order has no issued invoice")
	ErrRefund      = errors.New("the order is a refund itself")
	ErrConflict    = errors.New("the number of the refund is taken") // by other refunds in all tries, or by a record that is no refund
)
