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

// New returns a desk. The client is one of kafka.Config.ConnectProducer.
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

// request is the next replay of a dead letter. What the dead letter's record does not hold, because
// it is gone or was too large to be written whole, is taken from the order.
func (d *Desk) request(ctx context.Context, shown view.DeadLetter) (wire.ReplayRequest, error) {
	l, err := d.read(ctx, shown)
	if lost := errors.Is(err, ErrLost); (lost || err == nil && len(l.Value) == 0) && shown.Order != "" {
		var s order.State
		if s, err = d.view.Order(ctx, shown.Order); lost {
			l = shown.DeadLetter
		}
		r := wire.Order(s.Order)
		l.Key, l.Value, l.Headers, l.Progress = r.Key, r.Value, r.Headers, s.Progress
	}
	if err != nil {
		return wire.ReplayRequest{}, err
	}
	return wire.ReplayRequest{
		Source: l.Source, Placed: l.Cause, At: time.Now(), Number: l.Replays + 1,
		// The worker compares the revision that the operator saw, and finds the state at its offset if it has forgotten the
		// order. The view may show the dead letter before the state that goes with it.
		Rev: max(l.Rev, shown.OrderRev), StateAt: shown.OrderAt,
		Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress,
	}, nil
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
	if err := d.view.Held(shown.Origin.Partition); err != nil {
		return 0, err
	}
	if shown.State != view.Open && shown.State != view.Lost {
		return 0, fmt.Errorf("dead letter %s, order %s is %s: %w", id, shown.Order, shown.OrderStatus, ErrClosed)
	}
	request, err := d.request(ctx, shown)
	if err != nil {
		return 0, err
	}
	if err := d.ask(ctx, request.Origin.Partition, request.Record()); err != nil {
		return 0, fmt.Errorf("requesting a replay of dead letter %s: %w", id, err)
	}
	return request.Number, nil
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
	if err := d.view.Held(s.Origin.Partition); err != nil {
		return order.State{}, err
	}
	if s.Status != order.Accepted {
		return order.State{}, fmt.Errorf("order %s is %s: %w", id, s.Status, ErrBegun)
	}
	request := wire.CancelRequest{Order: id, Origin: s.Origin, At: time.Now()}
	if err := d.ask(ctx, s.Origin.Partition, request.Record()); err != nil {
		return order.State{}, fmt.Errorf("cancelling %s: %w", id, err)
	}
	return s, nil
}

// ask appends a request to the owner of a partition.
func (d *Desk) ask(ctx context.Context, partition int32, r *kgo.Record) error {
	if _, err := kafka.Append(ctx, d.cl, d.topics.Replay, partition, r); err != nil {
		return fmt.Errorf("%w: %w", view.ErrAway, err)
	}
	return nil
}
