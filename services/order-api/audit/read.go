package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// carrier is a topic with orders that have left the topic orders and are still to be processed.
type carrier struct {
	topic string
	// continues returns the entry of the order that a worker continues because of a record, or nil.
	// Its only error is wire.ErrNewer.
	continues func(*table, *kgo.Record) (*entry, error)
}

// carriers lists all topics, except orders, in which an order can be in flight.
func carriers(topics topic.Set) []carrier {
	return []carrier{
		{topics.Retry10s, (*table).parked},
		{topics.Retry2m, (*table).parked},
		{topics.Waiting, (*table).parked},
		{topics.Replay, (*table).requested},
	}
}

// parked returns the order of a retry or waiting record. Only the newest record of an order is
// processed: after a crash before the commit there may be an older one, or one whose state was not
// written.
func (t *table) parked(r *kgo.Record) (*entry, error) {
	p, err := wire.ReadParked(r)
	if err != nil {
		return nil, newer(err)
	}
	if e := t.at(p.Origin.Offset); p.Rev == int64(e.parked) {
		return e, nil
	}
	return nil, nil
}

// requested returns the order of a request. A replay continues it. After a cancellation the worker
// writes the void record of the number, after the state.
func (t *table) requested(r *kgo.Record) (*entry, error) {
	if wire.Type(r) == wire.TypePayment {
		return nil, nil // it leaves the status of the order as it is
	}
	if wire.Type(r) != wire.TypeCancel {
		q, err := wire.ReadReplayRequest(r)
		if err != nil {
			return nil, newer(err)
		}
		if q.DryRun {
			return nil, nil
		}
		return t.at(q.Origin.Offset), nil
	}
	c, err := wire.ReadCancelRequest(r)
	if err != nil {
		return nil, newer(err)
	}
	if e := t.at(c.Origin.Offset); e.status() == order.Cancelled {
		return e, nil
	}
	return nil, nil
}

// newer returns an error if it is about a record of a newer version: an audit must not ignore it.
func newer(err error) error {
	if errors.Is(err, wire.ErrNewer) {
		return err
	}
	return nil
}

// bounds are the offsets of one partition number before it is read, by topic.
type bounds struct {
	committed map[string]int64 // of the group; negative if it has committed nothing
	ends      map[string]int64 // end of committed transactions
	starts    map[string]int64 // above 0 if records were deleted
}

// measure reads offsets in reverse order of writing: first those of what is written last.
func (a *auditor) measure(ctx context.Context, number int32) (bounds, error) {
	b := bounds{map[string]int64{}, map[string]int64{}, map[string]int64{}}
	sources := []string{a.topics.Orders}
	for _, c := range a.carriers {
		sources = append(sources, c.topic)
	}
	var parts []kafka.Partition
	for _, name := range sources {
		parts = append(parts, kafka.Partition{Topic: name, Number: number})
	}
	found, err := kafka.Commits(ctx, a.cl, a.group, parts...)
	if err != nil {
		return b, fmt.Errorf("reading the committed offsets of group %q: %w", a.group, err)
	}
	for p, commit := range found {
		b.committed[p.Topic] = commit.At
	}
	slices.Reverse(sources) // orders last
	for _, name := range append([]string{a.topics.Status, a.topics.Invoices, a.topics.DLQ}, sources...) {
		if b.ends[name], err = a.end(ctx, name, number); err != nil {
			return b, err
		}
	}
	for _, name := range []string{a.topics.Invoices, a.topics.DLQ, a.topics.Replay} {
		if b.starts[name], err = a.ask(ctx, "start", kafka.Starts, name, number); err != nil {
			return b, err
		}
	}
	return b, nil
}

// errSilent is a partition whose leader does not answer. The other partitions are audited.
var errSilent = errors.New("no answer")

// end returns the end offset of a partition.
func (a *auditor) end(ctx context.Context, name string, number int32) (int64, error) {
	return a.ask(ctx, "end", kafka.Ends, name, number)
}

// ask returns an offset from the leader of a partition.
func (a *auditor) ask(
	ctx context.Context, what string, list func(context.Context, *kgo.Client, ...kafka.Partition) kafka.Offsets, name string, number int32,
) (int64, error) {
	p := kafka.Partition{Topic: name, Number: number}
	found := list(ctx, a.cl, p)[p]
	if found.Err != nil {
		return 0, fmt.Errorf("%w for the %s of %s/%d: %w", errSilent, what, name, number, found.Err)
	}
	return found.At, nil
}

// readOn reads each topic from where the last round ended. It reads carriers from the committed
// offset again, because it may have changed.
func (a *auditor) readOn(ctx context.Context, t *table, b bounds, round uint8) error {
	t.invoicesFrom, t.deadLettersFrom, t.replaysFrom = b.starts[a.topics.Invoices], b.starts[a.topics.DLQ], b.starts[a.topics.Replay]
	t.replayed = b.committed[a.topics.Replay]
	for _, s := range []struct {
		topic string
		each  func(*kgo.Record) error
	}{
		{a.topics.Orders, t.placed},
		{a.topics.Status, t.state},
		{a.topics.Invoices, t.invoice},
		{a.topics.DLQ, t.deadLetter},
		{a.topics.Replay, t.ask},
	} {
		if err := a.read(ctx, t, s.topic, t.next[s.topic], b.ends[s.topic], s.each); err != nil {
			return err
		}
		t.next[s.topic] = max(t.next[s.topic], b.ends[s.topic])
	}
	for _, c := range a.carriers {
		err := a.read(ctx, t, c.topic, max(0, b.committed[c.topic]), b.ends[c.topic], func(r *kgo.Record) error {
			e, err := c.continues(t, r)
			if e != nil {
				e.carried = round
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	t.settle(b.ends[a.topics.Orders])
	return nil
}

// read reads a range of a topic. It skips unreadable batches and adds them to the report.
func (a *auditor) read(ctx context.Context, t *table, topic string, from, to int64, each func(*kgo.Record) error) error {
	for {
		err := a.kafka.Read(ctx, topic, t.origin.Partition, from, to, each)
		bad, ok := errors.AsType[*kafka.UnreadableError](err)
		if !ok {
			return err
		}
		t.blocked[Batch{bad.Topic, bad.Partition, bad.From, bad.To, bad.Err.Error()}] = true
		from = bad.To
	}
}

// name adds the order IDs to the places in a report, as far as the orders still exist.
func (a *auditor) name(ctx context.Context, faults []Fault) error {
	for _, f := range faults {
		for i := range f.Where {
			at := &f.Where[i]
			r, err := a.kafka.One(ctx, a.topics.Orders, at.Partition, at.Offset)
			if errors.Is(err, kafka.ErrGone) {
				continue
			}
			if err != nil {
				return fmt.Errorf("reading the ID of order %d-%d: %w", at.Partition, at.Offset, err)
			}
			at.Order = order.ID(r.Key)
		}
	}
	return nil
}
