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
// partition, and Claim means that we have lost it ourselves. It takes the records in order, from one goroutine.
func (l *Ledger) Judge(r *kgo.Record) status.Verdict {
	if r.Offset <= l.claim {
		return status.Current
	}
	_, verdict, err := l.fold.Apply(r)
	switch {
	case l.fold.Newest() > l.claim:
		return status.Claim
	case err != nil:
		return status.Current // nobody can read it, so it hides nothing
	case verdict == status.Void:
		l.cfg.Meter.Void()
	}
	return verdict
}

// Repair appends the newest state of an order again, behind a void one. Readers ignore the void one, but compaction does
// not: it keeps what stands last. That of an order which finished long ago is looked for; one that was never begun has
// nothing to lose.
func (l *Ledger) Repair(ctx context.Context, id order.ID) error {
	if err := l.Recall(ctx, id, 0, l.Now()); err != nil {
		return err
	}
	if _, begun := l.Standing(id); !begun {
		return nil
	}
	s, _, err := l.State(ctx, id)
	if errors.Is(err, kafka.ErrGone) {
		return nil // nothing of it is left that could be hidden
	}
	if err != nil {
		return err
	}
	r, err := l.append(ctx, l.cfg.Topics.Status, wire.State(s, l.claim))
	if err != nil {
		return err
	}
	l.remember(&s, r.Offset)
	l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "void state repaired", slog.String(telemetry.Order, string(id)), slog.Int(telemetry.Partition, int(l.partition)))
	return nil
}

// Hold blocks until the lease is held; see lease.Hold.
func (l *Ledger) Hold(ctx context.Context) error { return l.cfg.Lease.Hold(ctx) }

// Guard is a context for effects; see lease.Guard.
func (l *Ledger) Guard(ctx context.Context) context.Context { return l.cfg.Lease.Guard(ctx) }
