package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// open reads a record and decides what is to be done with it, and from where. It writes nothing.
func (p *Pipeline) open(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	a, err := p.read(ctx, l, r)
	if err != nil || a.todo != steps {
		return a, err
	}
	o, err := p.placed(&a.pending.Source)
	switch {
	case err == nil:
	case !permanent(err):
		return a, err
	case a.from == fromParked:
		a.todo, a.why = ignore, err
		return a, nil
	case a.from == fromReplay && len(a.pending.Key) > 0: // an edit can have made it an order, whose state has the answer
		o.ID, a.why = order.ID(a.pending.Key), err
	default:
		a.todo, a.why = refuse, err
		return a, nil
	}
	found, err := l.Find(ctx, ledger.Question{ID: o.ID, Origin: a.pending.Origin.Offset, Seen: a.stateAt, By: r})
	if err != nil {
		return a, fmt.Errorf("finding order %s: %w", o.ID, err)
	}
	if err = p.decide(ctx, l, a, o, found); a.work != nil {
		tracing.About(ctx, string(o.ID), a.work.Order.Cause.Trace)
	}
	return a, err
}

// decide is the table of what to do:
//
//	order in the ledger    placed        parked    replayed                 edited and replayed
//	not begun              begin         nothing   begin                    begin
//	begun                  resume        resume    resume, or answer        resume, or answer
//	settled                nothing       nothing   -                        -
//	placed elsewhere       void number   ignore    ignore                   refuse
//	erased                 nothing       ignore    ignore                   ignore
//	lost                   begin         begin     begin                    begin
func (p *Pipeline) decide(ctx context.Context, l *ledger.Ledger, a *attempt, o order.Order, found ledger.Snapshot) error {
	edited := a.from == fromReplay && a.pending.Edit > 0
	switch found.Standing {
	case ledger.Begun:
		return p.resume(ctx, l, a, o, found.State)
	case ledger.Settled:
		a.todo = nothing
		return nil
	case ledger.Elsewhere:
		// No worker writes another record with such an origin, but a record that was no order can be
		// edited into one that exists.
		switch at := l.Origin(found.Origin); {
		case a.from == fromOrders:
			a.todo = void
		case a.why != nil:
			a.todo = refuse
		case edited:
			a.todo, a.why = refuse, failure.New(failure.Permanent, failure.Duplicate, fmt.Errorf("order %s: the record at %s placed it", o.ID, at))
		default:
			a.todo, a.why = ignore, fmt.Errorf("%w: its order is at %s and not at %s", wire.ErrUndecodable, at, a.pending.Origin)
		}
		return nil
	case ledger.Erased:
		a.todo, a.why = ignore, ledger.ErrErased
		if a.from == fromOrders {
			a.todo = nothing
		}
		return nil
	case ledger.Lost:
		// An operator has deleted records. The number and the origin will be the same again, and one
		// order must not block the others.
		if !a.dry {
			p.cfg.Log.LogAttrs(ctx, slog.LevelError, "state of the order is lost: order started again", slog.String(telemetry.Order, string(o.ID)))
		}
	case ledger.NotBegun:
		if a.from == fromParked {
			// The worker stopped between parking the order and writing its state. The record that placed
			// it is not finished, and is read again.
			a.todo = nothing
			return nil
		}
	}
	return p.begin(ctx, l, a, o)
}

// begin begins an order that has no state. What is known of it is in the record.
func (p *Pipeline) begin(ctx context.Context, l *ledger.Ledger, a *attempt, o order.Order) error {
	edited := a.pending.Edit > 0
	if a.why != nil {
		a.todo = refuse
		return nil
	}
	first := o
	if edited && a.placed != nil { // the hash and what is locked are those of the order as placed
		first = *a.placed
	}
	first.Cause = a.pending.Cause
	a.work = new(first.Begin(a.pending.Origin))
	a.work.Progress, a.work.Replays = a.pending.Progress, a.replay
	if !edited {
		return nil
	}
	refused, err := p.edit(ctx, l, a, o)
	if refused != nil {
		a.todo, a.why = refuse, failure.New(failure.Permanent, failure.Undecodable, refused)
		a.work = nil
	}
	return err
}

// resume continues an order where its last state left it.
func (p *Pipeline) resume(ctx context.Context, l *ledger.Ledger, a *attempt, o order.Order, s *order.State) error {
	a.work = s
	edited := a.from == fromReplay && a.pending.Edit > s.Edit
	if a.from == fromReplay && a.replay > s.Replays && s.Status == order.Dead && a.pending.Rev >= died(s) {
		if a.pending.Edit > 0 {
			if refused, err := p.edit(ctx, l, a, o); err != nil || refused != nil {
				a.todo, a.answer, a.why = answering, order.EditRefused, refused
				return err
			}
		}
		s.Replays = a.replay
		a.agree()
		return nil
	}
	// The step that was begun is not done with another order than it was begun with.
	if s.Status.Final() || !a.carriesOn(s) || edited {
		a.refer()
		return nil
	}
	// A replay finds its order in progress when a worker stopped between dead letter and state. The
	// outcome of the order is then the answer to the replay.
	a.replay, a.orphan, a.intent = max(a.replay, s.Replays), s.Status, s.Status
	s.Replays = a.replay
	asked := a.pending.Job
	a.pending.Job = jobOf(s, a.replay, asked)
	a.ofAnother = a.from == fromReplay && a.pending.Job != asked
	a.adopt = s.Progress.Invoice != nil && s.Progress.Invoice.Kept == nil
	a.agree()
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

// jobOf is the job that asked for a replay which has begun, or the given one if the replay has not.
func jobOf(s *order.State, replay int, otherwise string) string {
	for _, c := range slices.Backward(s.Timeline) {
		if c.Replay == replay && !c.Answers() {
			return c.Job
		}
	}
	return otherwise
}

// refer has a replay answered that has nothing to do: the order has changed since the operator saw it.
// Other records have nothing to do.
func (a *attempt) refer() {
	if a.from != fromReplay {
		a.todo = nothing
		return
	}
	a.todo, a.answer = answering, order.Conflict
	if s := a.work.Status; s.Final() && s != order.Dead {
		a.answer = order.AlreadyDone
	}
}
