package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// open reads a record and decides whether there is something to do, and from where.
func (p *Pipeline) open(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	a, err := p.read(ctx, l, r)
	if err != nil || a.done {
		return a, err
	}
	o, err := p.placed(&a.deadLetter)
	if class, _ := failure.Of(err); err != nil && class == failure.Permanent {
		a.done = true
		if a.from == fromParked {
			p.ignore(r, err)
			return a, nil
		}
		return a, p.refuse(ctx, l, a, err)
	}
	if err != nil {
		return a, err
	}
	found, err := l.Find(ctx, ledger.Question{ID: o.ID, Origin: a.deadLetter.Origin.Offset, Seen: a.deadLetter.StateAt, By: r})
	if err != nil {
		return a, fmt.Errorf("finding order %s: %w", o.ID, err)
	}
	return a, p.decide(ctx, l, a, r, o, found)
}

// decide is the table of what to do:
//
//	order in the ledger    placed        parked    replayed
//	not begun              begin         nothing   begin
//	begun                  resume        resume    resume, or answer
//	settled                nothing       nothing   -
//	placed elsewhere       void number   ignore    ignore
//	erased                 nothing       ignore    ignore
//	lost                   begin         begin     begin
func (p *Pipeline) decide(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record, o order.Order, found ledger.Snapshot) error {
	a.done = true
	switch found.Standing {
	case ledger.Begun:
		a.done = false
		return p.resume(ctx, l, a, found.State)
	case ledger.Settled:
		return nil
	case ledger.Elsewhere:
		return p.duplicate(ctx, l, a, r, found)
	case ledger.Erased:
		if a.from != fromOrders {
			p.ignore(r, ledger.ErrErased)
		}
		return nil
	case ledger.Lost:
		// An operator has deleted records. The number and the origin will be the same again, and one
		// order must not block the others.
		p.cfg.Log.LogAttrs(ctx, slog.LevelError, "state of the order is lost: order started again", slog.String(telemetry.Order, string(o.ID)))
	case ledger.NotBegun:
		if a.from == fromParked {
			// The worker stopped between parking the order and writing its state. The record that placed
			// it is not finished, and is read again.
			return nil
		}
	}
	a.done = false
	a.work = new(o.Begin(a.deadLetter.Origin))
	a.work.Progress, a.work.Replays = a.deadLetter.Progress, a.replay
	return nil
}

// duplicate ends a record whose order was placed by another record. In the topic orders it repeats the
// order's key. No worker writes a dead letter with such an origin.
func (p *Pipeline) duplicate(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record, found ledger.Snapshot) error {
	if a.from == fromOrders {
		p.cfg.Meter.Ended(metrics.Duplicate)
		return l.Void(ctx, a.deadLetter.Origin, failure.Duplicate)
	}
	p.ignore(r, fmt.Errorf("%w: its order is at %s and not at %s", dlq.ErrForeign, l.Origin(found.Origin), a.deadLetter.Origin))
	return nil
}

// placed reads the order. A record that is no order, or that is not in the partition of its key, is a
// permanent failure: an ID must not name two orders in two partitions.
func (p *Pipeline) placed(deadLetter *dlq.DeadLetter) (order.Order, error) {
	o, err := deadLetter.Order()
	if errors.Is(err, wire.ErrUndecodable) {
		return order.Order{}, failure.New(failure.Permanent, failure.Undecodable, err)
	}
	if there := p.cfg.Home(deadLetter.Key, deadLetter.Headers); err == nil && there != deadLetter.Origin.Partition {
		err = fmt.Errorf("order %s belongs in partition %d, and is in partition %d", o.ID, there, deadLetter.Origin.Partition)
		return order.Order{}, failure.New(failure.Permanent, failure.WrongPartition, err)
	}
	return o, err
}

