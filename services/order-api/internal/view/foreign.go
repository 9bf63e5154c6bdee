package view

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// The dead-letter topics of other programs are read with the same client as ours, but nothing
// depends on them: the view is fresh without their newest records, and one that is deleted, created
// again or denied is left alone until it can be read on. More partitions are noticed.

// addForeign takes over which of these topics there are, and their partitions, before the first record
// is read.
func (v *View) addForeign(ctx context.Context) error {
	found, err := v.listForeign(ctx)
	if err != nil {
		return err
	}
	v.foreign = map[string]kadm.TopicID{}
	for _, name := range v.cfg.Foreign {
		v.foreign[name] = found[name].ID
		for number := range found[name].Partitions {
			v.partitions = append(v.partitions, kafka.Partition{Topic: name, Number: number})
		}
	}
	return nil
}

// listForeign asks for each topic by itself: one that is denied leaves the others without an answer. With
// the option, kadm does not answer from its cache.
func (v *View) listForeign(ctx context.Context) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(kadm.WithAuthorizedOps(ctx), 2*kafka.DeliveryTimeout)
	defer cancel()
	found := kadm.TopicDetails{}
	for _, name := range v.cfg.Foreign {
		one, err := kadm.NewClient(v.direct).ListTopics(ctx, name)
		switch {
		case err == nil:
			found[name] = one[name]
		case kafka.Classify(err) == kafka.Denied:
			found[name] = kadm.TopicDetail{Topic: name, Err: err}
		default:
			return nil, fmt.Errorf("listing dead-letter topics of other programs: %w", err)
		}
	}
	return found, nil
}

// stored are the IDs of all topics that the store is filled from.
func (v *View) stored() map[string]kadm.TopicID {
	all := maps.Clone(v.ids)
	maps.Copy(all, v.foreign)
	return all
}

// isForeign reports whether a topic is one of another program.
func (v *View) isForeign(topic string) bool { _, ok := v.foreign[topic]; return ok }

// foreignPeriod is how often the view looks at these topics.
const foreignPeriod = 10 * time.Second

// followForeign looks at these topics until ctx is done.
func (v *View) followForeign(ctx context.Context) error {
	if len(v.foreign) == 0 {
		return nil
	}
	tick := time.NewTicker(foreignPeriod)
	defer tick.Stop()
	trimmed := map[kafka.Partition]int64{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		v.lookForeign(ctx)
		v.trimForeign(ctx, trimmed)
	}
}

// lookForeign finds out which of these topics can be read.
func (v *View) lookForeign(ctx context.Context) {
	if found, err := v.listForeign(ctx); err == nil {
		v.resumeForeign(found)
	}
}

// resumeForeign reads topics on that can be read, and adds partitions that are new.
func (v *View) resumeForeign(found kadm.TopicDetails) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, id := range v.foreign {
		t := found[name]
		if t.Err != nil || t.ID != id {
			v.aside(name, cmp.Or(t.Err, fmt.Errorf("it was created again: start again to read it")))
			continue
		}
		from := map[int32]kgo.Offset{}
		for number := range t.Partitions {
			p := kafka.Partition{Topic: name, Number: number}
			known := slices.Contains(v.partitions, p)
			if !known {
				v.partitions = append(v.partitions, p)
			}
			if at, _ := v.freshness.position(p); !known || v.left[name] {
				from[number] = kgo.NewOffset().At(at)
			}
		}
		delete(v.left, name)
		if len(from) > 0 {
			v.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{name: from})
		}
	}
}

// aside leaves a topic alone until the next look at it. The caller holds mu.
func (v *View) aside(topic string, reason error) {
	v.left[topic] = true
	v.cl.PurgeTopicsFromConsuming(topic)
	if v.told[topic] == nil {
		v.told[topic] = new(kafka.Backoff)
	}
	v.told[topic].Tell(reason, func(error) { // once a minute
		v.cfg.Log.Warn("a dead-letter topic of another program cannot be read", telemetry.Topic, topic, telemetry.Error, reason)
	})
}

// foreignFault leaves the topic of an error alone, and reports whether it is one of another program.
func (v *View) foreignFault(topic string, fault error) bool {
	if !v.isForeign(topic) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.aside(topic, fault)
	return true
}

