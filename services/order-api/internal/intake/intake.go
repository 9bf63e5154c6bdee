// Package intake takes orders: it checks and prices what a customer asks for, gives it an ID, and appends it to the topic orders.
//
// Accepted means durable: Place answers after Kafka has acknowledged the one record that it writes, and a customer who
// hangs up changes nothing. When the acknowledgement does not come in time nobody can know whether the order is placed:
// that is Unknown, with the ID to ask for.
//
// The log arbitrates idempotency. An order with a key has an ID made from the key, so all records of a key stand in one
// partition, and the first of them is the order, whichever instance of the API appended it. Place therefore waits until
// its own view has applied the record it wrote, and then compares with what the view holds. Refund does the same: of two
// refunds of an order with one number, the first record counts.
package intake

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Config are the settings of an intake.
type Config struct {
	Topic       string        // orders
	Incarnation string        // of the topic, as kafka.Check found it
	Partitions  int           // of the topic, as kafka.Check found them
	Secret      []byte        // makes the IDs of orders with a key; the same for all instances of the API
	Deadline    time.Duration // for one order; zero is DefaultDeadline
	Promise     time.Duration // how long an order may wait to be begun before new ones are refused; zero is for ever
	PerHour     int           // orders accepted for one e-mail address an hour; zero is no limit
}

// DefaultDeadline is by when every order is answered, whatever Kafka does: it leaves the producer its time, and the view some to follow.
const DefaultDeadline = kafka.DeliveryTimeout + 3*time.Second

// freshWithin is how long an order waits for a view that is too old, as it is just after a start.
const freshWithin = 2 * time.Second

// Intake takes orders. It is safe for concurrent use.
type Intake struct {
	producer *Producer
	view     *view.View
	price    func(*order.Order) []order.Invalid
	cfg      Config
	blocked  atomic.Pointer[error] // why no order is appended any more; or nil

	recipients recipients
}

// New returns an intake. price fills in what the catalogue knows about an order's lines and says what it does not know.
func New(p *Producer, v *view.View, price func(*order.Order) []order.Invalid, cfg Config) *Intake {
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
	}
	return &Intake{producer: p, view: v, price: price, cfg: cfg, recipients: recipients{perHour: cfg.PerHour}}
}

// Block has every new order and refund refused with ErrBlocked from now on. What is placed already is answered as before.
func (in *Intake) Block(reason error) { in.blocked.Store(&reason) }

// Blocked is the reason that was given to Block, or nil.
func (in *Intake) Blocked() error {
	if reason := in.blocked.Load(); reason != nil {
		return *reason
	}
	return nil
}

// Rejected is an order that cannot be taken as it is.
type Rejected struct{ Invalid []order.Invalid }

// Error names the first thing that is wrong.
func (r *Rejected) Error() string {
	return fmt.Sprintf("order rejected: %s %s", r.Invalid[0].Pointer, r.Invalid[0].Detail)
}

// KeyReused is an order, or a refund, under a key that was used for a different one.
type KeyReused struct {
	Key  string
	what string
}

// Error names the key.
func (k *KeyReused) Error() string {
	return fmt.Sprintf("idempotency key %s was used for a different %s", k.Key, k.what)
}

// Unknown is an order of which nobody can say whether it is placed.
type Unknown struct {
	ID  order.ID
	Err error
}

// Error names the order.
func (u *Unknown) Error() string { return fmt.Sprintf("placing %s: result unknown: %v", u.ID, u.Err) }

// Unwrap returns why it is not known.
func (u *Unknown) Unwrap() error { return u.Err }

// Errors of an order that is certainly not placed, for a reason that will pass: ErrBlocked only when an operator acts.
var (
	ErrBlocked  = errors.New("orders are refused until an operator acts")
	ErrNotTaken = errors.New("order not taken")
	ErrOverdue  = errors.New("orders placed before are not begun in time") // by more than Config.Promise; its text names the oldest
)

