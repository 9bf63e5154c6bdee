package pipeline

import (
	"context"
	"log/slog"
	"time"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// bury writes the letter of an order that failed for good, and then its state. In this order a crash in between
// leaves a second letter of the same ID, which readers fold, and never an order that nobody can find.
func (p *Pipeline) bury(ctx context.Context, l *ledger.Ledger, a *attempt, failures int, cause error) error {
	w, letter := a.work, &a.letter
	letter.Class, letter.Reason = failure.Of(cause)
	letter.Step, letter.Message, letter.Progress = a.step, cause.Error(), w.Progress
	letter.Rev = w.Rev + 1
	p.stamp(a, failures)
	at, err := l.Bury(ctx, letter)
	if err != nil {
		return err
	}
	w.Letter = at
	p.log.LogAttrs(ctx, slog.LevelWarn, "order failed", slog.String("order", string(w.Order.ID)), slog.String("step", string(a.step)),
		slog.String("reason", string(letter.Reason)), slog.Any("error", cause))
	return l.Write(ctx, w, order.Change{Status: order.Dead, Step: a.step, Reason: string(letter.Reason), Replay: a.replay})
}

// undecodable writes the letter of a record that is no order. It has no ID and so no state: the letter is its only trace.
func (p *Pipeline) undecodable(ctx context.Context, l *ledger.Ledger, a *attempt, cause error) error {
	letter := &a.letter
	letter.Class, letter.Reason, letter.Message = failure.Permanent, failure.Undecodable, cause.Error()
	p.stamp(a, 1)
	if _, err := l.Bury(ctx, letter); err != nil {
		return err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "record undecodable", slog.Int("partition", int(letter.Origin.Partition)),
		slog.Int64("offset", letter.Origin.Offset), slog.Any("error", cause))
	if a.replay > 0 {
		return nil
	}
	return l.Void(ctx, letter.Origin, failure.Undecodable)
}

// stamp adds the history of attempts: a letter that was replayed keeps when it first failed, and counts on.
func (p *Pipeline) stamp(a *attempt, failures int) {
	letter, now := &a.letter, time.Now()
	if a.failed.IsZero() {
		a.failed = now
	}
	if letter.FirstFailed.IsZero() {
		letter.FirstFailed = a.failed
	}
	letter.LastFailed, letter.Worker, letter.Group, letter.Replays = now, p.worker, p.group, a.replay
	letter.Attempts += failures
}
