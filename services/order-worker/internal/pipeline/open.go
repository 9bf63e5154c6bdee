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
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// source is where a record came from.
type source int

const (
	queue   source = iota // the topic orders
	desk                  // an operator sent it back
	carried               // a retrying or waiting order
)

// attempt is a worker's attempt at one record.
type attempt struct {
	from    source
	pending wire.Parked // the record that is worked on, and what is known of earlier attempts: what the next record holds
	work    *order.State
	replay  int   // number of the replay that sent it, or 0
	stateAt int64 // of a replay: offset of the state that its operator saw, or 0
	done    bool  // there is nothing to do

	left   order.Status   // what a predecessor was about to do, of which it did not say how it ended; or empty
	intent order.Status   // the last intent that this attempt or its predecessor stated
	reason failure.Reason // why the next intent is stated once more; or empty
	adopt  bool           // a predecessor announced an invoice, and may have kept it
	step   order.Step     // that failed last
	failed time.Time      // first failure of this attempt
	last   lastFailure    // how the attempt ended, if it failed
}

// open reads a record and asks the ledger whether there is anything to do, and from where.
func (p *Pipeline) open(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	a, err := p.read(ctx, l, r)
	if err != nil || a.done {
		return a, err
	}
	o, err := p.placed(&a.pending.Source)
	if class, _ := failure.Of(err); err != nil && class == failure.Permanent {
		a.done = true
		if a.from == carried {
			p.ignore(r, err)
			return a, nil
		}
		return a, p.refuse(ctx, l, a, err)
	}
	if err != nil {
		return a, err
	}
	standing, begun, err := p.standing(ctx, l, a, o.ID, r)
	if err == nil && begun && standing.Status == ledger.Erased {
		begun, err = p.outlived(ctx, l, a, r)
		if begun {
			a.done = true
			return a, err
		}
	}
	switch {
	case err != nil:
		return a, err
	case begun && standing.Origin != a.pending.Origin.Offset:
		a.done = true
		return a, p.duplicate(ctx, l, a, r)
	case begun && a.from != desk && standing.Status.Final(), begun && a.from == queue && standing.Status.Parked():
		a.done = true
		return a, nil
	case begun:
		err := p.resume(ctx, l, a, o.ID)
		if errors.Is(err, ledger.ErrErased) {
			a.done = true
			return a, nil
		}
		if !errors.Is(err, kafka.ErrGone) {
			return a, err
		}
		// Somebody has deleted records. Its number and its origin are the same again, and one order must not hold up the others.
		p.cfg.Log.LogAttrs(ctx, slog.LevelError, "order begun anew: its state is gone", slog.String(telemetry.Order, string(o.ID)), slog.Any(telemetry.Error, err))
	default:
		// What carries an order that nobody has begun was written by a worker that did not live to say so: the order itself
		// is not finished, and comes again.
		a.done = a.from == carried
	}
	o.Cause = a.pending.Cause
	a.work = new(o.Begin(a.pending.Origin))
	a.work.Progress, a.work.Replays = a.pending.Progress, a.replay
	return a, nil
}

// standing is what the ledger knows of an order. A replay can be about one that ended before the ledger begins.
func (p *Pipeline) standing(
	ctx context.Context, l *ledger.Ledger, a *attempt, id order.ID, r *kgo.Record,
) (standing ledger.Standing, begun bool, err error) {
	if a.from == queue {
		standing, begun = l.Known(r)
		return standing, begun, nil
	}
	if a.from == desk {
		err = l.Recall(ctx, id, a.stateAt, r)
	}
	standing, begun = l.Standing(id)
	return standing, begun, err
}

// outlived reports whether a record is about an order that was erased on purpose, and not about a later one under the same ID.
func (p *Pipeline) outlived(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record) (bool, error) {
	if a.from == queue {
		return l.Outlived(ctx, r)
	}
	p.ignore(r, ledger.ErrErased)
	return true, nil
}