// Place takes an order, of which ID and time are not set yet, and returns its state: as just placed, or as it is by now
// when key and body are those of an earlier order. An empty key makes every call an order of its own. What was found wrong
// while reading the order is rejected together with what Place finds. Errors are Rejected, KeyReused, Unknown,
// CrowdedError, ErrNotTaken, ErrBlocked, ErrOverdue and view.ErrBehind; any other is a bug, and then nothing was appended.
func (in *Intake) Place(ctx context.Context, o order.Order, key string, found ...order.Invalid) (order.State, error) {
	if err := in.check(&o, found, o.Validate()); err != nil {
		return order.State{}, err
	}
	o.ID, o.PlacedAt = in.identify(key), time.Now().UTC().Truncate(time.Millisecond)

	// A client that hangs up must not leave an order half placed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.Deadline)
	defer cancel()
	if key == "" {
		r, err := in.append(ctx, o)
		if err != nil {
			return order.State{}, err
		}
		return o.Begin(order.Origin{Incarnation: in.cfg.Incarnation, Partition: r.Partition, Offset: r.Offset}), nil
	}
	return in.arbitrate(ctx, o, key)
}

// Basket returns an order as Place would price it, for somebody who only asks: customer and street may be missing or wrong.
// Its only error is Rejected.
func (in *Intake) Basket(o order.Order, found ...order.Invalid) (order.Order, error) {
	asked := slices.DeleteFunc(o.Validate(), func(w order.Invalid) bool {
		return strings.HasPrefix(w.Pointer, "/customer/") || w.Pointer == "/ship_to/line1" || w.Pointer == "/ship_to/city"
	})
	err := in.check(&o, found, asked)
	return o, err
}

// check prices an order. What its form has wrong goes before what it says.
func (in *Intake) check(o *order.Order, form, said []order.Invalid) error {
	if wrong := firstEach(slices.Concat(form, said, in.price(o))); len(wrong) > 0 {
		return &Rejected{wrong}
	}
	return nil
}

// arbitrate places an order under a key, unless the log holds one already.
func (in *Intake) arbitrate(ctx context.Context, o order.Order, key string) (order.State, error) {
	if err := in.fresh(ctx); err != nil {
		return order.State{}, err
	}
	held, err := in.settle(ctx, o)
	if err != nil {
		return order.State{}, err
	}
	if held.BodyHash != o.BodyHash() {
		return order.State{}, &KeyReused{key, "order"}
	}
	return held, nil
}

// fresh waits a moment for a view that can be trusted to see a repeat: the workers remember the orders of the last minutes only.
func (in *Intake) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, freshWithin)
	defer cancel()
	return in.view.Fresh(ctx)
}

// settle returns the order that the log holds under an ID. If the view knows none it appends this one; another may still have
// come before it.
func (in *Intake) settle(ctx context.Context, o order.Order) (order.State, error) {
	if held, err := in.view.Order(ctx, o.ID); !errors.Is(err, view.ErrUnknown) {
		return held, err
	}
	if err := in.view.Held(in.partition(o.ID)); err != nil {
		return order.State{}, err
	}
	r, err := in.append(ctx, o)
	if err != nil {
		return order.State{}, err
	}
	if err := in.view.Applied(ctx, r.Partition, r.Offset); err != nil {
		return order.State{}, &Unknown{o.ID, err}
	}
	s, err := in.view.Order(ctx, o.ID)
	if err != nil {
		return order.State{}, &Unknown{o.ID, err}
	}
	return s, nil
}

// partition is where the record of an order is put. It depends on the partitions that there were at the start, not on those
// that the client sees: view and workers follow no other.
func (in *Intake) partition(id order.ID) int32 { return in.layout().Partition([]byte(id)) }

func (in *Intake) layout() kafka.Layout { return kafka.Layout{Partitions: in.cfg.Partitions} }

