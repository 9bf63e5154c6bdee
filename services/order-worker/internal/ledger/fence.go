package ledger

import (
	"context"
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// Claim is the offset of our claim in orders.status: what stands behind it is ours, or void.
func (l *Ledger) Claim() int64 { return l.claim }

// Judge says what a record behind our claim is worth: Current is our own, Void was written by a worker that had lost the
// partition, or can hide the state of an order although it is none; Erased is a tombstone, and Claim means that we have lost
// the partition ourselves. It takes the records in order, from one goroutine.
func (l *Ledger) Judge(r *kgo.Record) status.Verdict {
	if r.Offset <= l.claim {
		return status.Current
	}
	_, verdict, err := l.fold.Apply(r)
	switch {
	case l.fold.Newest() > l.claim:
		return status.Claim
	case err == nil && verdict == status.Stale:
		l.cfg.Meter.Void()
	}
	return verdict
}

// Repair appends what counts of an order again, behind a void record: its newest state or its tombstone. Readers ignore the
// void one, but compaction does not: it keeps what stands last. That of an order which finished long ago is looked for; one that was
// never begun has nothing to lose. The state is not parsed, so it does not matter which version wrote it. When compaction has left
// the void record alone, and this version cannot read that either, there is nothing to repair: the log says so, and work goes on.
func (l *Ledger) Repair(ctx context.Context, id order.ID) error {
	if err := l.Recall(ctx, id, 0, nil); err != nil {
		return err
	}
	r, e, err := l.newest(ctx, id)
	switch {
	case errors.Is(err, kafka.ErrGone): // never begun, or nothing of it is left that could be hidden
		return nil
	case errors.Is(err, wire.ErrNewer) || errors.Is(err, wire.ErrUndecodable):
		l.cfg.Log.LogAttrs(ctx, slog.LevelError, "stale state not repaired: compaction has left nothing that this version can read",
			slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)), slog.Any(telemetry.Error, err))
		return nil
	case err != nil:
		return err
	}
	again, err := l.append(ctx, l.cfg.Topics.Status, wire.Restate(r, l.claim))
	if err != nil {
		return err
	}
	l.put(id, e.moved(again.Offset))
	l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "void state repaired", slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)))
	return nil
}

// Erase takes notice of a tombstone behind our claim: the order is finished, and what carries it has nothing to do. A state
// that an attempt in flight wrote behind the tombstone is erased too, unless it is that of a later order under the same ID.
func (l *Ledger) Erase(ctx context.Context, tombstone *kgo.Record) error {
	id, at := order.ID(tombstone.Key), tombstone.Offset
	l.mu.Lock()
	e, known := l.memory.get(keyOf(id))
	l.mu.Unlock()
	if known && e.at() > at {
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
		again, err := l.append(ctx, l.cfg.Topics.Status, wire.Restate(tombstone, l.claim))
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

// Outlived reports whether an order that was erased is the one that a record of the topic orders places. A record that is
// younger than the tombstone places another order: the view has forgotten the first, and its customer repeats the key.
func (l *Ledger) Outlived(ctx context.Context, r *kgo.Record) (bool, error) {
	l.mu.Lock()
	e, _ := l.memory.get(keyOf(r.Key))
	l.mu.Unlock()
	tombstone, err := l.read(ctx, l.cfg.Topics.Status, e.at())
	if errors.Is(err, kafka.ErrGone) {
		return true, nil // it was removed in time: a record that is younger comes long before that
	}
	return err == nil && !r.Timestamp.After(tombstone.Timestamp), err
}

// Hold blocks until an effect may be had: until all that we wrote is known to count, the intent included, and the lease is
// held; see lease.Hold.
func (l *Ledger) Hold(ctx context.Context) error {
	if err := l.Fenced(ctx); err != nil {
		return err
	}
	return l.cfg.Lease.Hold(ctx)
}

// Fenced blocks until all that we have written so far is known to count: no newer claim stands before it. The lease keeps
// the members of our group apart, but not another group, nor the late claim of a former owner. Without this a mail could be
// sent, and an order's record be committed, whose states are stale.
func (l *Ledger) Fenced(ctx context.Context) error {
	if l.cfg.Applied == nil {
		return nil
	}
	l.mu.Lock()
	newest := max(l.claim, l.memory.newest)
	l.mu.Unlock()
	return l.cfg.Applied(ctx, l.partition, newest)
}

// Guard is a context for effects; see lease.Guard.
func (l *Ledger) Guard(ctx context.Context) context.Context { return l.cfg.Lease.Guard(ctx) }
