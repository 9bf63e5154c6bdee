package pipeline

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// receive records a payment in the state of its order, whatever the status of the order is: the money is
// there. An order that is not begun gets its first state. A payment that is known changes nothing, so the
// record can be read again.
// The record is in the order's lane, so the order is not in flight.
func (p *Pipeline) receive(ctx context.Context, l *ledger.Ledger, r *kgo.Record) error {
	var w *order.State
	request, err := wire.ReadPaymentRequest(r)
	if err == nil {
		q := ledger.Question{ID: request.Order, Origin: ledger.Anywhere, Seen: seen(request.StateAt), By: r}
		w, err = p.named(ctx, l, q, request.Origin.Offset)
	}
	if pointless(err) {
		p.ignore(ctx, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	tracing.About(ctx, string(w.Order.ID), w.Order.Cause.Trace)
	reason := w.Receive(request.Payment)
	switch reason {
	case "":
		return nil
	case order.PaymentRefused:
		p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "payment refused: compare it with the payments of the order", slog.String(telemetry.Order, string(w.Order.ID)),
			slog.Int(telemetry.Partition, int(r.Partition)), slog.Int64(telemetry.Offset, r.Offset))
		if answered(w, reason) {
			return nil
		}
	default:
		if err := state(ctx, l, w); err != nil {
			return err
		}
	}
	return l.Write(ctx, w, order.Change{Status: w.Status, Reason: reason})
}

// seen is the state that the API saw, as the ledger is asked for it.
func seen(stateAt int64) int64 {
	if stateAt == 0 {
		return ledger.Unseen
	}
	return stateAt
}

// state makes the invoice state all payments that are known, unless it is stored: it was planned by an
// attempt that failed, or whose worker stopped.
func state(ctx context.Context, l *ledger.Ledger, w *order.State) error {
	if w.Progress.Invoice == nil {
		return nil
	}
	stored, err := issued(ctx, l, w)
	if err == nil && !stored {
		w.Progress.Invoice.Payments = len(w.Payments)
	}
	return err
}
