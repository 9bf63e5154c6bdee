package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// viewWithin is how long a request waits for a view that is out of date, as after a start.
const viewWithin = 2 * time.Second

// awaitView waits until the view is recent enough to contain every earlier order that a repeat
// could have: workers detect duplicates of the last minutes only.
func (in *Intake) awaitView(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, viewWithin)
	defer cancel()
	return in.view.Fresh(ctx)
}

// findOrAppend returns the order with this ID. If the view has none, it appends the order; the returned
// one is another order, and replayed, if another instance appended one before.
func (in *Intake) findOrAppend(ctx context.Context, o order.Order) (Placed, error) {
	if in.closed(&o) {
		if err := in.readToEnd(ctx, in.partition(o.ID)); err != nil {
			return Placed{}, err
		}
	}
	if s, err := in.view.Order(ctx, o.ID); !errors.Is(err, view.ErrUnknown) {
		return Placed{s, true}, err
	}
	if err := in.view.CheckPartition(in.partition(o.ID)); err != nil {
		return Placed{}, err
	}
	r, err := in.append(ctx, &o)
	if err != nil {
		return Placed{}, err
	}
	if err := in.view.Applied(ctx, r.Partition, r.Offset); err != nil {
		return Placed{}, &OutcomeUnknownError{o.ID, err}
	}
	s, err := in.view.Order(ctx, o.ID)
	if err != nil {
		return Placed{}, &OutcomeUnknownError{o.ID, err}
	}
	return Placed{s, s.Origin != in.origin(r)}, nil
}

// closed reports whether an order is refused, unless it is placed already.
func (in *Intake) closed(o *order.Order) bool { return in.cfg.Closed && o.Refund == nil }

// readToEnd waits until the view has applied all that a partition of orders has now. Then an order that the view does
// not know was not placed by any instance, if all are closed.
func (in *Intake) readToEnd(ctx context.Context, partition int32) error {
	all, err := kadm.NewClient(in.producer.cl).ListEndOffsets(ctx, in.cfg.Topic)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotPlaced, err)
	}
	if end, _ := all.Lookup(in.cfg.Topic, partition); end.Offset > 0 {
		return in.view.Applied(ctx, partition, end.Offset-1)
	}
	return nil
}

func (in *Intake) origin(r *kgo.Record) order.Origin {
	return order.Origin{Incarnation: in.cfg.Incarnation, Partition: r.Partition, Offset: r.Offset}
}

// append checks the VAT ID of an order and appends its record, which it returns with its partition and
// offset. What workers do with the order continues the span in which its record is made.
func (in *Intake) append(ctx context.Context, o *order.Order) (r *kgo.Record, err error) {
	if in.closed(o) {
		return nil, ErrClosed
	}
	ctx, span := tracing.Create(ctx, in.cfg.Topic)
	defer func() { span.Close(err, "not placed, or not known to be") }()
	tracing.About(ctx, string(o.ID), "")
	o.Cause.Trace = tracing.Traceparent(ctx)
	if err := in.backpressure(); err != nil {
		return nil, err
	}
	if reason := in.Blocked(); reason != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlocked, reason)
	}
	if err := in.checkVATID(ctx, o); err != nil {
		return nil, err
	}
	if r, err = in.record(*o); err != nil {
		return nil, err
	}
	if o.Refund == nil {
		if err := in.recipients.count(o.Customer.Email); err != nil {
			return nil, err
		}
	}
	if err := in.view.Leader(in.partition(o.ID)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotPlaced, err)
	}
	written := in.producer.written.Load()
	appended, err := in.producer.gather.Append(ctx, in.producer.cl, r.Topic, r.Partition, r)
	if err != nil && ctx.Err() != nil {
		return nil, &OutcomeUnknownError{o.ID, context.Cause(ctx)}
	}
	return appended, outcome(o.ID, err, in.producer.written.Load() > written)
}

// backpressure is ErrBackpressure while the oldest order that no worker has begun is older than
// Config.Promise.
func (in *Intake) backpressure() error {
	if in.cfg.Promise == 0 {
		return nil
	}
	oldest := in.view.Health().Oldest
	age := time.Since(oldest.Placed)
	if oldest.Placed.IsZero() || age <= in.cfg.Promise {
		return nil
	}
	return fmt.Errorf("%w: order %s, partition %d offset %d of %s, has waited for %s: check that a worker owns that partition",
		ErrBackpressure, oldest.Order, oldest.Origin.Partition, oldest.Origin.Offset, in.cfg.Topic, age.Round(time.Second))
}

// record encodes an order, and checks that view and workers will not refuse it. An acknowledged
// record that they refuse would be a lost order, and every repeat would append another.
func (in *Intake) record(o order.Order) (*kgo.Record, error) {
	r := wire.Order(o)
	r.Topic = in.cfg.Topic
	in.layout().Place(r)
	if err := wire.CheckOrder(o, r); err != nil {
		return nil, fmt.Errorf("checking the record of order %s: %w", o.ID, err)
	}
	return r, nil
}

// partition is the partition of an order by its ID. It depends on the partition count at the start,
// not on that which the client sees: view and workers ignore partitions that are added later.
func (in *Intake) partition(id order.ID) int32 { return in.layout().Partition([]byte(id)) }

func (in *Intake) layout() kafka.Layout { return kafka.Layout{Partitions: in.cfg.Partitions} }

// outcome maps an error of the producer. The order is certainly not placed if the producer has
// written nothing to any broker since it got the record, or if the broker has refused the record.
func outcome(id order.ID, err error, written bool) error {
	if err == nil {
		return nil
	}
	refused, ok := errors.AsType[*kerr.Error](err)
	if !written || errors.Is(err, kgo.ErrMaxBuffered) || ok && !refused.Retriable || errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("%w: %w", ErrNotPlaced, err)
	}
	// A record that timed out may have been written: the response to an attempt may have been lost.
	return &OutcomeUnknownError{id, err}
}
