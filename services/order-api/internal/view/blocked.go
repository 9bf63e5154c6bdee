package view

import (
	"context"
	"errors"
	"fmt"
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

// Blocked lists the partitions that such a batch blocks now, by topic and number.
func (v *View) Blocked() []Blocked {
	all := []Blocked{}
	for _, bad := range v.freshness.unreadable() {
		all = append(all, Blocked{bad.Topic, bad.Partition, bad.From, bad.Error()})
	}
	return all
}

// CheckPartition is ErrBehind for a partition number that is blocked, by a record of a newer
// version or a batch that cannot be read, and for one without a leader: the view may not know an
// order there that exists. Else it is nil.
func (v *View) CheckPartition(partition int32) error {
	if err := v.blockedAt(partition); err != nil {
		return err
	}
	for _, topic := range []string{v.cfg.Topics.Orders, v.cfg.Topics.Status} {
		if err := v.freshness.leader(kafka.Partition{Topic: topic, Number: partition}); err != nil {
			return fmt.Errorf("%w: %w", ErrBehind, err)
		}
	}
	return nil
}

// blockedAt is ErrBehind for a partition number that is blocked in orders or orders.status.
func (v *View) blockedAt(partition int32) error {
	for _, topic := range []string{v.cfg.Topics.Orders, v.cfg.Topics.Status} {
		if _, reason := v.freshness.position(kafka.Partition{Topic: topic, Number: partition}); reason != nil {
			return fmt.Errorf("%w: partition %d of %s: %w", ErrBehind, partition, topic, reason)
		}
	}
	return nil
}

// Leader is ErrNoLeader while no broker leads a partition of the topic orders: nothing can be
// appended there. Else it is nil.
func (v *View) Leader(partition int32) error {
	return v.freshness.leader(kafka.Partition{Topic: v.cfg.Topics.Orders, Number: partition})
}

// block stops at what cannot be read: a record of a newer version, or a batch. The view counts as
// fresh without the partition.
func (v *View) block(p kafka.Partition, reason error) {
	if !v.freshness.block(p, reason) {
		return
	}
	v.cl.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Number}})
	if bad, ok := errors.AsType[*kafka.UnreadableError](reason); ok {
		v.logUnreadable(bad)
		return
	}
	v.cfg.Log.Error("partition blocked for the read model: this version cannot read a record",
		telemetry.Topic, p.Topic, telemetry.Partition, p.Number, telemetry.Error, reason)
}

func (v *View) logUnreadable(bad *kafka.UnreadableError) {
	v.cfg.Log.Error("partition blocked for the read model: a batch cannot be read",
		telemetry.Topic, bad.Topic, telemetry.Partition, bad.Partition, telemetry.Offset, bad.From,
		telemetry.Error, bad)
}

// gap looks for a batch that cannot be read between an offset and the next record: the client
// passes over it when a whole batch follows. In compacted topics there are gaps everywhere, and they
// are not looked at; nor are those of other programs' topics.
func (v *View) gap(ctx context.Context, p kafka.Partition, at int64, next *kgo.Record) error {
	if next.Offset <= at || p.Topic == v.cfg.Topics.Status || p.Topic == v.cfg.Topics.Desk || v.isForeign(p.Topic) {
		return nil
	}
	_, err := v.records.Whole(ctx, at, []*kgo.Record{next})
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		return bad
	}
	return nil
}

// faults finds out what errors of a poll mean, and returns one that may pass, or that ends the
// view.
func (v *View) faults(ctx context.Context, fetches kgo.Fetches) (err error) {
	fetches.EachError(func(topic string, partition int32, fault error) {
		if ctx.Err() != nil || v.foreignFault(topic, fault) {
			return
		}
		p := kafka.Partition{Topic: topic, Number: partition}
		if kafka.Classify(fault) == kafka.Away && topic != "" {
			v.inspect(ctx, p, true)
		}
		if _, reason := v.freshness.position(p); reason == nil {
			err = fmt.Errorf("%s/%d: %w", topic, partition, fault)
		}
	})
	return err
}

// inspect finds out whether a partition can be read on. If not it is blocked; if a batch is
// skipped, it is read on after that. The client may have passed over what it could not read: after
// a failed fetch it is told where to read on.
func (v *View) inspect(ctx context.Context, p kafka.Partition, failed bool) {
	at, _ := v.freshness.position(p)
	next, err := v.records.Probe(ctx, p.Topic, p.Number, at)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		v.block(p, bad)
		return
	}
	if err == nil && (failed || next != at) {
		v.readOn(p, at, next)
	}
}

// readOn reads a partition on at the next offset that can be read, blocked or not.
func (v *View) readOn(p kafka.Partition, at, next int64) {
	if !v.freshness.unblock(p, at, next) {
		return
	}
	v.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{p.Topic: {p.Number: {Epoch: -1, Offset: next}}})
	v.cl.ResumeFetchPartitions(map[string][]int32{p.Topic: {p.Number}})
}

// inspectPeriod is how often the view looks for partitions that have records and deliver none, and
// for batches that are skipped by now.
const inspectPeriod = 10 * time.Second

// unblock looks for those until ctx is done, and at once when the client spins.
func (v *View) unblock(ctx context.Context) error {
	tick := time.NewTicker(inspectPeriod)
	defer tick.Stop()
	before, told := map[kafka.Partition]int64{}, map[kafka.Partition]*kafka.Backoff{}
	for {
		spinning := false
		select {
		case <-ctx.Done():
			return nil
		case <-v.spin.Found():
			spinning = true
			v.lookForeign(ctx) // as when one of them was deleted
		case <-tick.C:
		}
		now := v.freshness.lagging(spinning)
		for p, at := range now {
			if was, ok := before[p]; !v.isForeign(p.Topic) && (spinning || ok && was == at) {
				v.inspect(ctx, p, false)
			}
		}
		before = now
		for _, bad := range v.freshness.unreadable() {
			v.retry(ctx, bad, told)
		}
	}
}

// retry reads a partition on if the batch that blocks it is skipped by now. Else it repeats the log
// line once a minute.
func (v *View) retry(ctx context.Context, bad *kafka.UnreadableError, told map[kafka.Partition]*kafka.Backoff) {
	p := kafka.Partition{Topic: bad.Topic, Number: bad.Partition}
	at, _ := v.freshness.position(p)
	next, err := v.records.Probe(ctx, bad.Topic, bad.Partition, bad.From)
	if err == nil && next > bad.From {
		v.cfg.Log.Info("partition continues: the batch is skipped",
			telemetry.Topic, p.Topic, telemetry.Partition, p.Number)
		v.readOn(p, at, next)
		delete(told, p)
		return
	}
	if told[p] == nil { // it was logged when the partition was blocked
		told[p] = new(kafka.Backoff)
		told[p].Tell(bad, func(error) {})
	}
	told[p].Tell(bad, func(error) { v.logUnreadable(bad) })
}
