package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// attempt is a worker's attempt at one record.
type attempt struct {
	letter dlq.Letter // what a letter would hold: the bytes that came, and what earlier attempts left
	work   *order.State
	replay int  // number of the replay that sent it, or 0
	done   bool // there is nothing to do

	intent order.Status // the last intent that this attempt or its predecessor stated
	adopt  *time.Time   // when a predecessor announced an invoice that it may have kept; or nil
	step   order.Step   // that failed last
	failed time.Time    // first failure of this attempt
}

// open reads a record and asks the ledger whether there is anything to do, and from where.
func (p *Pipeline) open(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	a := p.read(l, r)
	if a.done {
		return a, nil
	}
	o, err := placed(&a.letter)
	if errors.Is(err, wire.ErrUndecodable) {
		a.done = true
		return a, p.undecodable(ctx, l, a, err)
	}
	if err != nil {
		return a, err
	}
	standing, begun := l.Standing(o.ID)
	if a.replay == 0 {
		standing, begun = l.Known(r)
	}
	if !begun {
		a.begin(o)
		return a, nil
	}
	if standing.Origin != a.letter.Origin.Offset {
		a.done = true
		return a, l.Void(ctx, a.letter.Origin, failure.Duplicate)
	}
	if a.replay == 0 && standing.Status.Final() {
		a.done = true
		return a, nil
	}
	err = p.resume(ctx, l, a, o.ID)
	if errors.Is(err, kafka.ErrGone) {
		// Somebody has deleted records. Its number and its origin are the same again, and one order must not hold up the others.
		p.log.LogAttrs(ctx, slog.LevelError, "order begun anew: its state is gone", slog.String(telemetry.Order, string(o.ID)), slog.Any(telemetry.Error, err))
		a.begin(o)
		return a, nil
	}
	return a, err
}

// begin takes an order as the record has it.
func (a *attempt) begin(o order.Order) {
	a.work = new(o.Begin(a.letter.Origin))
	a.work.Progress, a.work.Replays = a.letter.Progress, a.replay
}

// placed reads the order. Kafka limits the size of what it stores, compressed: what is larger than an order may be would
// not fit where the workers write about it.
func placed(letter *dlq.Letter) (order.Order, error) {
	if n := len(letter.Value); n > topic.MaxOrder {
		return order.Order{}, fmt.Errorf("%w: %d bytes", wire.ErrUndecodable, n)
	}
	return letter.Order()
}

// read makes an attempt of a record: of an order as it was placed, or of a letter that was sent back.
func (p *Pipeline) read(l *ledger.Ledger, r *kgo.Record) *attempt {
	if r.Topic != p.topics.Replay {
		return &attempt{letter: dlq.Letter{
			Key: r.Key, Value: r.Value, Headers: r.Headers, Topic: r.Topic, Origin: l.Origin(r.Offset), Group: p.group,
		}}
	}
	letter, err := dlq.Read(r)
	if err == nil && (letter.Topic != p.topics.Orders || letter.Origin.Partition != r.Partition || letter.Replays < 1) {
		err = fmt.Errorf("%w: origin %s of %.100q, replay %d", dlq.ErrForeign, letter.Origin, letter.Topic, letter.Replays)
	}
	if err != nil {
		// Nobody can say what it is: there is nothing to bury, and no order waits for it.
		p.log.Warn("replay ignored", telemetry.Partition, r.Partition, telemetry.Offset, r.Offset, telemetry.Error, err)
		return &attempt{done: true}
	}
	letter.Origin = l.Origin(letter.Origin.Offset)
	return &attempt{letter: letter, replay: letter.Replays}
}

// resume takes up an order where its last state left it.
func (p *Pipeline) resume(ctx context.Context, l *ledger.Ledger, a *attempt, id order.ID) error {
	s, since, err := l.State(ctx, id)
	if err != nil {
		return fmt.Errorf("resuming %s: %w", id, err)
	}
	a.work = &s
	if a.replay > s.Replays && s.Status == order.Dead && a.letter.Rev >= died(s) {
		a.work.Replays = a.replay
		return nil
	}
	if s.Status.Final() {
		a.done = true
		return p.answer(ctx, l, a)
	}
	// A replay finds its order in progress when a worker stopped between letter and state: what becomes of the order is
	// the replay's answer.
	a.replay, a.intent = max(a.replay, s.Replays), s.Status
	a.work.Replays = a.replay
	if i := s.Progress.Invoice; i != nil && i.Kept == nil {
		a.adopt = &since
	}
	return nil
}

// died is the revision at which an order became dead. Who sends its letter back must have seen it; a conflict that was
// answered since changes nothing.
func died(s order.State) int64 {
	for _, c := range slices.Backward(s.Timeline) {
		if c.Status == order.Dead && c.Reason != conflict {
			return c.Rev
		}
	}
	return 0
}

// answer says of a replay that there is nothing to do: the order has moved on since the operator looked at it. A
// replay that has its answer gets no second one.
func (p *Pipeline) answer(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	w := a.work
	answered := func(c order.Change) bool { return c.Replay == a.replay }
	if a.replay == 0 || slices.ContainsFunc(w.Timeline, answered) {
		return nil
	}
	reason := alreadyDone
	if w.Status == order.Dead {
		reason = conflict
	}
	return l.Write(ctx, w, order.Change{Status: w.Status, Reason: reason, Replay: a.replay})
}

// What a replay without effect is told.
const (
	alreadyDone = "already-done" // the order is finished
	conflict    = "conflict"     // the letter is not the newest of its order
)
