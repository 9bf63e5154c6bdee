package pipeline

import (
	"context"
	"fmt"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// edit takes over the edited order of a replay, in memory: the first state that the attempt writes has it.
// Until then a crash leaves the request, which is read again. It reports why the edit is refused, and then
// the order stays as it is.
func (p *Pipeline) edit(ctx context.Context, l *ledger.Ledger, a *attempt, edited order.Order) (refused, err error) {
	s, version := a.work, a.pending.Edit
	switch {
	case a.why != nil:
		return a.why, nil
	case version < s.Edit:
		return fmt.Errorf("edit %d: a newer one, %d, was replayed", version, s.Edit), nil
	}
	stored, err := issued(ctx, l, s)
	if err != nil {
		return nil, err
	}
	if faults := s.Edited(edited, version, stored); len(faults) > 0 {
		return fmt.Errorf("edit %d: %s %s", version, faults[0].Pointer, faults[0].Detail), nil
	}
	a.adopt = stored && s.Progress.Invoice.Kept == nil
	return nil, nil
}

// issued reports whether the invoice of an order is stored. A worker that stopped can have stored it
// without recording that: the attempt that continues with the order adopts it.
func issued(ctx context.Context, l *ledger.Ledger, w *order.State) (bool, error) {
	if i := w.Progress.Invoice; i == nil || i.Kept != nil {
		return i != nil, nil
	}
	probe, invoice := *w, *w.Progress.Invoice
	probe.Progress.Invoice = &invoice
	err := l.Adopt(ctx, &probe)
	return invoice.Kept != nil, err
}

// agree makes the records that the attempt writes hold the order that its state has: a replay without an
// edit continues with the edit before it.
func (a *attempt) agree() {
	if s := a.work; a.pending.Edit != s.Edit {
		a.pending.Value, a.pending.Edit = wire.Order(s.Order).Value, s.Edit
	}
}
