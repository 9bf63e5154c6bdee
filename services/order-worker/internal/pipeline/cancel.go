package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// cancel ends an order that its customer has cancelled, or records in its timeline that it is too late.
// It is in time while no invoice is stored: if the order is not begun yet, or was parked or dead-lettered
// before that. The dead letter of a cancelled order is closed.
// The record is in the order's lane, so the order is not in flight. Later records of the order find that
// it has ended.
//
// The state comes before the void record of its number: a crash in between leaves the cancel to the next
// owner, which finds the order cancelled. In the other order the order could still begin, and its number
// be void and issued.
func (p *Pipeline) cancel(ctx context.Context, l *ledger.Ledger, r *kgo.Record) error {
	var w *order.State
	late := false
	request, err := wire.ReadCancelRequest(r)
	if err == nil {
		w, late, err = p.cancelled(ctx, l, r, request)
	}
	if pointless(err) {
		p.ignore(ctx, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	tracing.About(ctx, string(w.Order.ID), w.Order.Cause.Trace)
	switch {
	case w.Status == order.Cancelled:
	case late && answered(w, order.CancelRefused):
		return nil
	case late:
		return l.Write(ctx, w, order.Change{Status: w.Status, Reason: order.CancelRefused})
	default:
		if err := l.Write(ctx, w, order.Change{Status: order.Cancelled}); err != nil {
			return err
		}
		p.cfg.Meter.Ended(w.Status)
		p.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "order finished", slog.String(telemetry.Order, string(w.Order.ID)),
			slog.String(telemetry.Outcome, string(w.Status)), slog.Int(telemetry.Partition, int(r.Partition)))
	}
	return l.Void(ctx, w.Origin, failure.Cancelled, request.Cause)
}

// answered reports whether the timeline has an answer already.
func answered(w *order.State, reason string) bool {
	return slices.ContainsFunc(w.Timeline, func(c order.Change) bool { return c.Reason == reason })
}

// cancelled is the order that a record cancels, and whether it is too late for that.
func (p *Pipeline) cancelled(
	ctx context.Context, l *ledger.Ledger, r *kgo.Record, request wire.CancelRequest,
) (w *order.State, late bool, err error) {
	// The desk saw that the order was not begun. When all records are read again, that can be long ago.
	w, err = p.named(ctx, l, ledger.Question{ID: request.Order, Origin: ledger.Anywhere, Seen: ledger.Unseen, By: r}, request.Origin.Offset)
	if err != nil || !w.Status.Allows(order.Cancelled) {
		return w, err == nil, err
	}
	late, err = issued(ctx, l, w)
	return w, late, err
}

// named is the order that a request names, begun or not.
func (p *Pipeline) named(ctx context.Context, l *ledger.Ledger, q ledger.Question, origin int64) (*order.State, error) {
	found, err := l.Find(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case found.Standing == ledger.NotBegun:
		return p.queued(ctx, l, q.ID, origin)
	case found.Standing == ledger.Erased:
		return nil, ledger.ErrErased
	case found.State == nil:
		return nil, fmt.Errorf("state of %s: %w", q.ID, kafka.ErrGone)
	}
	return found.State, nil
}

// pointless reports whether a request names no order that there is: it is ignored.
func pointless(err error) bool {
	return permanent(err) || errors.Is(err, wire.ErrUndecodable) || errors.Is(err, kafka.ErrGone) || errors.Is(err, ledger.ErrErased)
}

// queued is an order that is not begun yet.
func (p *Pipeline) queued(ctx context.Context, l *ledger.Ledger, id order.ID, origin int64) (*order.State, error) {
	r, err := l.Source(ctx, origin)
	if err != nil {
		return nil, err
	}
	o, err := p.placed(&wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: l.Origin(origin)})
	if err == nil && o.ID != id {
		err = fmt.Errorf("%w: offset %d has order %s, not %s", wire.ErrUndecodable, origin, o.ID, id)
	}
	if err != nil {
		return nil, err
	}
	return new(o.Begin(l.Origin(origin))), nil
}
