// Package pipeline takes an order through its steps, and decides how it ends.
//
// Intent stands before effect: what a step's effect depends on is settled first (Plan), written to orders.status and
// acknowledged, and only then does the step have its effect (Do). Whoever takes over finds in the status how far the
// order came and resumes there, with the same price, the same invoice number and the same Message-ID.
//
// An effect that cannot be called back, and may or may not have been had, is uncertain: found in that state at take-over,
// or left so by an answer that was lost. It is counted in the order's progress and stated before it is repeated.
//
// Three places, and no others, decide what becomes of a record: open (is there anything to do?),
// run (the steps), and close.go (confirmed, put off, or a dead letter). A record that cancels an
// order has a place of its own (cancel.go).
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
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
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

// Config is what a pipeline needs beside its stages.
type Config struct {
	Topics topic.Set
	// Home is the partition in which a record of the topic orders belongs; see kafka.Layout.
	Home   func(key []byte, headers []kgo.RecordHeader) int32
	Group  string // of the worker, named in dead letters like
	Worker string // itself
	Retry  retry.Policy
	Hold   bool // an effect of which nobody can know whether it was had is not repeated without being asked for
	Meter  *metrics.Meter
	Log    *slog.Logger
}

// Pipeline works on orders. It is safe for concurrent use.
type Pipeline struct {
	cfg    Config
	stages []Stage
}

// New returns a pipeline of the given stages.
func New(cfg Config, stages []Stage) *Pipeline { return &Pipeline{cfg, stages} }

// Handle works on one record of a topic that orders come from until it is finished, and returns nil
// then: confirmed, or a dead letter, or put off into another topic, or nothing to do. Any error
// means that it is not finished and must be handed to the partition's next owner: wire.ErrNewer,
// retry.ErrStopping, or the cause of the end of ctx.
func (p *Pipeline) Handle(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
	if r.Topic == p.cfg.Topics.Status {
		if r.Value == nil {
			return l.Erase(ctx, r)
		}
		return l.Repair(ctx, order.ID(r.Key))
	}
	if r.Topic == p.cfg.Topics.Replay && wire.Type(r) == wire.TypeCancel {
		return p.cancel(ctx, l, r)
	}
	began := time.Now()
	a, err := p.open(ctx, l, r)
	if err != nil || a.done {
		return err
	}
	var blocked error
	failures, err := p.cfg.Retry.Do(ctx, stopping, func() error {
		err := p.run(ctx, l, a)
		if errors.Is(err, ledger.ErrBlocked) {
			blocked, err = err, nil
		}
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if blocked != nil {
		return blocked
	}
	if errors.Is(err, retry.ErrStopping) {
		return p.leave(ctx, l, a)
	}
	if err := p.end(ctx, l, a, failures, err); err != nil {
		return err
	}
	p.cfg.Meter.Ended(a.work.Status)
	line := "order finished"
	switch {
	case a.work.Status.Parked():
		line = "order put off"
	case a.replay == 0:
		p.cfg.Meter.Took(a.work.Order.PlacedAt)
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelInfo, line, slog.String(telemetry.Order, string(a.work.Order.ID)),
		slog.String(telemetry.Outcome, string(a.work.Status)), slog.Int(telemetry.Partition, int(r.Partition)), slog.Duration(telemetry.Took, time.Since(began)))
	return nil
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
			if ctx.Err() == nil && !errors.Is(err, retry.ErrOpen) {
				p.cfg.Meter.Failed(s.Name, err)
			}
			return fmt.Errorf("order %s: step %s: %w", a.work.Order.ID, s.Name, err)
		}
		a.work.Progress.Finish(s.Name)
	}
	return nil
}

