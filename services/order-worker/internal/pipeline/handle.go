package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// Handle works on one record of a topic that orders come from. It returns nil when the record is
// finished: its order is confirmed, dead-lettered, or retrying or waiting in another topic, or there was
// nothing to do. Any error means that the record is not finished and must be left to the partition's next
// owner: wire.ErrNewer, ledger.ErrBlocked, retry.ErrStopping, or the cause of the end of ctx.
func (p *Pipeline) Handle(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
	switch {
	case r.Topic == p.cfg.Topics.Status:
		return l.Amend(ctx, r)
	case r.Topic == p.cfg.Topics.Replay && wire.Type(r) == wire.TypeCancel:
		return p.cancel(ctx, l, r)
	case r.Topic == p.cfg.Topics.Replay && wire.Type(r) == wire.TypePayment:
		return p.receive(ctx, l, r)
	case r.Topic == p.cfg.Topics.Replay && wire.IsDryRun(r):
		return p.forecast(ctx, l, r)
	}
	began := time.Now()
	a, err := p.open(ctx, l, r)
	if err != nil {
		return err
	}
	if a.todo != steps {
		return p.settle(ctx, l, a, r)
	}
	a.stopping = stopping
	failures, err := p.cfg.Retry.Do(ctx, stopping, func() error { return p.advance(ctx, l, a) })
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ledger.ErrBlocked):
		return err
	case errors.Is(err, retry.ErrStopping):
		return p.leave(ctx, l, a)
	case err != nil:
		err = p.fail(ctx, l, a, failures, err)
	default:
		err = l.Write(ctx, a.work, a.change(order.Confirmed, "", ""))
	}
	if err != nil {
		return err
	}
	p.ended(ctx, r, a, began)
	if a.ofAnother {
		return p.Handle(ctx, l, r, stopping) // now its own request has nothing to do, and is answered
	}
	return nil
}

// advance takes the steps that are left of the order's way. Package worker lists them: price and ship,
// invoice, mail.
func (p *Pipeline) advance(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	a.tries++
	for _, s := range p.steps {
		if a.work.Progress.Has(s.Name()) {
			continue
		}
		began := time.Now()
		inStep, span := tracing.Step(ctx, string(s.Name()), a.pending.Attempts+a.tries)
		err := p.take(inStep, l, a, s)
		span.End(err)
		if ctx.Err() == nil && !errors.Is(err, retry.ErrOpen) && !errors.Is(err, retry.ErrStopping) {
			p.cfg.Meter.Step(s.Name(), time.Since(began), err)
		}
		if err != nil {
			return failedAt(a, s, err)
		}
		a.work.Progress.Finish(s.Name())
	}
	return nil
}

// take takes one step: plan, write the intent, have the effect, store its document.
func (p *Pipeline) take(ctx context.Context, l *ledger.Ledger, a *attempt, s Step) error {
	w := &a.work.Work
	if err := safely(ctx, "plan", s, func(ctx context.Context) error { return s.Plan(ctx, w) }); err != nil || delivered(s, w) {
		return err
	}
	if err := p.orphaned(a, s); err != nil {
		return err
	}
	report, err := allow(s)
	if err != nil {
		return err
	}
	answer := retry.ErrNoAnswer
	defer func() { report(answer) }()
	if finished, err := p.prepare(ctx, l, a, s); err != nil || finished {
		return err
	}
	err = do(ctx, l, a, s)
	if ctx.Err() == nil && !errors.Is(err, retry.ErrStopping) {
		answer = err
	}
	if _, stores := s.(WithDocument); stores && err == nil {
		return l.Keep(ctx, a.work)
	}
	return p.classify(a, s, err)
}

// prepare loads what the effect needs and writes the intent. It reports whether the step is finished
// without its effect, because a former owner has had it.
//
// The document is loaded first: a worker that is killed while Kafka does not answer must not leave an
// intent behind, because its successor would count an effect that never happened as uncertain.
func (p *Pipeline) prepare(ctx context.Context, l *ledger.Ledger, a *attempt, s Step) (finished bool, err error) {
	w, intent := a.work, intentOf(s)
	document, stores := s.(WithDocument)
	if intent != "" && !stores {
		if err := loaded(ctx, l, w); err != nil {
			return false, err
		}
	}
	if intent != "" && a.intent != intent {
		if stores && !a.adopt {
			if err := l.Announce(ctx, w); err != nil {
				return false, err
			}
		}
		announce := func(ctx context.Context) error { return l.Write(ctx, w, a.change(intent, "", string(a.reason))) }
		if err := safely(ctx, "intent", s, announce); err != nil {
			return false, err
		}
		a.intent, a.reason = intent, ""
	}
	if stores && a.adopt {
		// A worker that stopped between storing the document and recording that left it in the topic.
		err := l.Adopt(ctx, w)
		return err == nil && document.Stored(&w.Work), err
	}
	return false, nil
}

