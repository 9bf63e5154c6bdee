package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// Blocked is a topic's partition that the view does not read on, because a batch cannot be read.
type Blocked struct {
	Topic     string
	Partition int32
	Offset    int64 // of the batch
	Reason    string
}

// Blocked lists the partitions that are blocked now, by topic and number.
func (v *View) Blocked() []Blocked {
	all := []Blocked{}
	for _, bad := range v.unreadable() {
		all = append(all, Blocked{bad.Topic, bad.Partition, bad.From, bad.Error()})
	}
	slices.SortFunc(all, func(a, b Blocked) int {
		return strings.Compare(fmt.Sprintf("%s/%09d", a.Topic, a.Partition), fmt.Sprintf("%s/%09d", b.Topic, b.Partition))
	})
	return all
}

func (v *View) unreadable() (all []*kafka.UnreadableError) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, reason := range v.held {
		if bad, ok := errors.AsType[*kafka.UnreadableError](reason); ok {
			all = append(all, bad)
		}
	}
	return all
}

// block stops at a batch that cannot be read.
func (v *View) block(s source, bad *kafka.UnreadableError) {
	if v.holds(s) {
		return
	}
	v.hold(s, bad)
	v.sayBlocked(bad)
}

func (v *View) sayBlocked(bad *kafka.UnreadableError) {
	v.cfg.Log.Error("partition blocked for the view: a batch cannot be read",
		telemetry.Topic, bad.Topic, telemetry.Partition, bad.Partition, telemetry.Offset, bad.From, telemetry.Error, bad)
}

// gap looks at offsets between the position and the next record: the client passes over what it cannot read when a whole batch follows. In
// orders.status compaction leaves gaps everywhere, and they are not looked at.
func (v *View) gap(ctx context.Context, s source, at int64, next *kgo.Record) *kafka.UnreadableError {
	if next.Offset <= at || s.topic == v.cfg.Topics.Status || v.holds(s) {
		return nil
	}
	_, err := v.records.Whole(ctx, at, []*kgo.Record{next})
	bad, _ := errors.AsType[*kafka.UnreadableError](err)
	return bad
}

// faults finds out what errors of a poll mean, and returns one that may pass, or that ends the view.
func (v *View) faults(ctx context.Context, fetches kgo.Fetches) (err error) {
	fetches.EachError(func(topic string, partition int32, fault error) {
		if ctx.Err() != nil {
			return
		}
		s := source{topic, partition}
		if kafka.Classify(fault) == kafka.Away && topic != "" {
			v.inspect(ctx, s, true)
		}
		if !v.holds(s) {
			err = fmt.Errorf("%s/%d: %w", topic, partition, fault)
		}
	})
	return err
}

// inspect finds out whether a partition can be read on where the view stands. If not it is blocked; if a batch is skipped, it is read on
// behind it. The client may have passed over what it could not read: after a failed fetch it is told where to read on.
func (v *View) inspect(ctx context.Context, s source, failed bool) {
	at := v.position(s)
	next, err := v.records.Probe(ctx, s.topic, s.partition, at)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		v.block(s, bad)
		return
	}
	if err == nil && (failed || next != at) {
		v.resumeAt(s, next)
	}
}

// resumeAt reads a partition on, blocked or not.
func (v *View) resumeAt(s source, next int64) {
	v.mu.Lock()
	delete(v.held, s)
	v.next[s] = max(next, v.next[s])
	v.mu.Unlock()
	v.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.topic: {s.partition: {Epoch: -1, Offset: next}}})
	v.cl.ResumeFetchPartitions(map[string][]int32{s.topic: {s.partition}})
}

// tendEvery is how often the view looks for partitions of which nothing comes, and for batches that are skipped by now.
const tendEvery = 10 * time.Second

// tend does that until ctx is done, and at once when the client spins.
func (v *View) tend(ctx context.Context) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	before, said := map[source]int64{}, map[source]*kafka.Backoff{}
	for {
		spinning := false
		select {
		case <-ctx.Done():
			return nil
		case <-v.spin.Found():
			spinning = true
		case <-tick.C:
		}
		now := v.lagging(spinning)
		for s, at := range now {
			if was, ok := before[s]; spinning || ok && was == at {
				v.inspect(ctx, s, false)
			}
		}
		before = now
		for _, bad := range v.unreadable() {
			s := source{bad.Topic, bad.Partition}
			next, err := v.records.Probe(ctx, bad.Topic, bad.Partition, bad.From)
			if err == nil && next > bad.From {
				v.cfg.Log.Info("partition goes on: the batch is skipped", telemetry.Topic, s.topic, telemetry.Partition, s.partition)
				v.resumeAt(s, next)
				delete(said, s)
				continue
			}
			if said[s] == nil { // it was told when it was blocked
				said[s] = new(kafka.Backoff)
				said[s].Tell(bad, func(error) {})
			}
			said[s].Tell(bad, func(error) { v.sayBlocked(bad) })
		}
	}
}

// lagging is where those partitions stand that are not held, and not read to the end that was measured last; or all that are not held.
func (v *View) lagging(any bool) map[source]int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := map[source]int64{}
	for s, next := range v.next {
		if (any || next < v.ends[s]) && v.held[s] == nil {
			all[s] = next
		}
	}
	return all
}
