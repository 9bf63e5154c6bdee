package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// forecast answers a dry run: what a replay of a dead letter would do. It decides as a replay does, takes
// the steps on the order as it was read, and appends the result to orders.desk. It writes nothing else, and
// has no effect that cannot be undone.
//
// The request is in the order's lane and takes a slot, as the replay would: no other record changes the
// state meanwhile. Topics take turns, so a thousand dry runs delay an order by one slot at a time.
func (p *Pipeline) forecast(ctx context.Context, l *ledger.Ledger, r *kgo.Record) error {
	q, err := wire.ReadReplayRequest(r)
	if errors.Is(err, wire.ErrUndecodable) {
		p.ignore(ctx, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	a, err := p.open(ctx, l, r)
	if err != nil {
		return err
	}
	f := &wire.Forecast{Job: q.Job, DeadLetter: q.Origin.String(), Cause: q.Cause, At: time.Now(), Edit: a.pending.Edit}
	switch a.todo {
	case steps:
		err = p.try(ctx, l, a, f)
	case refuse:
		f.Steps = append(f.Steps, failing("", a.why))
	case answering:
		f.Answer = a.answer
	default: // a replay would be ignored
		if f.Answer = order.Conflict; errors.Is(a.why, ledger.ErrErased) {
			f.Answer = order.AlreadyDone
		}
	}
	if err != nil {
		return err
	}
	return l.Forecast(ctx, f)
}

// try takes the steps that are left, until one fails or cannot be tried.
func (p *Pipeline) try(ctx context.Context, l *ledger.Ledger, a *attempt, f *wire.Forecast) error {
	w := &a.work.Work
	for _, s := range p.steps {
		if w.Progress.Has(s.Name()) {
			continue
		}
		outcome, err := p.rehearse(ctx, l, a, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, ledger.ErrBlocked) {
			return err
		}
		if err != nil {
			f.Steps = append(f.Steps, failing(s.Name(), named(a, s, err)))
			break
		}
		f.Steps = append(f.Steps, wire.StepForecast{Step: s.Name(), Outcome: outcome})
		if outcome == wire.StepNotTried {
			break
		}
		w.Progress.Finish(s.Name())
	}
	if shipping, _ := w.Shipping(); shipping != nil {
		f.Shipping = shipping.Price
		if order.TextFault(shipping.Carrier, 0, 200) == "" {
			f.Carrier = shipping.Carrier
		}
	}
	if i := w.Progress.Invoice; i != nil {
		f.Total = i.Total
	}
	return nil
}

// rehearse takes one step as far as it has no effect outside the process.
func (p *Pipeline) rehearse(ctx context.Context, l *ledger.Ledger, a *attempt, s Step) (wire.StepOutcome, error) {
	w := &a.work.Work
	if err := safely(ctx, "plan", s, func(ctx context.Context) error { return s.Plan(ctx, w) }); err != nil || delivered(s, w) {
		return wire.StepOK, err
	}
	document, stores := s.(WithDocument)
	if stores && document.Stored(w) {
		return wire.StepOK, nil
	}
	if intentOf(s) == "" || stores {
		return wire.StepOK, safely(ctx, "do", s, func(ctx context.Context) error { return s.Do(ctx, w) })
	}
	if err := loaded(ctx, l, a.work); err != nil {
		return "", err
	}
	if c, ok := s.(WithCheck); ok {
		return wire.StepNotTried, safely(ctx, "check", s, func(ctx context.Context) error { return c.Check(ctx, w) })
	}
	return wire.StepNotTried, nil
}

// failing is a step that would fail, as its dead letter would have it.
func failing(s order.Step, err error) wire.StepForecast {
	class, reason := failure.Of(err)
	return wire.StepForecast{Step: s, Outcome: wire.StepFails, Class: class.String(), Reason: string(reason), Message: dlq.Message(err.Error())}
}
