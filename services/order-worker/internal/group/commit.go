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
	"example.com/orders/services/order-worker/internal/scheduler"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

const (
	commitEvery = time.Second
	commitAgain = time.Hour // brokers expire the offsets of topics that the group does not subscribe to
)

type committer struct {
	*core
	turn     chan struct{} // full during a commit, so that an earlier one never overtakes a later one
	refusals kafka.Backoff // owned by the commit in progress
}

func newCommitter(c *core) *committer { return &committer{core: c, turn: make(chan struct{}, 1)} }

// run commits periodically: that limits what a crash makes the next owner look at again.
func (c *committer) run(ctx context.Context) {
	var last map[string]map[int32]kgo.EpochOffset
	var blocked map[int32]bool
	var at time.Time
	every(ctx, commitEvery, func() {
		now, _ := c.scheduler.Committable()
		blockedNow := map[int32]bool{}
		for _, a := range c.all() {
			blockedNow[a.Number()] = a.Blocked() != nil
		}
		same := maps.EqualFunc(last, now, maps.Equal) && maps.Equal(blocked, blockedNow)
		if (!same || time.Since(at) >= commitAgain) && c.commit(ctx) == nil {
			last, blocked, at = now, blockedNow, time.Now()
		}
	})
}

// exclude runs a function while no commit is in progress.
func (c *committer) exclude(do func()) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	do()
}

// commit commits what is finished, for all owned partitions over all their topics, in one request.
func (c *committer) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	offsets, metadata := c.scheduler.Committable()
	if len(offsets) == 0 {
		<-c.turn
		return nil
	}
	done := make(chan error, 1)
	go func() { // ends with its answer; the client waits for that of the commit before it, whatever ctx says
		var answer error
		c.group.CommitOffsetsSync(kgo.PreCommitFnContext(ctx, with(metadata)), offsets, answered(&answer))
		if answer != nil && ctx.Err() == nil {
			c.refused(ctx, answer)
		}
		<-c.turn
		done <- answer
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refused logs a commit that was refused. It is called during the commit.
func (c *committer) refused(ctx context.Context, answer error) {
	c.refusals.Tell(answer, func(err error) {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "commit refused: it is tried again", slog.Any(telemetry.Error, err))
	})
}

// signature is the metadata of a committed offset. It says that an order worker committed it when
// every record below was finished: how far its owner had read orders.status, the offset itself, so
// that a copy at another offset is detected, and the mark from which on the next owner restores its ledger.
const signature = "order-worker status=%d epoch=%d offset=%d since=%d floor=%d"

// sign returns what is committed with an offset.
func sign(offset int64, tail kgo.EpochOffset, since ledger.Mark) string {
	return fmt.Sprintf(signature, tail.Offset, tail.Epoch, offset, since.Offset, since.Floor)
}

// signer reads what sign wrote: how far orders.status was read, and the mark. False means that the
// offset was committed by another client, or by a tool.
func signer(c kafka.Commit) (tail kgo.EpochOffset, since ledger.Mark, ours bool) {
	var offset int64
	n, err := fmt.Sscanf(c.Metadata, signature, &tail.Offset, &tail.Epoch, &offset, &since.Offset, &since.Floor)
	return tail, since, err == nil && n == 5 && offset == c.At
}

// flagged adds to the metadata whether the partition is blocked: the API does not count its orders as a backlog.
func flagged(metadata string, blocked bool) string {
	metadata = strings.TrimSuffix(metadata, " "+kafka.Blocked)
	if blocked {
		metadata += " " + kafka.Blocked
	}
	return metadata
}

// with adds the metadata to a commit. The client writes the member's ID there by itself.
func with(metadata map[int32]scheduler.Metadata) func(*kmsg.OffsetCommitRequest) error {
	return func(r *kmsg.OffsetCommitRequest) error {
		for _, t := range r.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				p.Metadata = new(metadata[p.Partition](t.Topic, p.Offset))
			}
		}
		return nil
	}
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
