// Package desk is for operators and customers who act on placed orders: it shows dead letters with
// the records that failed, replays them, and cancels orders. Decisions edits, discards and restores
// dead letters, and writes notes.
//
// A replay or a cancellation is a request to the worker that owns the order: a record in the topic
// for replays, in the partition of the order. Workers read that topic without waiting for the
// backlog of orders. The result is in the timeline of the order. Repeating a request is harmless: a
// dead letter stays in its topic, workers deduplicate replays by dead letter and replay number, and
// an order is cancelled once.
package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// Desk acts on dead letters and orders. It is safe for concurrent use.
type Desk struct {
	cl     *kgo.Client
	topics topic.Set
	view   *view.View
}

// New returns a desk. The client is one of kafka.Config.ConnectProducer.
func New(cl *kgo.Client, topics topic.Set, v *view.View) *Desk {
	return &Desk{cl, topics, v}
}

// Errors of requests that are refused.
var (
	ErrUnknown = fmt.Errorf("dead letter: %w", view.ErrUnknown)
	ErrClosed  = errors.New("the dead letter is already closed") // its order is being processed again, or is final
	ErrParked  = errors.New("the dead letter is parked: it was replayed too often")
	// ErrDiscarded is a dead letter that must be restored first.
	ErrDiscarded = errors.New("the dead letter is discarded")
	ErrBegun     = errors.New("work on the order has begun")
	ErrRefund    = errors.New("a refund cannot be cancelled") // later refunds were computed with it
)

// LostError is a dead letter whose record is gone: it was deleted from its topic, or the topic was
// recreated. A dead letter of an order can still be replayed.
type LostError struct {
	Order order.ID // or empty: the failed record is no order
	err   error
}

// Error says why the record is gone.
func (l *LostError) Error() string {
	if l.err == nil {
		return "record of the dead letter is gone"
	}
	return "record of the dead letter is gone: " + l.err.Error()
}

// deadline limits each request: reading what it is about, and writing a record.
const deadline = kafka.DeliveryTimeout - time.Second

// Replay requests that a worker resumes the order of a dead letter at the step that failed, also if
// it is parked and override is true. It returns the number of the replay. Its errors are those of
// Requests, and view.ErrAway: then the replay may have been requested.
func (d *Desk) Replay(ctx context.Context, id string, override bool) (number int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	requests, err := d.Requests(ctx, []string{id}, override)
	if err == nil {
		err = requests[0].Err
	}
	if err != nil {
		return 0, err
	}
	q := requests[0]
	tracing.About(ctx, string(q.Shown.Order), q.Placed.Trace)
	if err := d.request(ctx, q.Origin.Partition, q.Record()); err != nil {
		return 0, fmt.Errorf("replaying dead letter %s: %w", id, err)
	}
	return q.Number, nil
}

// Request is the next replay of a dead letter, as it is sent to a worker, or why there is none.
type Request struct {
	wire.ReplayRequest
	Shown view.DeadLetter
	Err   error // or nil
}

// Requests returns the next replays of dead letters, in their sequence, and sends nothing. The
// principal of ctx asks for them. Each has the newest version of the order, if that was edited. If the
// record of the dead letter is gone, the replay uses the current state of the order. It blocks until
// Kafka has answered or ctx ends.
//
// The error of a request is ErrUnknown, ErrClosed, ErrDiscarded, ErrParked unless override is true or,
// without an order, LostError if there is nothing to replay, view.ErrBehind if the view is too old to
// know, and view.ErrAway if Kafka does not answer.
func (d *Desk) Requests(ctx context.Context, ids []string, override bool) ([]Request, error) {
	if err := d.view.Fresh(ctx); err != nil {
		return nil, err
	}
	known, err := d.view.DeadLettersByID(ctx, ids...)
	if err != nil {
		return nil, err
	}
	all, wanted := make([]Request, len(ids)), map[int32][]int64{}
	for i, id := range ids {
		if all[i].Shown, all[i].Err = d.replayable(known, id, override); all[i].Err == nil {
			l := &all[i].Shown
			wanted[l.Partition] = append(wanted[l.Partition], l.Offset)
		}
	}
	records := map[place]*kgo.Record{}
	if len(ids) > 1 { // else one that is gone would cost the time-out of all
		_ = d.view.Records(ctx, d.topics.DLQ, wanted, func(r *kgo.Record) { records[place{r.Partition, r.Offset}] = r })
	}
	for i := range all {
		if r := &all[i]; r.Err == nil {
			r.Err = d.fill(ctx, r, records[place{r.Shown.Partition, r.Shown.Offset}])
		}
	}
	return all, nil
}