// trimForeign marks the dead letters as gone that their topics have deleted.
func (v *View) trimForeign(ctx context.Context, trimmed map[kafka.Partition]int64) {
	v.mu.Lock()
	of := slices.DeleteFunc(slices.Clone(v.partitions), func(p kafka.Partition) bool { return !v.isForeign(p.Topic) })
	v.mu.Unlock()
	for p, start := range kafka.Starts(ctx, v.direct, of...) {
		if start.Err != nil || start.At <= trimmed[p] || !v.life.is(ready) {
			continue
		}
		err := v.ask(func() error { return v.cfg.Store.Trim(ctx, p.Topic, p.Number, start.At) })
		if err == nil { // else the next look does it
			trimmed[p] = start.At
		}
	}
}

// fromForeign adds a dead letter of another program.
func (d *draft) fromForeign(r *kgo.Record) {
	f := foreign.Read(r)
	l := dlq.DeadLetter{
		Topic: f.Topic, Group: f.Group, Class: failure.Permanent, Reason: failure.Reason(cmp.Or(f.Exception, f.Dialect, "unknown")),
		Message: f.Message, Attempts: f.Attempts, FirstFailed: r.Timestamp, LastFailed: r.Timestamp, Worker: f.Dialect,
	}
	l.Key = []byte(dlq.Clip(string(r.Key)))
	l.Origin = order.Origin{Partition: f.Partition, Offset: f.Offset}
	l.Cause.Trace = wire.CauseOf(r).Trace
	d.changed[deadLetters] = true
	d.Changes = append(d.Changes, described(Failed{DeadLetter: l, Foreign: r.Topic, Partition: r.Partition, Offset: r.Offset}, order.Order{}))
}

// Touched returns the states of those of some dead letters of a topic of another program that are not open,
// or were edited, and the values of the newest edits, by their IDs.
func (v *View) Touched(ctx context.Context, topic string, ids []string) (states map[string]DeadLetterState, edited map[string][]byte, err error) {
	wanted := map[int32][]int64{}
	for _, id := range ids {
		if p, ok := foreign.ParseID(id); ok && p.Topic == topic {
			wanted[p.Partition] = append(wanted[p.Partition], p.Offset)
		}
	}
	states, edited = map[string]DeadLetterState{}, map[string][]byte{}
	for partition, offsets := range wanted {
		from, to := slices.Min(offsets), slices.Max(offsets)
		var sent [][2]int64
		err := v.ask(func() error {
			found, err := v.cfg.Store.Touched(ctx, topic, partition, from, to)
			for _, l := range found {
				states[l.ID()] = l.State
				if l.Edit != nil {
					edited[l.ID()] = l.Edit.Value
				}
			}
			if err == nil {
				sent, err = v.cfg.Store.SentOn(ctx, topic, partition, from, to)
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		for _, at := range within(offsets, sent) {
			states[foreign.Place{Topic: topic, Partition: partition, Offset: at}.ID()] = SentOn
		}
	}
	return states, edited, nil
}

// within are those of some offsets that are in ranges.
func within(offsets []int64, ranges [][2]int64) (all []int64) {
	for _, at := range offsets {
		_, in := slices.BinarySearchFunc(ranges, at, func(r [2]int64, at int64) int {
			if r[1] < at {
				return -1
			}
			return max(0, cmp.Compare(r[0], at)) // 0 if it has the offset
		})
		if in {
			all = append(all, at)
		}
	}
	return all
}

// Sources returns the topics that the headers of some dead letters of other programs name, each once,
// and an empty one for those that name none. It leaves out IDs that are not known.
func (v *View) Sources(ctx context.Context, ids []string) (topics []string, err error) {
	err = v.ask(func() (err error) {
		topics, err = v.cfg.Store.Sources(ctx, ids)
		return err
	})
	return topics, err
}

// OldestForeign returns the dead letter of a topic of another program that has the oldest record of
// those that wait for an operator, or nil.
func (v *View) OldestForeign(ctx context.Context, topic string) (*DeadLetter, error) {
	ids, err := v.Select(ctx, DeadLetterFilter{Topic: topic, States: []DeadLetterState{Open}, Limit: 1})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	l, err := v.DeadLetter(ctx, ids[0])
	return &l, err
}
