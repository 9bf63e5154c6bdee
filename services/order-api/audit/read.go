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

// carrier is a topic with orders that have left the topic orders and are still to be worked on.
type carrier struct {
	topic string
	// takenUp returns the entry of the order that a worker continues because of a record, or nil. Its only error is
	// wire.ErrNewer.
	takenUp func(*table, *kgo.Record) (*entry, error)
}

// carriers is the one list of places, beside the topic orders, in which an order can be in flight.
func carriers(topics topic.Set) []carrier {
	return []carrier{
		{topics.Retry10s, (*table).parked},
		{topics.Retry2m, (*table).parked},
		{topics.Waiting, (*table).parked},
		{topics.Replay, (*table).requested},
	}
}

// parked returns the order of a parked record. Of several records only that of the newest parked state is taken up: an older
// one was left behind by a crash before its commit, and one without a state by a crash before that.
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

// requested returns the order of a request: a replay continues it, and after a cancel the void record of its number may be
// still to come.
func (t *table) requested(r *kgo.Record) (*entry, error) {
	if wire.Type(r) != wire.TypeCancel {
		q, err := wire.ReadReplayRequest(r)
		if err != nil {
			return nil, newer(err)
		}
		return t.at(q.Origin.Offset), nil
	}
	c, err := wire.ReadCancelRequest(r)
	if err != nil {
		return nil, newer(err)
	}
	if e := t.at(c.Origin.Offset); e.end == cancelled {
		return e, nil
	}
	return nil, nil
}

// newer returns an error if it is about a record of a newer version, which an audit must not pass over.
func newer(err error) error {
	if errors.Is(err, wire.ErrNewer) {
		return err
	}
	return nil
}

// bounds is what was asked about one partition number before it was read, by topic.
type bounds struct {
	committed map[string]int64 // by the group; negative where it has committed nothing
	ends      map[string]int64 // of what is not part of an open transaction
	starts    map[string]int64 // of the logs that are kept for ever, unless somebody deletes records
}

// measure asks for offsets, backwards: what is written last is asked for first.
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
		return b, fmt.Errorf("asking what group %q has committed: %w", a.group, err)
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
	for _, name := range []string{a.topics.Invoices, a.topics.DLQ} {
		if b.starts[name], err = a.ask(ctx, "start", kafka.Starts, name, number); err != nil {
			return b, err
		}
	}
	return b, nil
}

// errSilent is of a partition whose leader does not answer. The others are audited.
var errSilent = errors.New("no answer")

// end asks for the end of one partition.
func (a *auditor) end(ctx context.Context, name string, number int32) (int64, error) {
	return a.ask(ctx, "end", kafka.Ends, name, number)
}

// ask asks one partition's leader for an offset.
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

// readOn reads each topic from where the round before ended. Carriers are read anew: what they carried then may be finished now.
func (a *auditor) readOn(ctx context.Context, t *table, b bounds, round uint8) error {
	t.invoicesFrom, t.deadLettersFrom = b.starts[a.topics.Invoices], b.starts[a.topics.DLQ]
	for _, s := range []struct {
		topic string
		each  func(*kgo.Record) error
	}{
		{a.topics.Orders, t.placed},
		{a.topics.Status, t.state},
		{a.topics.Invoices, t.invoice},
		{a.topics.DLQ, t.deadLetter},
	} {
		if err := a.read(ctx, t, s.topic, t.next[s.topic], b.ends[s.topic], s.each); err != nil {
			return err
		}
		t.next[s.topic] = max(t.next[s.topic], b.ends[s.topic])
	}
	for _, c := range a.carriers {
		err := a.read(ctx, t, c.topic, max(0, b.committed[c.topic]), b.ends[c.topic], func(r *kgo.Record) error {
			e, err := c.takenUp(t, r)
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

// read reads a stretch of a topic, and goes on behind batches that cannot be read, which the report names.
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

// name adds the IDs of the orders to the places that a report names, as far as their records are still there.
func (a *auditor) name(ctx context.Context, faults []Fault) error {
	for _, f := range faults {
		for i := range f.Where {
			at := &f.Where[i]
			r, err := a.kafka.One(ctx, a.topics.Orders, at.Partition, at.Offset)
			if errors.Is(err, kafka.ErrGone) {
				continue
			}
			if err != nil {
				return fmt.Errorf("naming order %d-%d: %w", at.Partition, at.Offset, err)
			}
			at.Order = order.ID(r.Key)
		}
	}
	return nil
}
