package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// cancel ends an order that its customer has called off, or says in its timeline that it is too late. The record stands
// in the order's lane, so nothing is in hand of it. It is in time while no invoice is kept: if the order has not come up
// in its queue yet, or if it was put off before that. Whatever comes up of the order later finds that it has ended.
//
// The state comes first and then the void record of its number: a crash in between leaves the cancel to the next owner,
// who finds the order cancelled. The other way round the order could still be begun, and its number be void and issued.
func (p *Pipeline) cancel(ctx context.Context, l *ledger.Ledger, r *kgo.Record) error {
	var w *order.State
	late := false
	request, err := wire.ReadCancelRequest(r)
	if err == nil {
		w, late, err = p.called(ctx, l, r, request)
	}
	class, _ := failure.Of(err)
	if err != nil && class == failure.Permanent || errors.Is(err, wire.ErrUndecodable) || errors.Is(err, kafka.ErrGone) || errors.Is(err, ledger.ErrErased) {
		p.ignore(r, err)
		return nil
	}
	switch {
	case err != nil:
		return err
	case w.Status == order.Cancelled:
	case late && answered(w):
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

// answered reports whether the order's customer was told before that it is too late.
func answered(w *order.State) bool {
	for _, c := range w.Timeline {
		if c.Reason == order.CancelRefused {
			return true
		}
	}
	return false
}

// called is the order that a record cancels, and whether it is too late for that.
func (p *Pipeline) called(
	ctx context.Context, l *ledger.Ledger, r *kgo.Record, request wire.CancelRequest,
) (w *order.State, late bool, err error) {
	id := request.Order
	// Whoever asks has seen that nobody had begun the order. When all is read again that may be long ago.
	if err := l.Recall(ctx, id, ledger.NotBegun, r); err != nil {
		return nil, false, err
	}
	if _, begun := l.Standing(id); !begun {
		w, err := p.queued(ctx, l, id, request.Origin.Offset)
		return w, false, err
	}
	s, err := l.State(ctx, id)
	if late := !s.Status.Allows(order.Cancelled); err != nil || late || s.Progress.Invoice == nil {
		return &s, late, err
	}
	if s.Progress.Invoice.Kept != nil {
		return &s, true, nil
	}
	// A worker that stopped may have kept it without saying so. To adopt it is left to whoever goes on with the order.
	invoice := *s.Progress.Invoice
	found := order.State{Order: s.Order, Origin: s.Origin, Progress: order.Progress{Invoice: &invoice}}
	err = l.Adopt(ctx, &found)
	return &s, invoice.Kept != nil, err
}

// queued is an order that has not come up in its queue yet.
func (p *Pipeline) queued(ctx context.Context, l *ledger.Ledger, id order.ID, origin int64) (*order.State, error) {
	r, err := l.Source(ctx, origin)
	if err != nil {
		return nil, err
	}
	o, err := p.placed(&wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: l.Origin(origin)})
	if err == nil && o.ID != id {
		err = fmt.Errorf("%w: order %s at offset %d, not %s", wire.ErrUndecodable, o.ID, origin, id)
	}
	if err != nil {
		return nil, err
	}
	return new(o.Begin(l.Origin(origin))), nil
}
