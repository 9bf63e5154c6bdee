package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

const pollRecords = 1000

// feed polls a client. It calls its receiver from the goroutine that polls.
type feed struct {
	*kgo.Client
	log  *slog.Logger
	spin *kafka.Spin
	to   receiver
	// pause is the time between two polls, unless there is more to read; zero: none.
	pause time.Duration

	mu   sync.Mutex
	end  context.CancelFunc // of the current poll
	over <-chan struct{}    // closed when the receiver has its records
}

type receiver struct {
	between func() // before each poll
	// whole returns the records before the first batch that cannot be read; nil if that is not checked.
	whole func(ctx context.Context, topic string, partition int32, records []*kgo.Record) []*kgo.Record
	offer func(topic string, partition int32, records []*kgo.Record)
	// fault acts on an error that the client does not retry by itself, and returns it if it may pass.
	fault func(ctx context.Context, topic string, partition int32, err error) error
}

func newFeed(cl *kgo.Client, log *slog.Logger, spin *kafka.Spin, to receiver) *feed {
	over := make(chan struct{})
	close(over)
	return &feed{Client: cl, log: log, spin: spin, to: to, end: func() {}, over: over}
}

// poll polls until ctx ends. It never waits for the work on records. An error repeats at once, so it
// pauses after one.
func (f *feed) poll(ctx context.Context) {
	var backoff kafka.Backoff
	for ctx.Err() == nil {
		n, err := f.round(ctx)
		if err == nil || ctx.Err() != nil {
			backoff.Succeeded()
			if f.pause > 0 && n < pollRecords {
				sleep(ctx, f.pause)
			}
			continue
		}
		backoff.Pause(ctx, err, func(err error) {
			f.log.LogAttrs(ctx, slog.LevelWarn, "fetch failed: it is tried again", slog.Any(telemetry.Error, err))
		})
	}
}

// round is one poll. It returns the number of records, and an error that may pass.
func (f *feed) round(ctx context.Context) (n int, err error) {
	round, end := context.WithCancel(ctx)
	over := make(chan struct{})
	defer close(over)
	defer end()
	f.mu.Lock()
	f.end, f.over = end, over
	f.mu.Unlock()
	f.to.between()
	fetches := f.PollRecords(round, pollRecords)
	f.spin.Polled()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		records := p.Records
		if f.to.whole != nil {
			records = f.to.whole(ctx, p.Topic, p.Partition, records)
		}
		if len(records) > 0 {
			f.to.offer(p.Topic, p.Partition, records)
		}
	})
	fetches.EachError(func(topic string, partition int32, fault error) {
		if errors.Is(fault, context.Canceled) {
			return
		}
		if fault = f.to.fault(ctx, topic, partition, fault); fault != nil {
			err = fmt.Errorf("%s/%d: %w", topic, partition, fault)
		}
	})
	return fetches.NumRecords(), err
}

// interrupt ends the current poll, so that another one begins.
func (f *feed) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// flush returns when the receiver has all that was polled before. A partition that is assigned again
// waits for that: records of its earlier assignment, polled but not received yet, would be taken for
// new ones, out of order. The client can delay a rebalance for the same reason
// (BlockRebalanceOnPoll), but then nothing is polled while a partition drains.
func (f *feed) flush() {
	f.mu.Lock()
	end, over := f.end, f.over
	f.mu.Unlock()
	end()
	<-over
}
