// Package desk is where orders are dealt with that are placed: it shows an operator's dead letters
// with their bytes, sends one back to be worked on again, and has an order cancelled.
//
// What is asked for is a record on the topic for replays, in the partition number of the order, so
// it reaches the worker that owns the order, and reaches it at once: it does not stand behind those
// that wait to be begun. What comes of it is in the order's timeline. Asking twice is harmless: a
// dead letter itself stays where it is, the worker knows a replay by its dead letter and its
// number, and an order is cancelled once.
package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Desk deals with dead letters and orders. It is safe for concurrent use.
type Desk struct {
	cl     *kgo.Client
	topics topic.Set
	view   *view.View
}

// Connect returns the client that a desk appends with. The caller closes it.
func Connect(ctx context.Context, k kafka.Config) (*kgo.Client, error) {
	return k.Connect(ctx,
		// Everything goes to the partition number of its order.
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// By itself the client never gives up a record that was sent and not answered: it would write a replay at the end of
		// an outage, when its operator has long done something else.
		kgo.AllowIdempotentProduceCancellation(),
	)
}

// New returns a desk. The client is one of Connect.
func New(cl *kgo.Client, topics topic.Set, v *view.View) *Desk {
	return &Desk{cl, topics, v}
}

// Errors of what cannot be asked for any more.
var (
	ErrClosed = errors.New("the dead letter is not open any more")            // its order is being worked on again, or has ended otherwise
	ErrLost   = errors.New("the dead letter's record is gone from its topic") // deleted, or the topic was made again
	ErrBegun  = errors.New("work on the order has begun")
	ErrRefund = errors.New("it is a refund") // nobody cancels one: those that follow count on it
)

// deadline bounds whatever is asked: the reading of what it is about, and its writing.
const deadline = kafka.DeliveryTimeout - time.Second

// DeadLetter returns a dead letter with its key and value, the exact bytes of the record that
// failed. With ErrLost it returns what the view knows of a dead letter whose record is gone. It is
// view.ErrUnknown if there is no such dead letter.
func (d *Desk) DeadLetter(ctx context.Context, id string) (view.DeadLetter, error) {
	l, err := d.view.DeadLetter(ctx, id)
	if err != nil {
		return view.DeadLetter{}, err
	}
	read, err := d.read(ctx, l)
	if err == nil {
		l.DeadLetter = read
	}
	return l, err
}

// read reads a dead letter from its place in its topic, and compares it with what was asked for:
// another one can stand there when the topic was cut or made again. Else it is ErrLost.
func (d *Desk) read(ctx context.Context, l view.DeadLetter) (dlq.DeadLetter, error) {
	r, err := d.view.Record(ctx, d.topics.DLQ, l.Partition, l.Offset)
	if errors.Is(err, view.ErrGone) {
		err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	if err != nil {
		return dlq.DeadLetter{}, fmt.Errorf("reading dead letter %s: %w", l.ID(), err)
	}
	read, err := dlq.Read(r)
	if err != nil || read.Topic != l.Topic || read.Origin != l.Origin || !l.Of(read.Key) {
		return dlq.DeadLetter{}, fmt.Errorf("reading dead letter %s: %w: another record stands at its place", l.ID(), ErrLost)
	}
	return read, nil
}

// whole is a dead letter with all that a replay needs. What its record does not hold, because it is
// gone or was too large to be written whole, is taken from the order as it stands.
func (d *Desk) whole(ctx context.Context, shown view.DeadLetter) (dlq.DeadLetter, error) {
	l, err := d.read(ctx, shown)
	lost := errors.Is(err, ErrLost)
	if err != nil && !lost || err == nil && len(l.Value) > 0 || shown.Order == "" {
		return l, err
	}
	s, err := d.view.Order(ctx, shown.Order)
	if err != nil {
		return dlq.DeadLetter{}, err
	}
	if lost {
		l = shown.DeadLetter
	}
	r := wire.Order(s.Order)
	l.Key, l.Value, l.Headers, l.Progress = r.Key, r.Value, r.Headers, s.Progress
	return l, nil
}

// Replay sends a dead letter back to be worked on from the step that failed, and returns the number
// of the replay. A dead letter whose record is gone is made again of its order. It is
// view.ErrUnknown, ErrClosed or, without an order, ErrLost when there is nothing to send back, and
// view.ErrBehind when the view is too old to know that. With view.ErrAway the replay may have been
// sent; repeating it is harmless.
func (d *Desk) Replay(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := d.view.Fresh(ctx); err != nil {
		return 0, err
	}
	shown, err := d.view.DeadLetter(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := d.view.CheckPartition(shown.Origin.Partition); err != nil {
		return 0, err
	}
	if shown.State != view.Open && shown.State != view.Lost {
		return 0, fmt.Errorf("dead letter %s, order %s is %s: %w", id, shown.Order, shown.OrderStatus, ErrClosed)
	}
	l, err := d.whole(ctx, shown)
	if err != nil {
		return 0, err
	}
	l.Replays++
	// The worker goes by the rev that the operator saw, and finds the order at its place if it has forgotten it. The view
	// may show the dead letter before the state that goes with it.
	l.Rev, l.StateAt = max(l.Rev, shown.OrderRev), shown.OrderAt
	if err := d.ask(ctx, l.Record()); err != nil {
		return 0, fmt.Errorf("sending dead letter %s back: %w", id, err)
	}
	return l.Replays, nil
}

// Cancel asks for an order to be cancelled, and returns it as it stands. The worker cancels it if it comes across that
// before it begins the order, and else says in its timeline that it was too late. Of an order that is cancelled nothing is
// asked. It is view.ErrUnknown, ErrBegun or ErrRefund when there is nothing to cancel, and view.ErrBehind when the view is too old to
// know that. With view.ErrAway it may have been asked for; repeating it is harmless.
func (d *Desk) Cancel(ctx context.Context, id order.ID) (order.State, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := d.view.Fresh(ctx); err != nil {
		return order.State{}, err
	}
	s, err := d.view.Order(ctx, id)
	if err != nil || s.Status == order.Cancelled {
		return s, err
	}
	if s.Order.Refund != nil {
		return order.State{}, fmt.Errorf("order %s: %w", id, ErrRefund)
	}
	if err := d.view.CheckPartition(s.Origin.Partition); err != nil {
		return order.State{}, err
	}
	if s.Status != order.Accepted {
		return order.State{}, fmt.Errorf("order %s is %s: %w", id, s.Status, ErrBegun)
	}
	r := wire.Cancel(id, s.Origin, time.Now())
	r.Partition = s.Origin.Partition
	if err := d.ask(ctx, r); err != nil {
		return order.State{}, fmt.Errorf("cancelling %s: %w", id, err)
	}
	return s, nil
}

// ask appends what the owner of an order is asked for.
func (d *Desk) ask(ctx context.Context, r *kgo.Record) error {
	r.Topic = d.topics.Replay
	if err := d.cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("%w: %w", view.ErrAway, err)
	}
	return nil
}