// place is where a dead letter is in its topic.
type place struct {
	partition int32
	offset    int64
}

// fill makes the request of a dead letter that is shown. Its record is read, unless it was.
func (d *Desk) fill(ctx context.Context, r *Request, record *kgo.Record) error {
	l, err := d.complete(ctx, r.Shown, record)
	if err != nil {
		return err
	}
	r.ReplayRequest = wire.ReplayRequest{
		Source: l.Source, Cause: identity.Cause(ctx), Placed: l.Cause, At: time.Now(), Number: l.Replays + 1,
		// The worker compares the rev with that of the order, and reads the state at its offset if
		// it has forgotten the order. The view may show the dead letter before the state that
		// belongs to it.
		Rev: max(l.Rev, r.Shown.OrderRev), StateAt: r.Shown.OrderAt,
		Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress, Edit: l.Edit,
	}
	if e := r.Shown.Edit; e != nil {
		r.Value, r.Edit, r.EditedBy, r.EditReason = e.Value, e.Version, e.Cause, e.Text
	}
	return nil
}

// Cancel requests that a worker cancels an order that none has begun, or that is dead without an
// issued invoice, and returns the order. If a worker begins it first, the timeline gets the reason
// that the request was refused. A cancelled order is returned without a request. The dead letter of
// a cancelled order is closed.
//
// It is view.ErrUnknown, ErrBegun or ErrRefund if there is nothing to cancel, and view.ErrBehind if
// the view is too old to know. With view.ErrAway the cancellation may have been requested.
func (d *Desk) Cancel(ctx context.Context, id order.ID) (order.State, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	s, err := d.cancellable(ctx, id)
	if err != nil || s.Status == order.Cancelled {
		return s, err
	}
	tracing.About(ctx, string(id), s.Order.Cause.Trace)
	cancellation := wire.CancelRequest{Order: id, Origin: s.Origin, Cause: identity.Cause(ctx), At: time.Now()}
	if err := d.request(ctx, s.Origin.Partition, cancellation.Record()); err != nil {
		return order.State{}, fmt.Errorf("cancelling %s: %w", id, err)
	}
	return s, nil
}

// DeadLetter returns a dead letter with key and value of the record that failed. It is ErrUnknown
// if there is none, and LostError if its record is gone.
func (d *Desk) DeadLetter(ctx context.Context, id string) (view.DeadLetter, error) {
	l, err := d.find(ctx, id)
	if err != nil {
		return view.DeadLetter{}, err
	}
	l.DeadLetter, err = d.read(ctx, l)
	return l, err
}

// replayable returns one of the dead letters that are known, if it is open, or parked with override.
func (d *Desk) replayable(known map[string]view.DeadLetter, id string, override bool) (l view.DeadLetter, err error) {
	l, ok := known[id]
	if !ok {
		return l, fmt.Errorf("%s: %w", id, ErrUnknown)
	}
	if l.Foreign != "" { // jobs replay them, without a worker
		return l, fmt.Errorf("%s is of another program: %w", id, ErrUnknown)
	}
	if err := d.view.CheckPartition(l.Origin.Partition); err != nil {
		return l, err
	}
	switch parked := l.Replays >= view.ParkAfter && !override; {
	case l.State == view.Discarded:
		err = ErrDiscarded
	case l.State != view.Open && l.State != view.Lost && l.State != view.Parked:
		err = ErrClosed
	case parked:
		err = ErrParked
	}
	if err != nil {
		err = fmt.Errorf("dead letter %s, order %s is %s: %w", id, l.Order, l.OrderStatus, err)
	}
	return l, err
}

