package pipeline

import (
	"context"
	"log/slog"
	"time"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
)

// end writes what became of an order in this attempt. What is waited for is down, so an outage uses up none of the
// order's retries: when it is over, they are counted anew.
func (p *Pipeline) end(ctx context.Context, l *ledger.Ledger, a *attempt, failures int, cause error) error {
	if cause == nil {
		return l.Write(ctx, a.work, order.Change{Status: order.Confirmed, Replay: a.replay})
	}
	p.note(a, failures, cause)
	deadLetter := &a.deadLetter
	switch deadLetter.Class {
	case failure.Down:
		deadLetter.Retries, deadLetter.Since = 0, time.Time{}
		forgetProbe(a.work)
		return p.park(ctx, l, a, order.Waiting, p.cfg.Topics.Waiting)
	case failure.Transient:
		next, ok := p.cfg.Retry.Next(p.cfg.Topics, deadLetter.Retries)
		if !ok {
			break
		}
		if deadLetter.Retries == 0 {
			deadLetter.Since = deadLetter.LastFailed
		}
		deadLetter.Retries++
		return p.park(ctx, l, a, order.Retrying, next)
	}
	return p.bury(ctx, l, a)
}

// park puts an order off: the record that carries it comes first, then the state that it goes with. In this order a crash
// in between leaves a record that goes with no state, which counts for nobody, and never an order that nobody carries on.
func (p *Pipeline) park(ctx context.Context, l *ledger.Ledger, a *attempt, to order.Status, topic string) error {
	a.deadLetter.Rev = a.work.Rev + 1
	err := l.Defer(ctx, topic, &a.deadLetter)
	if class, _ := failure.Of(err); err != nil && class == failure.Permanent {
		return p.bury(ctx, l, a) // which finds a way to write what is too large
	}
	if err != nil {
		return err
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "attempt failed", slog.String(telemetry.Order, string(a.work.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(a.deadLetter.Reason)), slog.String(telemetry.Topic, topic), slog.String(telemetry.Error, a.deadLetter.Message))
	return l.Write(ctx, a.work, order.Change{Status: to, Step: a.step, Reason: string(a.deadLetter.Reason), Replay: a.replay})
}

// forgetProbe takes out of a timeline that the order was let through to see whether an outage is over. It can be the same
// one every few seconds, for days, and would push its own history out.
func forgetProbe(w *order.State) {
	for i := len(w.Timeline) - 1; i >= 0; i-- {
		c := w.Timeline[i]
		if c.Status == order.Waiting && !c.Answers() {
			w.Timeline = w.Timeline[:i]
			return
		}
		if c.Reason != "" || c.Status.Final() {
			return
		}
	}
}

// bury writes the dead letter of an order that failed for good, and then its state. In this order a
// crash in between leaves a second dead letter of the same ID, which readers fold, and never an
// order that nobody can find.
func (p *Pipeline) bury(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	w, deadLetter := a.work, &a.deadLetter
	deadLetter.Rev = w.Rev + 1
	at, err := l.Bury(ctx, deadLetter)
	if err != nil {
		return err
	}
	w.DeadLetter = at
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "order failed", slog.String(telemetry.Order, string(w.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(deadLetter.Reason)), slog.String(telemetry.Error, deadLetter.Message))
	return l.Write(ctx, w, order.Change{Status: order.Dead, Step: a.step, Reason: string(deadLetter.Reason), Replay: a.replay})
}

// refuse writes the dead letter of a record that is no order, or none of this partition. It has no
// state: the dead letter is its only trace.
func (p *Pipeline) refuse(ctx context.Context, l *ledger.Ledger, a *attempt, cause error) error {
	deadLetter := &a.deadLetter
	p.note(a, 1, cause)
	if _, err := l.Bury(ctx, deadLetter); err != nil {
		return err
	}
	p.cfg.Meter.Ended(order.Dead)
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "record refused", slog.String(telemetry.Reason, string(deadLetter.Reason)), slog.Int(telemetry.Partition, int(deadLetter.Origin.Partition)),
		slog.Int64(telemetry.Offset, deadLetter.Origin.Offset), slog.Any(telemetry.Error, cause))
	if a.from != queue {
		return nil
	}
	return l.Void(ctx, deadLetter.Origin, deadLetter.Reason)
}

// note adds a failure to what is known of the order: a dead letter that was replayed keeps when it
// first failed, and counts on.
func (p *Pipeline) note(a *attempt, failures int, cause error) {
	deadLetter, now := &a.deadLetter, time.Now()
	deadLetter.Class, deadLetter.Reason = failure.Of(cause)
	deadLetter.Step, deadLetter.Message = a.step, cause.Error()
	if a.work != nil {
		deadLetter.Progress = a.work.Progress
	}
	if a.failed.IsZero() {
		a.failed = now
	}
	if deadLetter.FirstFailed.IsZero() {
		deadLetter.FirstFailed = a.failed
	}
	deadLetter.LastFailed, deadLetter.Worker, deadLetter.Group, deadLetter.Replays = now, p.cfg.Worker, p.cfg.Group, a.replay
	deadLetter.Attempts += failures
}
