// Package pipeline takes an order through its steps, and decides how it ends.
//
// Stop 3.
// From: consumer
// To: retry
//
// Intent stands before effect: what a step's effect depends on is settled first (Plan), written to orders.status and
// acknowledged, and only then does the step have its effect (Do). Whoever takes over finds in the status how far the
// order came and resumes there, with the same price, the same invoice number and the same Message-ID.
//
// Three places, and no others, decide what becomes of a record: open (is there anything to do?), run (the steps), and
// close.go (confirmed, or a letter).
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

// Step is one piece of work on an order. It knows nothing of Kafka. Both methods mark their errors with package
// failure and are safe for concurrent use by different orders.
type Step interface {
	// Plan settles, without any effect outside the process, all that the step's effect will depend on, and writes it to
	// w.Progress. It is idempotent: what an earlier attempt settled stays.
	Plan(ctx context.Context, w *order.State) error
	// Do has the effect. It runs after an acknowledged state holds what Plan settled.
	Do(ctx context.Context, w *order.State) error
}

// Pipeline works on orders. It is safe for concurrent use.
type Pipeline struct {
	stages []Stage
	topics topic.Set
	group  string
	worker string
	retry  retry.Policy
	log    *slog.Logger
}

// New returns a pipeline of the given stages. Group and worker are named in letters.
func New(log *slog.Logger, topics topic.Set, group, worker string, stages []Stage) *Pipeline {
	return &Pipeline{stages: stages, topics: topics, group: group, worker: worker, log: log}
}

// Handle works on one record of the topic orders or orders.replay until it is finished, and returns nil then: confirmed,
// or a letter, or nothing to do. Any error means that it is not finished and must be handed to the partition's next
// owner: wire.ErrNewer, retry.ErrStopping, or the cause of the end of ctx.
func (p *Pipeline) Handle(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
	if r.Topic == p.topics.Status {
		return l.Repair(ctx, order.ID(r.Key))
	}
	began := time.Now()
	a, err := p.open(ctx, l, r)
	if err != nil || a.done {
		return err
	}
	failures, err := p.retry.Do(ctx, stopping, func() error { return p.run(ctx, l, a) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, retry.ErrStopping) {
		return err
	}
	if err != nil {
		err = p.bury(ctx, l, a, failures, err)
	} else {
		err = l.Write(ctx, a.work, order.Change{Status: order.Confirmed, Replay: a.replay})
	}
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelInfo, "order finished", slog.String("order", string(a.work.Order.ID)),
			slog.String("outcome", string(a.work.Status)), slog.Int("partition", int(r.Partition)), slog.Duration("took", time.Since(began)))
	}
	return err
}

// run does the steps that are not finished yet.
func (p *Pipeline) run(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	for _, s := range p.stages {
		if a.work.Progress.Has(s.Name) {
			continue
		}
		if err := p.step(ctx, l, a, s); err != nil {
			if a.failed.IsZero() {
				a.failed = time.Now()
			}
			a.step = s.Name
			return fmt.Errorf("order %s: step %s: %w", a.work.Order.ID, s.Name, err)
		}
		a.work.Progress.Finish(s.Name)
	}
	return nil
}

// step plans, states its intent, and has its effect.
func (p *Pipeline) step(ctx context.Context, l *ledger.Ledger, a *attempt, s Stage) error {
	w := a.work
	if err := safely(func() error { return s.Step.Plan(ctx, w) }); err != nil {
		return err
	}
	if s.Intent != "" && a.intent != s.Intent {
		if err := l.Write(ctx, w, order.Change{Status: s.Intent, Replay: a.replay}); err != nil {
			return err
		}
		a.intent = s.Intent
	}
	if !s.Keeps {
		return p.effect(ctx, l, w, s)
	}
	if a.adopt != nil {
		// A worker that stopped between keeping the invoice and saying so left it in the topic: that one counts.
		if err := l.Adopt(ctx, w, *a.adopt); err != nil || w.Progress.Invoice.Kept != nil {
			return err
		}
	}
	if err := p.do(ctx, l, w, s); err != nil {
		return err
	}
	return l.Keep(ctx, w)
}

// effect runs a step that needs the issued document, if there is one.
func (p *Pipeline) effect(ctx context.Context, l *ledger.Ledger, w *order.State, s Stage) error {
	if i := w.Progress.Invoice; w.Document == nil && i != nil && i.Kept != nil {
		if err := l.Load(ctx, w); err != nil {
			return err
		}
	}
	return p.do(ctx, l, w, s)
}

// do has the effect of a step, while nobody else can have been given the partition. A lease that runs out meanwhile is no failure of the order.
func (p *Pipeline) do(ctx context.Context, l *ledger.Ledger, w *order.State, s Stage) error {
	if err := l.Hold(ctx); err != nil {
		return err
	}
	guarded := l.Guard(ctx)
	err := safely(func() error { return s.Step.Do(guarded, w) })
	if errors.Is(err, lease.ErrLapsed) {
		return failure.New(failure.Down, failure.Internal, err)
	}
	return err
}

// safely turns a panic of a step into its error: a bug in one must not end the worker, and with it every other order.
func safely(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return do()
}
