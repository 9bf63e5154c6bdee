package consumer

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// commitPeriodically bounds what a crash makes the next owner look at again.
func (c *Consumer) commitPeriodically(ctx context.Context) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	var last map[string]map[int32]kgo.EpochOffset
	var at time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := c.lanes.committable()
		if (!equal(last, now) || time.Since(at) >= commitAgain) && c.commit(ctx) == nil {
			last, at = now, time.Now()
		}
	}
}

// commit commits what is finished, for all owned partitions over all their topics, in one request.
func (c *Consumer) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	select {
	case c.commits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	offsets := c.lanes.committable()
	if len(offsets) == 0 {
		<-c.commits
		return nil
	}
	done := make(chan error, 1)
	go func() { // ends with its answer; the client waits for that of the commit before it, whatever ctx says
		var answer error
		c.group.CommitOffsetsSync(ctx, offsets, answered(&answer))
		<-c.commits
		done <- answer
	}()
	var answer error
	select {
	case answer = <-done:
	case <-ctx.Done():
		answer = ctx.Err()
	}
	if answer != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "commit refused", slog.Any(telemetry.Error, answer))
	}
	return answer
}

// answered collects the first error of a commit's answer, of the whole or of a partition.
func answered(into *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		*into = err
		if err != nil {
			return
		}
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				if *into == nil {
					*into = kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
	}
}

func equal(a, b map[string]map[int32]kgo.EpochOffset) bool {
	return maps.EqualFunc(a, b, maps.Equal)
}
