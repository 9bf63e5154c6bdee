// Package intake accepts orders and refunds: it validates and prices them, gives them IDs, and
// appends them to the topic orders.
//
// An accepted order is durable: Place returns after Kafka has acknowledged its record. A client
// that disconnects changes nothing. If the acknowledgement does not arrive in time, the error is
// OutcomeUnknownError with the ID of the order.
//
// The log decides which of several orders with one idempotency key counts. The ID is derived from
// the key, so all records of a key are in one partition, and the first of them is the order,
// whichever instance of the API appended it. Place therefore waits until the view has applied the
// record that it appended, and compares it with the order in the view. Refund works in the same
// way: of several refunds of an order with the same number, the first record counts.
//
// An order without a key may be in any partition. Under load those that arrive together share one, and a batch.
package intake

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// Config is the configuration of an intake.
type Config struct {
	Topic       string        // orders
	Incarnation string        // of the topic, from kafka.Check
	Partitions  int           // of the topic, from kafka.Check
	Secret      []byte        // key that order IDs are derived with; the same for all instances of the API
	Deadline    time.Duration // limit of Place and Refund; zero is DefaultDeadline
	Promise     time.Duration // maximum age of the oldest order that no worker has begun, before new orders are refused; zero is no maximum
	PerHour     int           // maximum number of orders per hour for one e-mail address; zero is no maximum
	VATIDs      VATIDs        // or nil: VAT IDs are not checked
	Closed      bool          // no new orders are placed, because the prefix has moved; refunds are
}

// VATIDs knows whether VAT IDs are in use. It is safe for concurrent use.
type VATIDs interface {
	// Check says whether the VAT ID of a buyer is in use, within two seconds. Nil means that it need not be known.
	Check(ctx context.Context, buyer order.Customer) *order.VATCheck
}

// DefaultDeadline leaves the producer its delivery timeout, and the view some time to apply the
// record. A check of VAT IDs adds two seconds.
const DefaultDeadline = kafka.DeliveryTimeout + 3*time.Second

// Intake accepts orders and refunds. It is safe for concurrent use.
type Intake struct {
	producer   *Producer
	view       *view.View
	checks     []Check
	cfg        Config
	blocked    atomic.Pointer[error] // see Block
	recipients recipients
	turns      turns
	vatChecks  map[string]*atomic.Int64 // by result; immutable
}

// Check completes an order that is about to be placed, such as with the prices of the catalogue, and
// returns its faults.
type Check func(*order.Order) []order.Invalid

// New returns an intake that makes all checks with each order, one after the other.
func New(p *Producer, v *view.View, cfg Config, checks ...Check) *Intake {
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
		if cfg.VATIDs != nil {
			cfg.Deadline += 2 * time.Second
		}
	}
	return &Intake{
		producer: p, view: v, checks: checks, cfg: cfg, recipients: recipients{perHour: cfg.PerHour},
		vatChecks: map[string]*atomic.Int64{order.VATValid: {}, order.VATInvalid: {}, order.VATNotChecked: {}},
	}
}

// Block makes Place and Refund refuse new orders with ErrBlocked from now on. Repeats of placed
// orders are answered as before.
func (in *Intake) Block(reason error) { in.blocked.Store(&reason) }

// Blocked is the reason that Block was called with, or nil.
func (in *Intake) Blocked() error {
	if reason := in.blocked.Load(); reason != nil {
		return *reason
	}
	return nil
}

// Placed is an order or a refund that Place or Refund has placed, now or before.
type Placed struct {
	order.State
	Replayed bool // an earlier request with the same key placed it
}

// Place places an order of the principal of ctx, sets its ID and time, and returns its state: the
// new one, or the current one if key and body are those of an earlier order of the principal. With an
// empty key every call places a new order. The order of a guest has a link token instead of an
// owner. found are faults that the caller found while it decoded the order; they are rejected
// together with those that Place finds.
//
// Errors are RejectedError, KeyReusedError, OutcomeUnknownError, RecipientLimitError, ErrNotPlaced,
// ErrBlocked, ErrClosed, ErrBackpressure and view.ErrBehind. Any other is a bug; then nothing was appended.
func (in *Intake) Place(ctx context.Context, o order.Order, key string, found ...order.Invalid) (Placed, error) {
	if err := in.check(&o, found, o.Validate()); err != nil {
		return Placed{}, err
	}
	by := identity.From(ctx)
	o.ID, o.PlacedAt = in.newID(by, key), time.Now().UTC().Truncate(time.Millisecond)
	o.Owner, o.LinkToken, o.Cause.Actor = by.Actor(), "", by.Actor()
	if by.Guest() {
		o.LinkToken = in.newLinkToken()
	}

	// Ignore a disconnecting client: its order may be half placed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.Deadline)
	defer cancel()
	if key == "" {
		r, err := in.append(ctx, &o)
		if err != nil {
			return Placed{}, err
		}
		return Placed{State: o.Begin(in.origin(r))}, nil
	}
	if err := in.awaitView(ctx); err != nil {
		return Placed{}, err
	}
	first, err := in.findOrAppend(ctx, o)
	if err != nil {
		return Placed{}, err
	}
	if first.BodyHash != o.BodyHash() {
		return Placed{}, &KeyReusedError{key, "order"}
	}
	return first, nil
}

// Basket validates and prices an order for a quote, like Place. Customer, street and city may be
// missing or invalid. Its only error is RejectedError.
func (in *Intake) Basket(o order.Order, found ...order.Invalid) (order.Order, error) {
	faults := slices.DeleteFunc(o.Validate(), func(w order.Invalid) bool {
		return strings.HasPrefix(w.Pointer, "/customer/") || w.Pointer == "/ship_to/line1" || w.Pointer == "/ship_to/city"
	})
	err := in.check(&o, found, faults)
	return o, err
}

// check completes an order, and rejects it if there are any faults. Of several faults of one field it
// reports the first: that of decoding, then of validation, then of the checks.
func (in *Intake) check(o *order.Order, decoding, validation []order.Invalid) error {
	all := slices.Concat(decoding, validation)
	for _, check := range in.checks {
		all = append(all, check(o)...)
	}
	var faults []order.Invalid
	for _, f := range all {
		if !slices.ContainsFunc(faults, func(first order.Invalid) bool { return first.Pointer == f.Pointer }) {
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		return &RejectedError{Invalid: faults}
	}
	return nil
}