// duplicate ends a record whose order stands elsewhere. In the queue it is a repeat; a dead letter
// of such an origin was never written.
func (p *Pipeline) duplicate(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record) error {
	if a.from == queue {
		p.cfg.Meter.Ended(metrics.Duplicate)
		return l.Void(ctx, a.pending.Origin, failure.Duplicate, a.pending.Cause)
	}
	p.ignore(r, fmt.Errorf("%w: its order is not at %s", wire.ErrUndecodable, a.pending.Origin))
	return nil
}

// placed reads the order. A record that is no order, or that is not in the partition of its key, is a permanent failure: in
// another partition its ID could stand for two orders.
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

// read makes an attempt of a record: of an order as it was placed, of a parked order, or of a request for a replay.
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
		a = &attempt{from: carried}
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

// replayed makes an attempt of a request for a replay. Its retries begin again.
func replayed(r *kgo.Record) (*attempt, error) {
	q, err := wire.ReadReplayRequest(r)
	pending := wire.Parked{Source: q.Source, Cause: q.Placed, Rev: q.Rev, Attempts: q.Attempts, FirstFailed: q.FirstFailed, Progress: q.Progress}
	return &attempt{from: desk, pending: pending, replay: q.Number, stateAt: q.StateAt}, err
}

// origin compares a record with the record of orders that it names. Without a record there yet, or with that of another order,
// it is wire.ErrUndecodable: the topic was created again since, or another program wrote the record. A record of orders that is
// gone contradicts nothing. A parked order is compared with its state.
func origin(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	at := a.pending.Origin
	placed, err := l.Placed(ctx, at.Offset)
	if err == nil && !placed {
		return fmt.Errorf("%w: nothing was placed at %s yet", wire.ErrUndecodable, at)
	}
	if err != nil || a.from == carried || len(a.pending.Key) == 0 {
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

// ignore says that nobody can say what a record is: there is nothing to bury, and no order waits for it.
func (p *Pipeline) ignore(r *kgo.Record, err error) {
	p.cfg.Log.Warn("record ignored", telemetry.Topic, r.Topic, telemetry.Partition, r.Partition, telemetry.Offset, r.Offset, telemetry.Error, err)
}

// resume takes up an order where its last state left it.
func (p *Pipeline) resume(ctx context.Context, l *ledger.Ledger, a *attempt, id order.ID) error {
	s, err := l.State(ctx, id)
	if err != nil {
		return fmt.Errorf("resuming %s: %w", id, err)
	}
	a.work = &s
	if a.from == desk && a.replay > s.Replays && s.Status == order.Dead && a.pending.Rev >= died(s) {
		a.work.Replays = a.replay
		return nil
	}
	if s.Status.Final() || !a.carriesOn(s) {
		a.done = true
		return p.answer(ctx, l, a)
	}
	// A replay finds its order in progress when a worker stopped between dead letter and state:
	// what becomes of the order is the replay's answer.
	a.replay, a.left, a.intent = max(a.replay, s.Replays), s.Status, s.Status
	a.work.Replays = a.replay
	a.adopt = s.Progress.Invoice != nil && s.Progress.Invoice.Kept == nil
	return nil
}

// carriesOn reports whether it is this record that an unfinished order goes on with. Since an order was put off, that is
// the record which carries it, and of several the one that goes with the newest such state.
func (a *attempt) carriesOn(s order.State) bool {
	for _, c := range slices.Backward(s.Timeline) {
		switch {
		case c.Answers():
		case c.Status.Parked():
			return a.from == carried && a.pending.Rev == c.Rev
		case c.Status == order.Dead:
			return a.from != carried
		}
	}
	return a.from != carried
}

// died is the revision at which an order became dead. Who sends its dead letter back must have seen
// it; what was answered since changes nothing.
func died(s order.State) int64 {
	for _, c := range slices.Backward(s.Timeline) {
		if c.Status == order.Dead && !c.Answers() {
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
	if a.from != desk || slices.ContainsFunc(w.Timeline, answered) {
		return nil
	}
	reason := order.Conflict
	if w.Status.Final() && w.Status != order.Dead {
		reason = order.AlreadyDone
	}
	return l.Write(ctx, w, order.Change{Status: w.Status, Reason: reason, Replay: a.replay})
}