// cancellable returns an order that no worker has begun, that is parked or dead without an issued
// invoice, or that is cancelled already.
func (d *Desk) cancellable(ctx context.Context, id order.ID) (order.State, error) {
	if err := d.view.Fresh(ctx); err != nil {
		return order.State{}, err
	}
	s, err := d.view.Order(ctx, id)
	if err != nil || s.Status == order.Cancelled {
		return s, err
	}
	if s.Order.Refund != nil {
		return s, fmt.Errorf("order %s: %w", id, ErrRefund)
	}
	if err := d.view.CheckPartition(s.Origin.Partition); err != nil {
		return s, err
	}
	if s.Status != order.Accepted && (s.Progress.Issued() || !s.Status.Parked() && s.Status != order.Dead) {
		return s, fmt.Errorf("order %s is %s: %w", id, s.Status, ErrBegun)
	}
	return s, nil
}

// find returns what the view knows about a dead letter.
func (d *Desk) find(ctx context.Context, id string) (view.DeadLetter, error) {
	l, err := d.view.DeadLetter(ctx, id)
	if errors.Is(err, view.ErrUnknown) {
		return l, fmt.Errorf("%s: %w", id, ErrUnknown)
	}
	return l, err
}

// complete returns a dead letter with everything that a replay needs. What the record does not
// contain, because it is gone or was too large, is taken from the current state of the order.
func (d *Desk) complete(ctx context.Context, shown view.DeadLetter, record *kgo.Record) (l dlq.DeadLetter, err error) {
	if record != nil {
		l, err = compare(shown, record)
	} else {
		l, err = d.read(ctx, shown)
	}
	_, lost := errors.AsType[*LostError](err)
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
	l.Key, l.Value, l.Headers, l.Progress, l.Edit = r.Key, r.Value, r.Headers, s.Progress, s.Edit
	return l, nil
}

// read reads the record of a dead letter, and compares it with what the view knows: after the topic
// was truncated or recreated, another record can have its offset.
func (d *Desk) read(ctx context.Context, l view.DeadLetter) (dlq.DeadLetter, error) {
	r, err := d.view.Record(ctx, cmp.Or(l.Foreign, d.topics.DLQ), l.Partition, l.Offset)
	if errors.Is(err, view.ErrGone) {
		err = &LostError{l.Order, err}
	}
	if err != nil {
		return dlq.DeadLetter{}, fmt.Errorf("reading dead letter %s: %w", l.ID(), err)
	}
	if l.Foreign != "" {
		read := l.DeadLetter
		read.Key, read.Value, read.Headers = r.Key, r.Value, r.Headers
		return read, nil
	}
	return compare(l, r)
}

// compare returns what is in the record of a dead letter.
func compare(l view.DeadLetter, r *kgo.Record) (dlq.DeadLetter, error) {
	read, err := dlq.Read(r)
	if err != nil || read.Topic != l.Topic || read.Origin != l.Origin || !l.Of(read.Key) {
		return dlq.DeadLetter{}, fmt.Errorf("reading dead letter %s: %w", l.ID(), &LostError{l.Order, errors.New("another record has its offset")})
	}
	return read, nil
}

// request appends a request to the owner of a partition.
func (d *Desk) request(ctx context.Context, partition int32, r *kgo.Record) error {
	if _, err := kafka.Append(ctx, d.cl, d.topics.Replay, partition, r); err != nil {
		return fmt.Errorf("%w: %w", view.ErrAway, err)
	}
	return nil
}
