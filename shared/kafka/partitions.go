package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Repartitioned is a topic whose number of partitions has changed since Check. The number is fixed for the life of a prefix:
// an order finds its owner, its state and its dead letter under one partition number in all topics.
type Repartitioned struct {
	Topic   string
	Was, Is int
}

// Error says what happened and what to do.
func (r *Repartitioned) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, had %d: the number is fixed for the life of a prefix (grow with a new prefix: deploy/README.md)",
		r.Topic, r.Is, r.Was)
}

// watchPeriod is how often Watch looks, and how long it waits for an answer.
const watchPeriod = 20 * time.Second

// Watch compares the partitions of the topics with the layout until one has another number; then it returns a Repartitioned
// and has logged it. It returns nil when ctx ends. While Kafka does not answer it waits.
func (l Layout) Watch(ctx context.Context, cl *kgo.Client, set topic.Set, log *slog.Logger) error {
	look := time.NewTicker(watchPeriod)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		if changed := l.changed(ctx, cl, set); changed != nil {
			log.LogAttrs(ctx, slog.LevelError, "partitions changed while running: blocked until an operator acts", slog.Any(telemetry.Error, changed))
			return changed
		}
	}
}

// changed asks once. What Kafka does not answer is not known, and a topic that is gone is for its readers to notice.
func (l Layout) changed(ctx context.Context, cl *kgo.Client, set topic.Set) *Repartitioned {
	ctx, cancel := context.WithTimeout(ctx, watchPeriod)
	defer cancel()
	specs := set.Specs()
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	// As in Check: asked like this, kadm asks the broker and not its cache.
	found, err := kadm.NewClient(cl).ListTopics(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if n := len(found[name].Partitions); n > 0 && n != l.Partitions {
			return &Repartitioned{name, l.Partitions, n}
		}
	}
	return nil
}
