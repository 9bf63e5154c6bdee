package stats

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
)

// backlog is how long before the start the records of orders are read from. More would cost too much: at
// 2,000 orders a second a minute is 600,000 records.
const backlog = time.Minute

// fetchAtOnce is how many bytes the broker gathers for an answer, unless that takes too long. It would
// answer for each single order.
const fetchAtOnce = 1 << 20

// follow counts the records of the topics until ctx ends. It is never behind for long: what it cannot read
// is left out.
func (s *Stats) follow(ctx context.Context) {
	cl := s.connect(ctx)
	if cl == nil {
		return
	}
	defer cl.Close()
	folds, told := map[int32]*status.Fold{}, false
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			if !told { // once: the client repeats what may pass
				s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the statistics leave out records that cannot be read",
					slog.String(telemetry.Topic, topic), slog.Int(telemetry.Partition, int(partition)), slog.Any(telemetry.Error, err))
			}
			told = true
		})
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) {
			if told = false; r.Topic != s.cfg.Topics.Status || confirms(folds, r) {
				s.record(r, now)
			}
		})
		if fetches.Err() != nil && !pause(ctx) {
			return
		}
	}
}

// connect returns nil when ctx ends.
func (s *Stats) connect(ctx context.Context) *kgo.Client {
	var told kafka.Backoff
	for {
		// A log that begins later now is read from its end: the statistics are about the present.
		cl, err := s.cfg.Kafka.Connect(ctx, kgo.ConsumePartitions(s.positions(time.Now())), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
			kgo.FetchMinBytes(fetchAtOnce), kgo.FetchMaxBytes(4*fetchAtOnce), kgo.FetchMaxPartitionBytes(fetchAtOnce/4), kgo.FetchMaxWait(every/4))
		if err == nil {
			return cl
		}
		told.Tell(err, func(err error) {
			s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the statistics wait for Kafka", slog.Any(telemetry.Error, err))
		})
		if !pause(ctx) {
			return nil
		}
	}
}

// pause keeps an error that repeats from taking a whole core. It is false when ctx ends.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// positions are where to begin.
func (s *Stats) positions(now time.Time) map[string]map[int32]kgo.Offset {
	all := map[string]map[int32]kgo.Offset{}
	for name, since := range map[string]time.Duration{s.cfg.Topics.Orders: backlog, s.cfg.Topics.Status: backlog, s.cfg.Topics.Workers: window} {
		all[name] = map[int32]kgo.Offset{}
		for _, p := range parts(name, s.cfg.Partitions) {
			all[name][p.Number] = kgo.NewOffset().AfterMilli(now.Add(-since).UnixMilli())
		}
	}
	return all
}

// confirms reports whether a record of orders.status confirms an order.
func confirms(folds map[int32]*status.Fold, r *kgo.Record) bool {
	fold := folds[r.Partition]
	if fold == nil {
		fold = new(status.From(r.Offset))
		folds[r.Partition] = fold
	}
	head, verdict, err := fold.Apply(r)
	return err == nil && verdict == status.Current && head.Status == order.Confirmed
}
