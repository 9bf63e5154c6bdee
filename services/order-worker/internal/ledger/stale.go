package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// Judge tells what a record behind our claim is worth: Current is ours, Stale was written by a worker that
// had lost the partition or is no state, Erased is a tombstone. Claim means that we have lost the
// partition ourselves. Records are judged in order: one at or below the last offset is Current.
func (l *Ledger) Judge(r *kgo.Record) status.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Offset <= l.judged {
		return status.Current
	}
	l.judged = r.Offset
	_, verdict, err := l.tail.Apply(r)
	switch {
	case l.tail.Newest() > l.claim:
		return status.Claim
	case err == nil && verdict == status.Stale:
		l.cfg.Meter.Stale()
	}
	return verdict
}

// Amend corrects what a record behind our claim does to its order: a stale state or a tombstone, as Judge
// has found. It runs in the order's lane.
func (l *Ledger) Amend(ctx context.Context, r *kgo.Record) error {
	if r.Value == nil {
		return l.erase(ctx, r)
	}
	return l.restate(ctx, order.ID(r.Key), r.Offset)
}

// restate appends the record that counts of an order again, if a stale one is behind it. Readers ignore a
// stale state, but compaction keeps the last one of a key. Open applies this rule to what is before our
// claim, Amend to what is behind it.
//
// The state is not parsed, so its version does not matter. When compaction has left only the stale state,
// and this version cannot read that, there is nothing to append: it is logged, and work goes on.
func (l *Ledger) restate(ctx context.Context, id order.ID, stale int64) error {
	e, known, err := l.lookUp(ctx, Question{ID: id})
	if err != nil || !known || e.at() > stale {
		return err
	}
	r, err := l.newest(ctx, id, e)
	switch {
	case errors.Is(err, kafka.ErrGone): // no record is left that could be hidden
		return nil
	case errors.Is(err, wire.ErrNewer) || errors.Is(err, wire.ErrUndecodable):
		l.cfg.Log.LogAttrs(ctx, slog.LevelError, "stale state not repaired: compaction has left nothing that this version can read",
			slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)), slog.Any(telemetry.Error, err))
		return nil
	case err != nil:
		return fmt.Errorf("repairing %s: %w", id, err)
	}
	again, err := l.write(ctx, wire.Restate(r, l.claim))
	if err != nil {
		return fmt.Errorf("repairing %s: %w", id, err)
	}
	l.put(id, e.moved(again.Offset))
	l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "stale state repaired", slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)))
	return nil
}

// erase remembers a tombstone: the order is finished, and its records have nothing to do. A state that an
// attempt in flight wrote behind the tombstone is erased too, unless it is that of a later order under the
// same ID.
func (l *Ledger) erase(ctx context.Context, tombstone *kgo.Record) error {
	id, at := order.ID(tombstone.Key), tombstone.Offset
	if e, known := l.entry(id); known && e.at() > at {
		if e.erased() {
			return nil
		}
		placed, err := l.Source(ctx, e.origin)
		if err != nil && !errors.Is(err, kafka.ErrGone) {
			return err
		}
		if err == nil && placed.Timestamp.After(tombstone.Timestamp) {
			return nil
		}
		again, err := l.write(ctx, wire.Restate(tombstone, l.claim))
		if err != nil {
			return err
		}
		at = again.Offset
	}
	l.mu.Lock()
	l.memory.erase(keyOf(id), at)
	l.mu.Unlock()
	l.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "order erased", slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)))
	return nil
}
