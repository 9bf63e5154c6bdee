package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/tracing"
)

// settle finishes a record whose order takes no steps.
func (p *Pipeline) settle(ctx context.Context, l *ledger.Ledger, a *attempt, r *kgo.Record) error {
	switch a.todo {
	case ignore:
		p.ignore(ctx, r, a.why)
	case refuse:
		return p.refuse(ctx, l, a, a.why)
	case void:
		p.cfg.Meter.Ended(metrics.Duplicate)
		return l.Void(ctx, a.pending.Origin, failure.Duplicate, a.pending.Cause)
	case answering:
		return p.answer(ctx, l, a)
	}
	return nil
}

// answer records, once, why a replay has nothing to do. What is older than the state that the operator saw
// answers another request: a refused edit can be followed by a better one, with the same number. Two jobs
// can have asked for a replay with one number, too.
func (p *Pipeline) answer(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	answered := func(c order.Change) bool {
		return c.Replay == a.replay && c.Job == a.pending.Job && c.Rev > a.pending.Rev
	}
	if slices.ContainsFunc(a.work.Timeline, answered) {
		return nil
	}
	if a.why != nil {
		p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "edit refused: edit the dead letter again", slog.String(telemetry.Order, string(a.work.Order.ID)), slog.Any(telemetry.Error, a.why))
	}
	return l.Write(ctx, a.work, a.change(a.work.Status, "", a.answer))
}

// fail writes what becomes of an order whose attempt failed: waiting, retrying or dead. An outage uses
// up no retries: they are counted from zero after it.
func (p *Pipeline) fail(ctx context.Context, l *ledger.Ledger, a *attempt, failures int, cause error) error {
	p.note(a, failures, cause)
	pending := &a.pending
	switch a.last.class {
	case failure.Down:
		pending.Retries, pending.Since = 0, time.Time{}
		forgetProbe(a.work)
		return p.park(ctx, l, a, order.Waiting, p.cfg.Topics.Waiting)
	case failure.Transient:
		next, ok := p.cfg.Retry.Next(p.cfg.Topics, pending.Retries)
		if !ok {
			break
		}
		if pending.Retries == 0 {
			pending.Since = pending.At
		}
		pending.Retries++
		return p.park(ctx, l, a, order.Retrying, next)
	}
	return p.deadLetter(ctx, l, a)
}

// park makes an order wait in a topic: it appends the record that the order continues with, and then the
// state that names it. A crash in between leaves a record that no state names, which is ignored. In the
// other order it would leave an order that never continues.
func (p *Pipeline) park(ctx context.Context, l *ledger.Ledger, a *attempt, to order.Status, topic string) error {
	a.pending.Status, a.pending.Rev = to, a.work.Rev+1
	err := l.Park(ctx, topic, &a.pending)
	if class, _ := failure.Of(err); err != nil && class == failure.Permanent {
		return p.deadLetter(ctx, l, a) // which shortens what is too large
	}
	if err != nil {
		return err
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "attempt failed", slog.String(telemetry.Order, string(a.work.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(a.last.reason)), slog.String(telemetry.Topic, topic), slog.Any(telemetry.Error, a.last.err))
	return l.Write(ctx, a.work, a.change(to, a.step, string(a.last.reason)))
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
	w := a.work
	at, err := l.DeadLetter(ctx, p.asDeadLetter(a, w.Rev+1))
	if err != nil {
		return err
	}
	w.DeadLetter = at
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "order dead-lettered", slog.String(telemetry.Order, string(w.Order.ID)), slog.String(telemetry.Step, string(a.step)),
		slog.String(telemetry.Reason, string(a.last.reason)), slog.Any(telemetry.Error, a.last.err))
	return l.Write(ctx, w, a.change(order.Dead, a.step, string(a.last.reason)))
}

// refuse writes the dead letter of a record that is no order, or that is in the wrong partition. It has
// no state: the dead letter is its only trace.
func (p *Pipeline) refuse(ctx context.Context, l *ledger.Ledger, a *attempt, cause error) error {
	p.note(a, 1, cause)
	if _, err := l.DeadLetter(ctx, p.asDeadLetter(a, a.pending.Rev)); err != nil {
		return err
	}
	p.cfg.Meter.Ended(order.Dead)
	tracing.Outcome(ctx, string(order.Dead), cause)
	origin := a.pending.Origin
	p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "record dead-lettered", slog.String(telemetry.Reason, string(a.last.reason)),
		slog.Int(telemetry.Partition, int(origin.Partition)), slog.Int64(telemetry.Offset, origin.Offset), slog.Any(telemetry.Error, cause))
	if a.from != fromOrders {
		return nil
	}
	return l.Void(ctx, origin, a.last.reason, a.pending.Cause)
}

// lastFailure is how an attempt ended that failed.
type lastFailure struct {
	class  failure.Class
	reason failure.Reason
	err    error
}

// note adds a failure to what is known of the order. A replay keeps the time of the first failure, and
// continues to count attempts.
func (p *Pipeline) note(a *attempt, failures int, cause error) {
	pending, now := &a.pending, time.Now()
	a.last.class, a.last.reason = failure.Of(cause)
	a.last.err = cause
	if a.work != nil {
		pending.Progress, pending.Cause = a.work.Progress, a.work.Order.Cause
	}
	if a.failed.IsZero() {
		a.failed = now
	}
	if pending.FirstFailed.IsZero() {
		pending.FirstFailed = a.failed
	}
	pending.At, pending.Replay = now, a.replay
	pending.Attempts += failures
}

// asDeadLetter returns the dead letter of an attempt that failed, for a revision of the order's state.
func (p *Pipeline) asDeadLetter(a *attempt, rev int64) *dlq.DeadLetter {
	return &dlq.DeadLetter{
		Source: a.pending.Source, Cause: a.pending.Cause, Topic: p.cfg.Topics.Orders, Group: p.cfg.Group, Worker: p.cfg.Worker, Step: a.step,
		Class: a.last.class, Reason: a.last.reason, Message: a.last.err.Error(), Attempts: a.pending.Attempts,
		FirstFailed: a.pending.FirstFailed, LastFailed: a.pending.At, Replays: a.replay, Job: a.pending.Job, Edit: a.pending.Edit, Rev: rev, Progress: a.pending.Progress,
	}
}
