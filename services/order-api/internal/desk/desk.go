// Package desk is where an operator deals with letters: it shows one with its bytes, and sends one back to be worked on again.
//
// A replay is a record on the topic for replays, in the partition number of the letter's origin, so it reaches the
// worker that owns the order. The letter itself stays where it is. Sending a letter back twice is harmless: the worker
// knows a replay by its letter and its number.
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
	"example.com/orders/shared/topic"
)

// Desk deals with letters. It is safe for concurrent use.
type Desk struct {
	cl     *kgo.Client
	topics topic.Set
	view   *view.View
}

// Connect returns the client that a desk appends with. The caller closes it.
func Connect(ctx context.Context, k kafka.Config) (*kgo.Client, error) {
	return k.Connect(ctx,
		// Everything goes to the partition number of its letter.
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

// ErrClosed is returned by Replay for a letter that is dealt with: its order is being worked on again, or has ended otherwise.
var ErrClosed = errors.New("the letter is not open any more")

// deadline bounds a replay: the reading of the letter, and its writing.
const deadline = kafka.DeliveryTimeout - time.Second

// Letter returns a letter with its key and value, the exact bytes of the record that failed; or view.ErrUnknown.
func (d *Desk) Letter(ctx context.Context, id string) (view.Letter, error) {
	l, err := d.view.Letter(ctx, id)
	if err != nil {
		return view.Letter{}, err
	}
	l.Letter, err = d.read(ctx, l)
	return l, err
}

// read reads a letter from its topic.
func (d *Desk) read(ctx context.Context, l view.Letter) (dlq.Letter, error) {
	r, err := d.view.Record(ctx, d.topics.DLQ, l.Origin.Partition, l.Offset)
	if err != nil {
		return dlq.Letter{}, fmt.Errorf("reading letter %s: %w", l.ID(), err)
	}
	return dlq.Read(r)
}

// Replay sends a letter back to be worked on from the step that failed, and returns the number of the replay. It is view.ErrUnknown
// or ErrClosed when there is nothing to send back, and view.ErrBehind when the view is too old to know that. With view.ErrAway
// the replay may have been sent; repeating it is harmless.
func (d *Desk) Replay(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := d.view.Fresh(ctx); err != nil {
		return 0, err
	}
	shown, err := d.view.Letter(ctx, id)
	if err != nil {
		return 0, err
	}
	if shown.State != view.Open {
		return 0, fmt.Errorf("letter %s, order %s is %s: %w", id, shown.Order, shown.OrderStatus, ErrClosed)
	}
	l, err := d.read(ctx, shown)
	if err != nil {
		return 0, err
	}
	l.Replays++
	// The worker goes by the rev that the operator saw, and finds the order at its place if it has forgotten it. The view
	// may show the letter before the state that goes with it.
	l.Rev, l.StateAt = max(l.Rev, shown.OrderRev), shown.OrderAt
	r := l.Record()
	r.Topic = d.topics.Replay
	if err := d.cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return 0, fmt.Errorf("sending letter %s back: %w: %w", id, view.ErrAway, err)
	}
	return l.Replays, nil
}
