package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

// Foreign is the source of the dead letters of other programs.
type Foreign struct {
	sender *sender.Sender
	view   *view.View
}

// NewForeign returns the source of what a sender sends.
func NewForeign(s *sender.Sender, v *view.View) *Foreign { return &Foreign{s, v} }

// Open implements Source.
func (f *Foreign) Open(j *view.Job) (Reading, error) {
	if f == nil {
		return refused{}, nil
	}
	r, err := f.sender.Open(j.Topic, j.ReplayTo)
	if err != nil {
		return refused{}, nil
	}
	return &foreignReading{r, f.view}, nil
}

// check is an error if there are no dead letters of a topic, or they may not be replayed to another
// one.
func (f *Foreign) check(topic, replayTo string) error {
	if f == nil {
		return fmt.Errorf("%q is not a dead-letter topic of --dlq-topic", topic)
	}
	r, err := f.sender.Open(topic, replayTo)
	if err == nil {
		r.Close()
	}
	return err
}

// Limits of targets: how many IDs it asks for at once, and about how many topics it asks Kafka.
const (
	maxSourced = 1_000
	maxTargets = 20
)

// targets is ErrTarget if none of some dead letters of a topic has a topic to be replayed to.
func (f *Foreign) targets(ctx context.Context, topic string, ids []string) error {
	refused := map[string]error{} // by the topic that headers name
	for part := range slices.Chunk(ids, maxSourced) {
		named, err := f.view.Sources(ctx, part)
		if err != nil {
			return err
		}
		for _, name := range named {
			if refused[name] != nil {
				continue
			}
			if _, _, err = f.sender.Target(ctx, topic, name); err == nil || len(refused) == maxTargets {
				return nil
			}
			if !errors.Is(err, foreign.ErrNoTarget) {
				return fmt.Errorf("%w: %w", view.ErrAway, err)
			}
			refused[name] = err
		}
	}
	if len(refused) == 0 { // all are unknown, and skipped
		return nil
	}
	return fmt.Errorf("%w: %w", ErrTarget, refused[slices.Min(slices.Collect(maps.Keys(refused)))])
}

// refused is the reading of a job that the settings do not allow any more.
type refused struct{}

// Make implements Reading.
func (refused) Make(_ context.Context, _ *view.Job, ids []string) ([]Item, error) {
	return slices.Repeat([]Item{{Skip: wire.SkipTarget}}, len(ids)), nil
}

// Close implements Reading.
func (refused) Close() {}

// foreignReading is the reading of a job that reads the topic ahead.
type foreignReading struct {
	*sender.Reading
	view *view.View
}

// Make implements Reading.
func (f *foreignReading) Make(ctx context.Context, j *view.Job, ids []string) ([]Item, error) {
	states, edited, err := f.view.Touched(ctx, j.Topic, ids)
	if err != nil {
		return nil, err
	}
	items, wanted := make([]Item, len(ids)), make([]string, 0, len(ids))
	for i, id := range ids {
		if state := states[id]; !(j.Override && state == view.SentOn) {
			items[i].Skip = settled(state)
		}
		if items[i].Skip == "" {
			wanted = append(wanted, id)
		}
	}
	made, err := f.Next(ctx, wanted, edited)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].Skip != "" {
			continue
		}
		if len(made) == 0 { // there are enough bytes
			return items[:i], nil
		}
		if items[i].Skip = made[0].Skip; made[0].Record != nil {
			items[i].Records = []*kgo.Record{made[0].Record}
		}
		made = made[1:]
	}
	return items, nil
}

// settled is why a dead letter in a state is not replayed, or empty.
func settled(s view.DeadLetterState) wire.SkipReason {
	switch {
	case s == view.Discarded:
		return wire.SkipDiscarded
	case s == view.Lost:
		return wire.SkipLost
	case s == view.SentOn:
		return wire.SkipClosed
	}
	return ""
}

// sort sorts dead letters of another program as they are in their topic: it is read once, and records with the
// same key keep their sequence. All must be of one topic, or all ours.
func (j *Jobs) sort(ctx context.Context, s Spec, ids []string) (selection, error) {
	first, _ := foreign.ParseID(ids[0])
	items, offsets := selection{topic: first.Topic}, map[int32][]int64{}
	for _, id := range ids {
		p, ok := foreign.ParseID(id)
		if p.Topic != items.topic {
			return items, fmt.Errorf("%w: dead letters of several topics: choose those of one", ErrSpec)
		}
		if ok {
			offsets[p.Partition] = append(offsets[p.Partition], p.Offset)
		}
	}
	if s.Topic != "" && s.Topic != items.topic {
		return items, fmt.Errorf("%w: the dead letters are not of topic %s", ErrSpec, s.Topic)
	}
	if items.topic != "" {
		items.add(offsets)
		return items, j.checkForeign(ctx, s, items.topic, ids)
	}
	if s.ReplayTo != "" {
		return items, fmt.Errorf("%w: only dead letters of other programs are replayed to another topic", ErrSpec)
	}
	items.ids = once(ids)
	items.total = len(items.ids)
	return items, nil
}

// checkForeign is an error if a job cannot replay dead letters of a topic of another program.
func (j *Jobs) checkForeign(ctx context.Context, s Spec, topic string, ids []string) error {
	if err := j.cfg.Foreign.check(topic, s.ReplayTo); err != nil {
		return fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if s.ReplayTo == "" {
		if err := j.cfg.Foreign.targets(ctx, topic, ids); err != nil {
			return err
		}
	}
	if s.DryRun || len(s.Patch) > 0 {
		return fmt.Errorf("%w: only orders can be patched or tried: edit dead letters of other programs one by one, and replay one of them first", ErrSpec)
	}
	return nil
}

// add adds the dead letters at offsets, by partition.
func (s *selection) add(offsets map[int32][]int64) {
	for _, partition := range slices.Sorted(maps.Keys(offsets)) {
		of := offsets[partition]
		slices.Sort(of)
		for _, at := range slices.Compact(of) {
			n := len(s.ranges)
			if n > 0 && s.ranges[n-1][0] == int64(partition) && s.ranges[n-1][2] == at-1 {
				s.ranges[n-1][2] = at
			} else {
				s.ranges = append(s.ranges, wire.Range{int64(partition), at, at})
			}
			s.total++
		}
	}
}
