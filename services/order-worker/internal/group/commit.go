package group

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// commitPeriodically bounds what a crash makes the next owner look at again.
func (c *Member) commitPeriodically(ctx context.Context) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	var last map[string]map[int32]kgo.EpochOffset
	var blocked map[int32]bool
	var at time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, _ := c.lanes.committable()
		stuck := c.lanes.blockedNumbers()
		if (!equal(last, now) || !maps.Equal(blocked, stuck) || time.Since(at) >= commitAgain) && c.commit(ctx) == nil {
			last, blocked, at = now, stuck, time.Now()
		}
	}
}

// commit commits what is finished, for all owned partitions over all their topics, in one request.
func (c *Member) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	select {
	case c.commits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	offsets, stamps := c.lanes.committable()
	if len(offsets) == 0 {
		<-c.commits
		return nil
	}
	done := make(chan error, 1)
	go func() { // ends with its answer; the client waits for that of the commit before it, whatever ctx says
		var answer error
		c.group.CommitOffsetsSync(kgo.PreCommitFnContext(ctx, signed(stamps)), offsets, answered(&answer))
		if answer != nil && ctx.Err() == nil {
			c.commitRefused(ctx, answer)
		}
		<-c.commits
		done <- answer
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitRefused tells of a commit that was refused. It is called while the commit goes on.
func (c *Member) commitRefused(ctx context.Context, answer error) {
	c.refusals.Tell(answer, func(err error) {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "commit refused", slog.Any(telemetry.Error, err))
	})
	if kafka.Classify(answer) == kafka.Denied {
		c.final(answer)
	}
}

// signature is the metadata of a committed offset. It says that an order worker committed it when all below was finished: how
// far its owner had read orders.status, the offset itself, so that a copy at another offset is detected, and the mark from
// which on the next owner restores its ledger.
const signature = "order-worker status=%d epoch=%d offset=%d since=%d floor=%d"

// stamp is what the commits of a partition number say beside their offsets.
type stamp struct {
	tail    kgo.EpochOffset                              // how far orders.status is read
	repeat  string                                       // the metadata of the commit before, when the partition is not worked on; or empty
	blocked bool                                         // the API does not count its orders as a backlog
	since   func(topic string, offset int64) ledger.Mark // nil when the partition is not worked on
}

// signed signs the offsets of a commit. The client writes the member's ID there by itself.
func signed(stamps map[int32]stamp) func(*kmsg.OffsetCommitRequest) error {
	return func(r *kmsg.OffsetCommitRequest) error {
		for _, t := range r.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				s := stamps[p.Partition]
				text := s.repeat
				if text == "" {
					since := s.since(t.Topic, p.Offset)
					text = fmt.Sprintf(signature, s.tail.Offset, s.tail.Epoch, p.Offset, since.Offset, since.Floor)
				}
				text = strings.TrimSuffix(text, " "+kafka.Blocked)
				if s.blocked {
					text += " " + kafka.Blocked
				}
				p.Metadata = &text
			}
		}
		return nil
	}
}

// signer reads what signed wrote: how far orders.status was read, and the mark. False means that the offset is of another client, or of
// a tool.
func signer(c kafka.Commit) (tail kgo.EpochOffset, since ledger.Mark, ours bool) {
	var offset int64
	n, err := fmt.Sscanf(c.Metadata, signature, &tail.Offset, &tail.Epoch, &offset, &since.Offset, &since.Floor)
	return tail, since, err == nil && n == 5 && offset == c.At
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
