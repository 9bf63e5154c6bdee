package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/telemetry"
)

// How often Watch looks at the topics, and how long it waits for an answer.
const (
	watchEvery   = 5 * time.Second
	watchTimeout = 20 * time.Second
)

// Repartitioned is a topic whose number of partitions has changed since Check. The number is fixed
// for the life of a prefix: an order has the same partition number in all topics.
type Repartitioned struct {
	Topic   string
	Was, Is int
}

// Error says what happened and what to do.
func (r *Repartitioned) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, had %d: the number is fixed for the life of a prefix (see Partitions were added in docs/operations.md)",
		r.Topic, r.Is, r.Was)
}

// Watch looks at the topics that Check found until ctx ends, and returns nil then. It returns an
// error when a topic was deleted or created again: clients of this process hold on to the former
// topic, so the process has to start again. The first change of a partition count is logged and
// passed to repartitioned as *Repartitioned. While grants of Check are missing, it logs which ones,
// once a minute. While Kafka is away, Watch waits.
func (l Layout) Watch(ctx context.Context, cl *kgo.Client, log *slog.Logger, repartitioned func(error)) error {
	missing := map[string]int{}
	var changed *Repartitioned
	access := access{log: log}
	for pause(ctx, watchEvery) {
		found, err := l.look(ctx, cl)
		if err == nil {
			access.tell(ctx, l.denied(ctx, cl, found))
			err = l.compare(found, missing)
		} else {
			access.tell(ctx, err)
		}
		if err != nil && Classify(err).Stops() && ctx.Err() == nil {
			return Explain(err)
		}
		if changed != nil {
			continue
		}
		if changed = l.repartitioned(found); changed != nil {
			log.LogAttrs(ctx, slog.LevelError, "partitions changed while running: blocked until an operator acts", slog.Any(telemetry.Error, changed))
			repartitioned(changed)
		}
	}
	return nil
}

// access logs whether the brokers allow all that is needed.
type access struct {
	log    *slog.Logger
	told   Backoff
	denied bool
}

func (a *access) tell(ctx context.Context, err error) {
	switch {
	case err != nil && Classify(err) == Denied:
		a.denied = true
		a.told.Tell(err, func(err error) {
			a.log.LogAttrs(ctx, slog.LevelError, "Kafka denies access: waiting until it is granted", slog.Any(telemetry.Error, err))
		})
	case err == nil && a.denied:
		*a = access{log: a.log}
		a.log.LogAttrs(ctx, slog.LevelInfo, "Kafka grants access again")
	}
}

func (l Layout) look(ctx context.Context, cl *kgo.Client) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	return listTopics(ctx, cl, l.names())
}

func (l Layout) denied(ctx context.Context, cl *kgo.Client, found kadm.TopicDetails) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	return denied(ctx, cl, l.grants, found)
}

func (l Layout) names() []string { return slices.Sorted(maps.Keys(l.ids)) }

// compare finds topics that were deleted, or created again. One that is missing twice in a row is
// deleted: brokers learn of changes one after the other. Missing counts that.
func (l Layout) compare(now kadm.TopicDetails, missing map[string]int) error {
	var gone, again []string
	for _, name := range l.names() {
		t := now[name]
		switch {
		case t.Err != nil && Classify(t.Err) == TopicGone:
			if missing[name]++; missing[name] > 1 {
				gone = append(gone, name)
			}
		case t.Err == nil && len(t.Partitions) > 0:
			if missing[name] = 0; l.ids[name] != t.ID {
				again = append(again, name)
			}
		}
	}
	switch {
	case len(again) > 0:
		return fmt.Errorf("topics %v were deleted and created again %w", again, errChanged)
	case len(gone) > 0:
		return fmt.Errorf("topics %v were deleted %w", gone, errChanged)
	}
	return nil
}

// repartitioned finds a topic with another number of partitions, or returns nil.
func (l Layout) repartitioned(now kadm.TopicDetails) *Repartitioned {
	for _, name := range l.names() {
		if n := len(now[name].Partitions); n > 0 && n != l.Partitions {
			return &Repartitioned{name, l.Partitions, n}
		}
	}
	return nil
}
