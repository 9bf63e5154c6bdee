package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/order"
	"example.com/orders/shared/tracing"
)

// Step is one piece of work on an order. It sees the order and its progress, and knows nothing of Kafka.
// Plan and Do mark their errors with package failure. All methods are safe for concurrent use by
// different orders.
//
// A step with an effect outside the process, or with other needs, implements the interfaces below, too.
type Step interface {
	Name() order.Step
	// Plan decides everything that the effect depends on, and writes it to w.Progress. It has no effect
	// outside the process. It keeps what an earlier attempt has decided.
	Plan(ctx context.Context, w *order.Work) error
	// Do has the effect.
	Do(ctx context.Context, w *order.Work) error
}

// WithIntent is a step with an effect outside the process. Its intent is written to orders.status and
// acknowledged between Plan and Do, with what Plan has decided. Each step has a status of its own: an
// attempt writes an intent once. Do is called while the lease is held and no newer claim is before the
// intent; the Do of another step is called at once.
type WithIntent interface {
	Intent() order.Status
}

// WithDocument is a step whose effect is a document: Do writes it to w.Document and does nothing else, and
// it is stored in orders.invoices, once. Stored reports whether the order's progress points at it there.
type WithDocument interface {
	Stored(w *order.Work) bool
}

// WithCheck is a step whose effect cannot be undone, and of which a dry run can try what comes before.
// Check reports, after Plan, what would refuse the order in this process. It has no effect.
type WithCheck interface {
	Check(ctx context.Context, w *order.Work) error
}

// WithDependency is a step that needs something which can be down. Allow is asked before the intent is
// written; see retry.Breaker.
type WithDependency interface {
	Allow() (report func(error), err error)
}

// WithLimit is a step of which only so many effects may happen at the same time. Reserve blocks until there is room
// for one more, and keeps it until free is called. False means that stopping was closed or ctx has ended meanwhile.
type WithLimit interface {
	Reserve(ctx context.Context, stopping <-chan struct{}) (free func(), ok bool)
}

// WithUncertainty is a step whose effect cannot be undone, and whose outcome can remain unknown.
// CountUncertain counts that in the order's progress, and returns the count.
type WithUncertainty interface {
	WithIntent
	CountUncertain(w *order.Work) int
}

// WithReceipt is a step that remembers effects of this process. Delivered reports, after Plan, whether
// the effect is known to have happened: then the step is finished, whatever orders.status has. False
// means unknown.
type WithReceipt interface {
	Delivered(w *order.Work) bool
}

func intentOf(s Step) order.Status {
	if s, ok := s.(WithIntent); ok {
		return s.Intent()
	}
	return ""
}

func delivered(s Step, w *order.Work) bool {
	receipt, ok := s.(WithReceipt)
	return ok && receipt.Delivered(w)
}

// allow asks the circuit breaker of a step. The result of the attempt must be reported, once.
func allow(s Step) (report func(error), err error) {
	if s, ok := s.(WithDependency); ok {
		return s.Allow()
	}
	return func(error) {}, nil
}

// reserve waits for room for the effect of a step.
func reserve(ctx context.Context, s Step, stopping <-chan struct{}) (free func(), err error) {
	limited, ok := s.(WithLimit)
	if !ok {
		return func() {}, nil
	}
	if free, ok = limited.Reserve(ctx, stopping); ok {
		return free, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, retry.ErrStopping
}

// safely does a part of a step in a span of its own, and turns its panic into an error: a bug in one step
// must not end the worker.
func safely(ctx context.Context, part string, s Step, do func(context.Context) error) (err error) {
	ctx, span := tracing.Start(ctx, part, string(s.Name()))
	defer func() { span.End(err) }()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return do(ctx)
}