// step plans, states its intent, and has its effect, unless what it needs is down.
func (p *Pipeline) step(ctx context.Context, l *ledger.Ledger, a *attempt, s Stage) error {
	w := a.work
	if err := safely(func() error { return s.Step.Plan(ctx, w) }); err != nil {
		return err
	}
	if s.Had != nil && s.Had(w) {
		return nil
	}
	if s.Doubt != nil && a.left == s.Intent {
		if class, err := p.doubt(a, s, errLeft); class == failure.Permanent {
			return err
		}
	}
	report, err := s.Breaker.Allow()
	if err != nil {
		return err
	}
	answer := retry.ErrNoAnswer
	defer func() { report(answer) }()
	if done, err := p.ready(ctx, l, a, s); err != nil || done {
		return err
	}
	err = p.do(ctx, l, w, s)
	if ctx.Err() == nil {
		answer = err
	}
	if _, reason := failure.Of(err); reason == failure.Uncertain && s.Doubt != nil {
		_, err := p.doubt(a, s, err)
		return err
	}
	if err == nil && s.Keeps {
		return l.Keep(ctx, w)
	}
	return err
}

// errLeft is found by whoever takes over.
var errLeft = errors.New("begun by a worker that did not live to say how it ended")

// mostDoubts is how often nobody may know whether an effect was had before it is repeated only when somebody asks for it.
// Whatever goes wrong, it will go wrong again, and a customer gets no more than three mails of one order.
const mostDoubts = 3

// doubt takes up that nobody can know whether a step has had its effect: it is counted, and stated before the effect is
// repeated. It returns what that means: a failure for good, if it is not to be repeated without being asked for.
func (p *Pipeline) doubt(a *attempt, s Stage, cause error) (failure.Class, error) {
	p.cfg.Meter.Uncertain()
	class := failure.Transient
	if s.Doubt(&a.work.Progress) >= mostDoubts || p.cfg.Hold {
		class = failure.Permanent
	}
	a.left, a.intent, a.reason = "", "", failure.Uncertain
	return class, failure.New(class, failure.Uncertain, cause)
}

// ready states the intent of a step, and brings the document that was issued before, if there is one. It reports whether
// that is all there is to do.
//
// The document is loaded first: a worker that is killed while Kafka does not answer must not leave an intent behind, because
// its successor would have to count an effect that was never had as uncertain.
func (p *Pipeline) ready(ctx context.Context, l *ledger.Ledger, a *attempt, s Stage) (done bool, err error) {
	w := a.work
	i := w.Progress.Invoice
	if !s.Keeps && w.Document == nil && i != nil && i.Kept != nil {
		if err := l.Load(ctx, w); err != nil {
			return false, err
		}
	}
	if s.Intent != "" && a.intent != s.Intent {
		if s.Keeps && !a.adopt {
			if err := l.Announce(ctx, w); err != nil {
				return false, err
			}
		}
		if err := l.Write(ctx, w, order.Change{Status: s.Intent, Reason: string(a.reason), Replay: a.replay}); err != nil {
			return false, err
		}
		a.intent, a.reason = s.Intent, ""
	}
	if s.Keeps && a.adopt {
		// A worker that stopped between keeping the invoice and recording that left it in the topic: that one counts.
		err := l.Adopt(ctx, w)
		return err == nil && i.Kept != nil, err
	}
	return false, nil
}

// do has the effect of a step, while nobody else can have been given the partition. A lease that runs out meanwhile is no
// failure: nothing was done then, and it is done when the lease is back.
func (p *Pipeline) do(ctx context.Context, l *ledger.Ledger, w *order.State, s Stage) error {
	for {
		if err := l.Hold(ctx); err != nil {
			return err
		}
		guarded := l.Guard(ctx)
		if err := safely(func() error { return s.Step.Do(guarded, w) }); !errors.Is(err, lease.ErrLapsed) {
			return err
		}
	}
}

// leave leaves an order to the partition's next owner. An intent that came to nothing is taken back: the next owner would
// have to take it for an effect of which nobody knows.
func (p *Pipeline) leave(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	for _, s := range p.stages {
		if s.Doubt == nil || a.intent != s.Intent || a.left == s.Intent {
			continue
		}
		if err := l.Write(ctx, a.work, order.Change{Status: order.Working, Replay: a.replay}); err != nil {
			return err
		}
	}
	return retry.ErrStopping
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
