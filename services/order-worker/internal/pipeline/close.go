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

// fail writes what becomes of an order whose attempt failed: waiting, retrying or dead. An outage uses
// up no retries: they are counted from zero after it.
func (p *Pipeline) fail(ctx context.Context, l *ledger.Ledger, a *attempt, failures int, cause error) error {
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
	return p.deadLetter(ctx, l, a)
}

// park makes an order wait in a topic: it appends the record that the order continues with, and then the
// state that names it. A crash in between leaves a record that no state names, which is ignored. In the
// other order it would leave an order that never continues.
func (p *Pipeline) park(ctx context.Context, l *ledger.Ledger, a *attempt, to order.Status, topic string) error {
	a.deadLetter.Rev = a.work.Rev + 1
	err := l.Park(ctx, topic, &a.deadLetter)
	if class, _ := failure.Of(err); err != nil && class == failure.Permanent {
		return p.deadLetter(ctx, l, a) // which shortens what is too large
	}
	if err != nil {
		return err
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "attempt failed", slog.String(telemetry.Order, string(a.work.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(a.deadLetter.Reason)), slog.String(telemetry.Topic, topic), slog.String(telemetry.Error, a.deadLetter.Message))
	return l.Write(ctx, a.work, order.Change{Status: to, Step: a.step, Reason: string(a.deadLetter.Reason), Replay: a.replay})
}

// forgetProbe removes the probe of a half-open circuit breaker from a timeline. It can be the same order
// every few seconds, for days, and its history would not fit.
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

// deadLetter writes the dead letter of an order that failed permanently, and then its state. A crash in
// between leaves a second dead letter with the same ID, which readers fold. In the other order it would
// leave a dead order without a dead letter.
func (p *Pipeline) deadLetter(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	w, deadLetter := a.work, &a.deadLetter
	deadLetter.Rev = w.Rev + 1
	at, err := l.DeadLetter(ctx, deadLetter)
	if err != nil {
		return err
	}
	w.DeadLetter = at
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "order dead-lettered", slog.String(telemetry.Order, string(w.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(deadLetter.Reason)), slog.String(telemetry.Error, deadLetter.Message))
	return l.Write(ctx, w, order.Change{Status: order.Dead, Step: a.step, Reason: string(deadLetter.Reason), Replay: a.replay})
}

// refuse writes the dead letter of a record that is no order, or that is in the wrong partition. It has
// no state: the dead letter is its only trace.
func (p *Pipeline) refuse(ctx context.Context, l *ledger.Ledger, a *attempt, cause error) error {
	deadLetter := &a.deadLetter
	p.note(a, 1, cause)
	if _, err := l.DeadLetter(ctx, deadLetter); err != nil {
		return err
	}
	p.cfg.Meter.Ended(order.Dead)
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "record dead-lettered", slog.String(telemetry.Reason, string(deadLetter.Reason)), slog.Int(telemetry.Partition, int(deadLetter.Origin.Partition)),
		slog.Int64(telemetry.Offset, deadLetter.Origin.Offset), slog.Any(telemetry.Error, cause))
	if a.from != fromOrders {
		return nil
	}
	return l.Void(ctx, deadLetter.Origin, deadLetter.Reason)
}

// note adds a failure to what is known of the order. A replayed dead letter keeps the time of its first
// failure, and continues to count.
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
