package view

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
)

// ErrNoLeader is returned for a partition that no broker leads at the moment.
var ErrNoLeader = errors.New("the partition has no leader")

// awayAfter is how long the end of a partition may be unknown before the partition counts as one without a leader: the
// election of another takes less.
const awayAfter = 2 * measurePeriod

// topics asks Kafka for the IDs of all that the view reads, and where its partitions start and end. A start that is not known is left
// out. It is an error if no partition's leader answers.
func (v *View) topics(ctx context.Context) (ids map[string]kadm.TopicID, starts map[source]int64, ends map[source]kafka.Offset, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*kafka.DeliveryTimeout)
	defer cancel()
	names := []string{v.cfg.Topics.Orders, v.cfg.Topics.Status, v.cfg.Topics.DLQ}
	found, err := kadm.NewClient(v.cl).ListTopics(ctx, names...)
	if err = errors.Join(err, found.Error()); err != nil {
		return nil, nil, nil, fmt.Errorf("listing topics: %w", err)
	}
	ids = map[string]kadm.TopicID{}
	var parts []kafka.Partition
	for _, name := range names {
		ids[name] = found[name].ID
		for number := range found[name].Partitions {
			parts = append(parts, kafka.Partition{Topic: name, Number: number})
		}
	}
	// The ends come last: what was appended while the starts were asked for belongs to the answer.
	starts, ends = map[source]int64{}, map[source]kafka.Offset{}
	for p, start := range kafka.Starts(ctx, v.cl, parts...) {
		if start.Err == nil {
			starts[source{p.Topic, p.Number}] = start.At
		}
	}
	answered := false
	for p, end := range kafka.Ends(ctx, v.cl, parts...) {
		ends[source{p.Topic, p.Number}] = end
		answered, err = answered || end.Err == nil, end.Err
	}
	if !answered {
		return nil, nil, nil, fmt.Errorf("listing the ends of %v: %w", names, err)
	}
	return ids, starts, ends, nil
}

// measuredAt takes over where partitions started and ended at a time. The caller holds mu.
func (v *View) measuredAt(at time.Time, starts map[source]int64, ends map[source]kafka.Offset) {
	maps.Copy(v.starts, starts)
	v.ends, v.measured = map[source]int64{}, at
	for s, end := range ends {
		_, away := v.away[s]
		switch {
		case end.Err == nil:
			v.ends[s] = end.At
			delete(v.away, s)
		case !away:
			v.away[s] = at
			v.cfg.Log.Warn("a partition does not answer: the others go on", telemetry.Topic, s.topic, telemetry.Partition, s.partition, telemetry.Error, end.Err)
		}
	}
	v.settle()
}

// Leader is ErrNoLeader while no broker leads a partition of the topic orders: nothing can be appended there. Else it is nil.
func (v *View) Leader(partition int32) error { return v.leader(source{v.cfg.Topics.Orders, partition}) }

func (v *View) leader(s source) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if since, away := v.away[s]; away && time.Since(since) >= awayAfter {
		return fmt.Errorf("%w: %s/%d", ErrNoLeader, s.topic, s.partition)
	}
	return nil
}

// apart are the partition numbers that lack a leader somewhere: nothing is begun there, and orders of other partitions need not wait for it.
func (v *View) apart() []int32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	numbers := map[int32]bool{}
	for s := range v.away {
		numbers[s.partition] = true
	}
	return slices.Collect(maps.Keys(numbers))
}

// forgotten looks into the errors of fetches for a leader that has forgotten records which the view has applied. The client reads on where
// these ended, at offsets that the view knows already.
func (v *View) forgotten(ctx context.Context, fetches kgo.Fetches) (cut bool, err error) {
	at := map[source]kgo.EpochOffset{}
	fetches.EachError(func(topic string, partition int32, err error) {
		if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
			at[source{topic, partition}] = kgo.EpochOffset{Epoch: loss.ConsumedToEpoch, Offset: loss.ConsumedTo}
		}
	})
	if len(at) == 0 {
		return false, nil
	}
	err = kafka.Insist(ctx, func() error {
		cut, err = v.cut(ctx, at)
		return err
	}, func(err error) {
		v.cfg.Log.Warn("waiting for Kafka", telemetry.Waiting, "leader epochs", telemetry.Error, err)
	})
	return cut, err
}

// cut reports whether a log ends, as far as the leaders of an epoch have written it, below where it was read in that epoch.
func (v *View) cut(ctx context.Context, at map[source]kgo.EpochOffset) (bool, error) {
	epochs := map[kafka.Partition]int32{}
	for s, o := range at {
		if o.Epoch >= 0 && o.Offset > 0 {
			epochs[kafka.Partition{Topic: s.topic, Number: s.partition}] = o.Epoch
		}
	}
	var silent error
	for p, end := range kafka.EpochEnds(ctx, v.cl, epochs) {
		s := source{p.Topic, p.Number}
		if end.Err != nil {
			silent = fmt.Errorf("%s/%d: %w", p.Topic, p.Number, end.Err)
		} else if end.At >= 0 && end.At < at[s].Offset {
			v.cfg.Log.Warn("a leader has forgotten records", telemetry.Topic, s.topic, telemetry.Partition, s.partition,
				telemetry.From, end.At, telemetry.To, at[s].Offset)
			return true, nil
		}
	}
	return false, silent
}

// rebuild makes the file again while the view runs, and reads everything from the start.
func (v *View) rebuild(ctx context.Context) error {
	starts := map[string]map[int32]kgo.Offset{}
	all := map[string][]int32{}
	v.mu.Lock()
	for s := range v.next {
		if starts[s.topic] == nil {
			starts[s.topic] = map[int32]kgo.Offset{}
		}
		starts[s.topic][s.partition] = kgo.NewOffset().AtStart()
		all[s.topic] = append(all[s.topic], s.partition)
		v.next[s] = 0
	}
	clear(v.held)
	// Before the file is empty: nothing may take it for a complete one.
	v.fresh, v.ends, v.voids, v.building = time.Time{}, nil, 0, true
	reason := v.lost
	v.mu.Unlock()
	if err := v.file.make(ctx, v.ids); err != nil {
		return err
	}
	for partition := range v.folds {
		fold := status.At(-1)
		v.folds[partition], v.void[partition] = &fold, 0
	}
	v.cl.RemoveConsumePartitions(all)
	v.cl.ResumeFetchPartitions(all)
	v.cl.AddConsumePartitions(starts)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lost == reason { // it is not lost another time
		v.lost = nil
	}
	return nil
}
