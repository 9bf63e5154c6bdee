package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/telemetry"
)

// feed is a client that is polled, and hands over what it gets. What it calls is called from the goroutine that polls.
type feed struct {
	*kgo.Client
	log     *slog.Logger
	between func() // before each poll
	offer   func(topic string, partition int32, records []*kgo.Record)
	gone    func(ctx context.Context, topic string, partition int32) // its position stands in the log no more

	mu   sync.Mutex
	end  context.CancelFunc // of the poll in hand
	over <-chan struct{}    // closed when what it got is handed over
}

func newFeed(cl *kgo.Client, log *slog.Logger, between func(), offer func(string, int32, []*kgo.Record), gone func(context.Context, string, int32)) *feed {
	over := make(chan struct{})
	close(over)
	return &feed{Client: cl, log: log, between: between, offer: offer, gone: gone, end: func() {}, over: over}
}

// poll hands records over until ctx ends. It never waits for the work on them.
func (f *feed) poll(ctx context.Context) {
	for ctx.Err() == nil {
		round, end := context.WithCancel(ctx)
		over := make(chan struct{})
		f.mu.Lock()
		f.end, f.over = end, over
		f.mu.Unlock()
		f.between()
		fetches := f.PollRecords(round, pollRecords)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				f.offer(p.Topic, p.Partition, p.Records)
			}
		})
		fetches.EachError(func(topic string, partition int32, err error) { f.fault(ctx, topic, partition, err) })
		end()
		close(over)
	}
}

func (f *feed) fault(ctx context.Context, topic string, partition int32, err error) {
	_, cut := errors.AsType[*kgo.ErrDataLoss](err)
	switch {
	case errors.Is(err, context.Canceled):
	case cut, errors.Is(err, kerr.OffsetOutOfRange):
		f.gone(ctx, topic, partition)
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		f.log.LogAttrs(ctx, slog.LevelError, "the group has consumers that are no order workers: stop them, or give the workers another --group",
			slog.Any(telemetry.Error, err))
	default:
		f.log.LogAttrs(ctx, slog.LevelWarn, "fetch interrupted",
			slog.String(telemetry.Topic, topic), slog.Int(telemetry.Partition, int(partition)), slog.Any(telemetry.Error, err))
	}
}

// interrupt ends the poll in hand, so that another one begins.
func (f *feed) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// flush returns when all is handed over that was polled before. A partition that comes back waits for that: its records
// from the time before, polled but not handed over yet, would be taken for new ones, and come out of order. The client
// can hold a rebalance up for the same reason (BlockRebalanceOnPoll), but then nothing is polled while a partition drains.
func (f *feed) flush() {
	f.mu.Lock()
	end, over := f.end, f.over
	f.mu.Unlock()
	end()
	<-over
}