// append writes the order's record and returns it with its partition and offset.
func (in *Intake) append(ctx context.Context, o order.Order) (*kgo.Record, error) {
	if err := in.overdue(); err != nil {
		return nil, err
	}
	if reason := in.Blocked(); reason != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlocked, reason)
	}
	r, err := in.record(o)
	if err != nil {
		return nil, err
	}
	if o.Refund == nil {
		if err := in.recipients.take(o.Customer.Email); err != nil {
			return nil, err
		}
	}
	if err := in.view.Leader(in.partition(o.ID)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	sent := in.producer.sent.Load()
	appended, err := kafka.Append(ctx, in.producer.cl, r.Topic, r.Partition, r)
	if err != nil && ctx.Err() != nil {
		return nil, &Unknown{o.ID, context.Cause(ctx)}
	}
	return appended, verdict(o.ID, err, in.producer.sent.Load() == sent)
}

// overdue is ErrOverdue while the oldest order that is still to be begun is older than the promise.
func (in *Intake) overdue() error {
	oldest := in.view.Health().Oldest
	age := time.Since(oldest.Placed)
	if in.cfg.Promise == 0 || oldest.Placed.IsZero() || age <= in.cfg.Promise {
		return nil
	}
	return fmt.Errorf("%w: order %s, partition %d offset %d of %s, has waited for %s: see whether a worker works on that partition",
		ErrOverdue, oldest.Order, oldest.Origin.Partition, oldest.Origin.Offset, in.cfg.Topic, age.Round(time.Second))
}

// record is what will be appended for an order, read as view and workers will read it: what they would not take for this
// order must not be acknowledged, and repeats would append it again and again.
func (in *Intake) record(o order.Order) (*kgo.Record, error) {
	r := wire.Order(o)
	r.Topic = in.cfg.Topic
	in.layout().Place(r)
	read, err := wire.ReadOrder(r)
	read.Source = nil
	if err == nil && !reflect.DeepEqual(read, o) {
		err = errors.New("it reads as another order")
	}
	if err != nil {
		return nil, fmt.Errorf("checking the record of order %s: %w", o.ID, err)
	}
	return r, nil
}

// verdict says what an error of the producer means for the order. It is silent when nothing has been sent to any broker since
// the producer got the record, as when none can be reached.
func verdict(id order.ID, err error, silent bool) error {
	if err == nil {
		return nil
	}
	refused, ok := errors.AsType[*kerr.Error](err)
	if silent || errors.Is(err, kgo.ErrMaxBuffered) || ok && !refused.Retriable || errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	// A record that timed out may have been written by an attempt whose answer was lost.
	return &Unknown{id, err}
}

// identify makes the ID of an order. One without a key may stand in any partition: it gets one that can be written and read, if a
// few dozen tries find any.
func (in *Intake) identify(key string) order.ID {
	id := in.mint(key)
	for range 64 {
		if key != "" || in.view.Held(in.partition(id)) == nil {
			break
		}
		id = in.mint(key)
	}
	return id
}

// mint makes an ID that cannot be guessed. Until there is sign-in the principal that it is made for is empty.
func (in *Intake) mint(key string) order.ID {
	return order.ID("ord_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(in.token("", key))))
}

// token makes 16 bytes that cannot be guessed: from the key, so that a repeat has the same of one scope, or at random. There
// is no zero byte in a key.
func (in *Intake) token(scope, key string) []byte {
	token := make([]byte, 16)
	if key == "" {
		rand.Read(token) // never fails: crypto/rand ends the process instead
	} else {
		mac := hmac.New(sha256.New, in.cfg.Secret)
		mac.Write([]byte(scope + "\x00" + key))
		copy(token, mac.Sum(nil))
	}
	return token
}

// firstEach keeps what was said first about each field.
func firstEach(wrong []order.Invalid) []order.Invalid {
	said := map[string]bool{}
	var first []order.Invalid
	for _, w := range wrong {
		if !said[w.Pointer] {
			first = append(first, w)
		}
		said[w.Pointer] = true
	}
	return first
}