// do has the effect of a step while no other worker can own the partition. A lease that lapses meanwhile
// is no failure: nothing was done, and it is done when the lease is held again. A step without an intent
// has no effect outside the process, and waits for nothing.
func do(ctx context.Context, l *ledger.Ledger, a *attempt, s Step) error {
	effect := func(ctx context.Context) error { return s.Do(ctx, &a.work.Work) }
	if intentOf(s) == "" {
		return safely(ctx, "do", s, effect)
	}
	for {
		if err := l.Hold(ctx); err != nil {
			return err
		}
		// Reserved last: an order that waits for Kafka must not keep others from theirs.
		free, err := reserve(ctx, s, a.stopping)
		if err != nil {
			return err
		}
		err = safely(l.Guard(ctx), "do", s, effect)
		free()
		if !errors.Is(err, lease.ErrLapsed) {
			return err
		}
	}
}

// errOrphaned is the outcome of an effect that a former owner announced and did not record.
var errOrphaned = errors.New("the previous owner started the effect and never recorded its outcome")

// orphaned counts an effect of a former owner whose outcome is unknown. It returns an error if the effect
// must not be repeated.
func (p *Pipeline) orphaned(a *attempt, s Step) error {
	if u, ok := s.(WithUncertainty); ok && a.orphan == u.Intent() {
		if class, err := p.uncertain(a, u, errOrphaned); class == failure.Permanent {
			return err
		}
	}
	return nil
}

// classify counts an effect whose outcome is unknown because its answer was lost.
func (p *Pipeline) classify(a *attempt, s Step, err error) error {
	if u, ok := s.(WithUncertainty); ok {
		if _, reason := failure.Of(err); reason == failure.Uncertain {
			_, err = p.uncertain(a, u, err)
		}
	}
	return err
}

// maxUncertain is how often the outcome of an effect can be unknown before it is repeated only by a
// replay: so a customer gets at most three mails of one order, whatever goes wrong.
const maxUncertain = 3

// uncertain counts an unknown outcome in the order's progress, which is written before the effect is
// repeated. The failure that it returns is permanent if only a replay may repeat the effect.
func (p *Pipeline) uncertain(a *attempt, s WithUncertainty, cause error) (failure.Class, error) {
	p.cfg.Meter.Uncertain()
	class := failure.Transient
	if s.CountUncertain(&a.work.Work) >= maxUncertain || p.cfg.Hold {
		class = failure.Permanent
	}
	a.orphan, a.intent, a.reason = "", "", failure.Uncertain
	return class, failure.New(class, failure.Uncertain, cause)
}

func failedAt(a *attempt, s Step, err error) error {
	if a.failed.IsZero() {
		a.failed = time.Now()
	}
	a.step = s.Name()
	err = named(a, s, err)
	if errors.Is(err, ledger.ErrBlocked) {
		return fmt.Errorf("%w (%w)", err, retry.ErrNotRetried)
	}
	return err
}

// leave leaves an order to the partition's next owner. It takes back an intent whose effect did not
// happen: the next owner would count it as uncertain.
func (p *Pipeline) leave(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	for _, s := range p.steps {
		u, ok := s.(WithUncertainty)
		if !ok || a.intent != u.Intent() || a.orphan == u.Intent() {
			continue
		}
		if err := l.Write(ctx, a.work, a.change(order.Working, "", "")); err != nil {
			return err
		}
	}
	return retry.ErrStopping
}

// ended counts and logs an attempt that is finished.
func (p *Pipeline) ended(ctx context.Context, r *kgo.Record, a *attempt, began time.Time) {
	p.cfg.Meter.Ended(a.work.Status)
	tracing.Outcome(ctx, string(a.work.Status), a.last.err)
	text := "order finished"
	switch {
	case a.work.Status.Parked():
		text = "order parked"
	case a.work.Status == order.Confirmed && a.replay == 0:
		p.cfg.Meter.Mailed(a.work.Order.PlacedAt)
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelInfo, text, slog.String(telemetry.Order, string(a.work.Order.ID)),
		slog.String(telemetry.Outcome, string(a.work.Status)), slog.Int(telemetry.Partition, int(r.Partition)), slog.Duration(telemetry.Took, time.Since(began)))
}