// read makes an attempt of a record: of a placed order, of a replayed dead letter, or of a retrying or
// waiting order.
func (p *Pipeline) read(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	if r.Topic == p.cfg.Topics.Orders {
		return &attempt{deadLetter: dlq.DeadLetter{
			Key: r.Key, Value: r.Value, Headers: r.Headers, Topic: r.Topic, Origin: l.Origin(r.Offset), Group: p.cfg.Group,
		}}, nil
	}
	deadLetter, err := dlq.Read(r)
	a := &attempt{from: fromParked, deadLetter: deadLetter, replay: deadLetter.Replays}
	if r.Topic == p.cfg.Topics.Replay {
		// A replay starts with all retries.
		a.from, a.deadLetter.Retries, a.deadLetter.Since = fromReplay, 0, time.Time{}
	}
	if err == nil && (deadLetter.Topic != p.cfg.Topics.Orders || deadLetter.Origin.Partition != r.Partition || a.from == fromReplay && deadLetter.Replays < 1) {
		err = fmt.Errorf("%w: origin %s of %.100q, replay %d", dlq.ErrForeign, deadLetter.Origin, deadLetter.Topic, deadLetter.Replays)
	}
	if err != nil {
		a.done = true
		p.ignore(r, err)
		return a, nil
	}
	a.deadLetter.Origin = l.Origin(deadLetter.Origin.Offset)
	err = origin(ctx, l, a)
	if errors.Is(err, dlq.ErrForeign) {
		a.done = true
		p.ignore(r, err)
		return a, nil
	}
	return a, err
}

// origin compares a dead letter with the record of orders that it names. Without a record there yet, or
// with that of another order, it is dlq.ErrForeign: the topic was created again, or another program wrote
// the dead letter. A record that is gone contradicts nothing. The record of a parked order is compared
// with the order's state.
func origin(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	at := a.deadLetter.Origin
	placed, err := l.Placed(ctx, at.Offset)
	if err == nil && !placed {
		return fmt.Errorf("%w: %s has no record yet", dlq.ErrForeign, at)
	}
	if err != nil || a.from == fromParked || len(a.deadLetter.Key) == 0 {
		return err
	}
	r, err := l.Source(ctx, at.Offset)
	if errors.Is(err, kafka.ErrGone) {
		return nil
	}
	if err == nil && !bytes.Equal(r.Key, a.deadLetter.Key) {
		return fmt.Errorf("%w: the record at %s has another key", dlq.ErrForeign, at)
	}
	return err
}

// resume continues an order where its last state left it.
func (p *Pipeline) resume(ctx context.Context, l *ledger.Ledger, a *attempt, s *order.State) error {
	a.work = s
	if a.from == fromReplay && a.replay > s.Replays && s.Status == order.Dead && a.deadLetter.Rev >= died(s) {
		s.Replays = a.replay
		return nil
	}
	if s.Status.Final() || !a.carriesOn(s) {
		a.done = true
		return p.answer(ctx, l, a)
	}
	// A replay finds its order in progress when a worker stopped between dead letter and state. The
	// outcome of the order is then the answer to the replay.
	a.replay, a.orphan, a.intent = max(a.replay, s.Replays), s.Status, s.Status
	s.Replays = a.replay
	a.adopt = s.Progress.Invoice != nil && s.Progress.Invoice.Kept == nil
	return nil
}

// carriesOn reports whether an unfinished order continues with this record. Once the order was parked,
// that is the record which was written with its newest parked state, and no other.
func (a *attempt) carriesOn(s *order.State) bool {
	for _, c := range slices.Backward(s.Timeline) {
		switch {
		case c.Answers():
		case c.Status.Parked():
			return a.from == fromParked && a.deadLetter.Rev == c.Rev
		case c.Status == order.Dead:
			return a.from != fromParked
		}
	}
	return a.from != fromParked
}

// died is the revision at which an order became dead. The operator who replays its dead letter must have
// seen it; answers since then change nothing.
func died(s *order.State) int64 {
	for _, c := range slices.Backward(s.Timeline) {
		if c.Status == order.Dead && !c.Answers() {
			return c.Rev
		}
	}
	return 0
}

// answer records, once, that a replay has nothing to do: the order has changed since the operator saw it.
func (p *Pipeline) answer(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	w := a.work
	answered := func(c order.Change) bool { return c.Replay == a.replay }
	if a.from != fromReplay || slices.ContainsFunc(w.Timeline, answered) {
		return nil
	}
	reason := order.Conflict
	if w.Status.Final() && w.Status != order.Dead {
		reason = order.AlreadyDone
	}
	return l.Write(ctx, w, order.Change{Status: w.Status, Reason: reason, Replay: a.replay})
}
