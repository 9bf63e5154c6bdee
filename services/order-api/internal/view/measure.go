package view

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// errRecreated ends Run: producers of this process use the ID of the old topic as well, so only a
// restart helps.
var errRecreated = errors.New("a topic was deleted and created again while this ran: start again")

// measuring is what the goroutine of measure remembers. The goroutine of tail uses trimmed as well,
// before the store is ready.
type measuring struct {
	away    bool            // Kafka did not answer the last time
	silent  bool            // the group's commits could not be read the last time
	trimmed map[int32]int64 // starts of the dead-letter topic's partitions that the store knows
}

// measure asks where the topics end until ctx is done, and does what follows from it. It returns an
// error when a topic was recreated.
func (v *View) measure(ctx context.Context) error {
	ticker := time.NewTicker(measurePeriod)
	defer ticker.Stop()
	for {
		err := v.cfg.Store.Check()
		v.life.checked(err)
		if errors.Is(err, ErrDamaged) {
			v.life.to(damaged, err)
		}
		if err := v.measureOnce(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// measureOnce takes over where the topics start and end. While Kafka is away the view becomes old,
// and Fresh reports that.
func (v *View) measureOnce(ctx context.Context) error {
	asked := time.Now()
	ids, starts, ends, err := v.topics(ctx)
	if err != nil {
		if !v.loop.away && ctx.Err() == nil { // once an outage
			v.cfg.Log.Warn("the read model cannot reach Kafka", telemetry.Error, err)
		}
		v.loop.away = true
		return nil
	}
	v.loop.away = false
	if !maps.Equal(ids, v.ids) {
		return errRecreated
	}
	v.freshness.measured(asked, starts, ends)
	v.readOrders() // also when what was missing of orders.status is blocked since
	applied, missing := v.freshness.progress()
	v.catchUp.measured(ctx, time.Now(), applied, missing)
	if !v.life.is(ready) {
		return nil
	}
	err = v.ask(func() error { return v.trim(ctx) })
	if _, fresh := v.freshness.lag(); err == nil && time.Since(fresh) <= 3*measurePeriod {
		err = v.measureBacklog(ctx)
	}
	if errors.Is(err, ErrBehind) { // it is done again when the store can be used
		return nil
	}
	return err
}

// trim marks the dead letters as gone that the dead-letter topic has deleted, where a partition
// starts higher than the store knows.
func (v *View) trim(ctx context.Context) error {
	for partition, start := range v.freshness.logStarts(v.cfg.Topics.DLQ) {
		if start <= v.loop.trimmed[partition] {
			continue
		}
		if err := v.cfg.Store.Trim(ctx, "", partition, start); err != nil {
			return fmt.Errorf("marking deleted dead letters: %w", err)
		}
		v.loop.trimmed[partition] = start
	}
	return nil
}

// topics asks Kafka for the IDs of all topics that the view reads, and where their partitions start
// and end. A start that is not known is left out. It is an error if the leader of no partition
// answers.
func (v *View) topics(ctx context.Context) (
	ids map[string]kadm.TopicID, starts map[kafka.Partition]int64, ends kafka.Offsets, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, 2*kafka.DeliveryTimeout)
	defer cancel()
	names := []string{v.cfg.Topics.Orders, v.cfg.Topics.Status, v.cfg.Topics.DLQ, v.cfg.Topics.Desk}
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
	starts = map[kafka.Partition]int64{}
	for p, start := range kafka.Starts(ctx, v.cl, parts...) {
		if start.Err == nil {
			starts[p] = start.At
		}
	}
	ends = kafka.Ends(ctx, v.cl, parts...)
	for _, end := range ends {
		if err = end.Err; err == nil {
			return ids, starts, ends, nil
		}
	}
	return nil, nil, nil, fmt.Errorf("listing the ends of %v: %w", names, err)
}

// forgotten looks into the errors of fetches for a leader that has forgotten records which are
// applied. The client reads on where these ended, at offsets that are applied already.
func (v *View) forgotten(ctx context.Context, fetches kgo.Fetches) (cut bool, err error) {
	read := map[kafka.Partition]kgo.EpochOffset{}
	fetches.EachError(func(topic string, partition int32, err error) {
		if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
			p := kafka.Partition{Topic: topic, Number: partition}
			read[p] = kgo.EpochOffset{Epoch: loss.ConsumedToEpoch, Offset: loss.ConsumedTo}
		}
	})
	if len(read) == 0 {
		return false, nil
	}
	err = kafka.Insist(ctx, func() error {
		cut, err = v.cut(ctx, read)
		return err
	}, func(err error) {
		v.cfg.Log.Warn("waiting for Kafka", telemetry.Waiting, "leader epochs", telemetry.Error, err)
	})
	return cut, err
}

// cut reports whether a log ends, as far as the leaders of an epoch have written it, below where it
// was read in that epoch.
func (v *View) cut(ctx context.Context, read map[kafka.Partition]kgo.EpochOffset) (bool, error) {
	epochs := map[kafka.Partition]int32{}
	for p, at := range read {
		if at.Epoch >= 0 && at.Offset > 0 {
			epochs[p] = at.Epoch
		}
	}
	var silent error
	for p, end := range kafka.EpochEnds(ctx, v.cl, epochs) {
		if end.Err != nil {
			silent = fmt.Errorf("%s/%d: %w", p.Topic, p.Number, end.Err)
		} else if end.At >= 0 && end.At < read[p].Offset {
			v.cfg.Log.Warn("a leader has forgotten records", telemetry.Topic, p.Topic, telemetry.Partition, p.Number,
				telemetry.From, end.At, telemetry.To, read[p].Offset)
			return true, nil
		}
	}
	return false, silent
}
