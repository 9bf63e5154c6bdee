package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
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
	o, err := p.placed(&a.pending.Source)
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
	found, err := l.Find(ctx, ledger.Question{ID: o.ID, Origin: a.pending.Origin.Offset, Seen: a.stateAt, By: r})
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
	o.Cause = a.pending.Cause
	a.work = new(o.Begin(a.pending.Origin))
	a.work.Progress, a.work.Replays = a.pending.Progress, a.replay
	return nil
}

// duplicate ends a record whose order was placed by another record. In the topic orders it repeats the
// order's key. No worker writes another record with such an origin.
func (p *Pipeline) duplicate(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record, found ledger.Snapshot) error {
	if a.from == fromOrders {
		p.cfg.Meter.Ended(metrics.Duplicate)
		return l.Void(ctx, a.pending.Origin, failure.Duplicate, a.pending.Cause)
	}
	p.ignore(r, fmt.Errorf("%w: its order is at %s and not at %s", wire.ErrUndecodable, l.Origin(found.Origin), a.pending.Origin))
	return nil
}

// placed reads the order. A record that is no order, or that is not in the partition of its key, is a
// permanent failure: an ID must not name two orders in two partitions.
func (p *Pipeline) placed(s *wire.Source) (order.Order, error) {
	o, err := s.Order()
	if errors.Is(err, wire.ErrUndecodable) {
		return order.Order{}, failure.New(failure.Permanent, failure.Undecodable, err)
	}
	if home := p.cfg.Home(s.Key, s.Headers); err == nil && home != s.Origin.Partition {
		err = fmt.Errorf("order %s belongs to partition %d and is in partition %d", o.ID, home, s.Origin.Partition)
		return order.Order{}, failure.New(failure.Permanent, failure.WrongPartition, err)
	}
	return o, err
}

// read makes an attempt of a record: of a placed order, of a parked order, or of a request for a replay.
func (p *Pipeline) read(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	if r.Topic == p.cfg.Topics.Orders {
		source := wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: l.Origin(r.Offset)}
		return &attempt{pending: wire.Parked{Source: source, Cause: wire.CauseOf(r)}}, nil
	}
	var a *attempt
	var err error
	if r.Topic == p.cfg.Topics.Replay {
		a, err = replayed(r)
	} else {
		a = &attempt{from: fromParked}
		a.pending, err = wire.ReadParked(r)
		a.replay = a.pending.Replay
	}
	if err == nil {
		a.pending.Origin = l.Origin(a.pending.Origin.Offset)
		err = origin(ctx, l, a)
	}
	if errors.Is(err, wire.ErrUndecodable) {
		a.done = true
		p.ignore(r, err)
		return a, nil
	}
	return a, err
}

// replayed makes an attempt of a request for a replay. It starts with all retries.
func replayed(r *kgo.Record) (*attempt, error) {
	q, err := wire.ReadReplayRequest(r)
	pending := wire.Parked{Source: q.Source, Cause: q.Placed, Rev: q.Rev, Attempts: q.Attempts, FirstFailed: q.FirstFailed, Progress: q.Progress}
	return &attempt{from: fromReplay, pending: pending, replay: q.Number, stateAt: q.StateAt}, err
}

// origin compares a record with the record of orders that it names. Without a record there yet, or with
// that of another order, it is wire.ErrUndecodable: the topic was created again, or another program wrote
// the record. A record of orders that is gone contradicts nothing. The record of a parked order is
// compared with the order's state.
func origin(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	at := a.pending.Origin
	placed, err := l.Placed(ctx, at.Offset)
	if err == nil && !placed {
		return fmt.Errorf("%w: %s has no record yet", wire.ErrUndecodable, at)
	}
	if err != nil || a.from == fromParked || len(a.pending.Key) == 0 {
		return err
	}
	r, err := l.Source(ctx, at.Offset)
	if errors.Is(err, kafka.ErrGone) {
		return nil
	}
	if err == nil && !bytes.Equal(r.Key, a.pending.Key) {
		return fmt.Errorf("%w: the record at %s has another key", wire.ErrUndecodable, at)
	}
	return err
}

// resume continues an order where its last state left it.
func (p *Pipeline) resume(ctx context.Context, l *ledger.Ledger, a *attempt, s *order.State) error {
	a.work = s
	if a.from == fromReplay && a.replay > s.Replays && s.Status == order.Dead && a.pending.Rev >= died(s) {
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
			return a.from == fromParked && a.pending.Rev == c.Rev
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
