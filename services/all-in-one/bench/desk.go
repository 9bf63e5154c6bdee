package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// desk compares a replay of all dead letters, which fail again, with a raw copy of their records from
// topic to topic. A replay ends when each dead letter has a result; the copy asks for none.
func (b *bench) desk(ctx context.Context) ([]row, error) {
	f, err := b.startFlow(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	if err := b.placeFailing(ctx, f.set, b.Letters); err != nil {
		return nil, err
	}
	if err := b.dead(ctx, f.api, b.Letters); err != nil {
		return nil, err
	}
	var replayed, copied time.Duration
	for turn := range b.Turns {
		took, err := b.replay(ctx, f.api)
		if err != nil {
			return nil, err
		}
		raw, err := b.copy(ctx, f.set)
		if err != nil {
			return nil, err
		}
		b.logf("  desk: turn %d: replay %s, copy %s", turn+1, took, raw)
		replayed, copied = shorter(replayed, took), shorter(copied, raw)
	}
	n := float64(b.Letters)
	return []row{compared(fmt.Sprintf("desk: replays/s of %d dead letters, and a raw copy", b.Letters), "%.0f", n/replayed.Seconds(), n/copied.Seconds())}, nil
}

// placeFailing appends n orders to a country without shipping.
func (b *bench) placeFailing(ctx context.Context, set topic.Set, n int) error {
	return b.produce(ctx, set, n, func(i int) *kgo.Record {
		o := sample(i)
		o.ShipTo.Country = "AQ"
		return wire.Order(o)
	})
}

// dead waits until the read model has n dead letters.
func (b *bench) dead(ctx context.Context, c *client.Client, n int) error {
	return every(ctx, 100*time.Millisecond, func() (bool, error) {
		groups, _, err := c.Groups(ctx, client.DeadLetterFilter{}, 1)
		return len(groups) > 0 && groups[0].Total == n, err
	})
}

// replay replays all dead letters, without a ramp and a limit, and returns how long that took.
func (b *bench) replay(ctx context.Context, c *client.Client) (time.Duration, error) {
	began := time.Now()
	j, err := c.StartReplay(ctx, client.NewReplayJob{Selection: client.Selection{All: true}, Ramp: []int{}, Reason: "bench"})
	if err != nil {
		return 0, err
	}
	for j, err = range c.WatchReplay(ctx, j.ID, -1) {
		if err != nil {
			return 0, err
		}
	}
	if j.Counts.FailedAgain != b.Letters {
		return 0, fmt.Errorf("%d of %d replays failed again", j.Counts.FailedAgain, b.Letters)
	}
	return time.Since(began), nil
}

// copy copies as many records of the dead-letter topic to a topic of another prefix, and returns how
// long that took.
func (b *bench) copy(ctx context.Context, set topic.Set) (time.Duration, error) {
	_, to, err := b.newPrefix(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	cl, err := b.kafka.ConnectProducer(ctx, kgo.ConsumeTopics(set.DLQ), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var failed kgo.FirstErrPromise
	for n := 0; n < b.Letters && ctx.Err() == nil; {
		for r := range cl.PollFetches(ctx).RecordsAll() {
			if n++; n > b.Letters {
				break
			}
			cl.Produce(ctx, &kgo.Record{Topic: to.DLQ, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}, failed.Promise())
		}
	}
	return time.Since(began), failed.Err()
}
