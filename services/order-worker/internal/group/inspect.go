package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/scheduler"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// inspector finds out why a topic's partition cannot be read, and blocks the partition if the reason does not pass.
type inspector struct {
	*core
	locator locator
	records kafka.Reader
	told    map[int32]*kafka.Backoff // of blocked partitions; owned by the caller of skipped
}

// fault classifies an error of a fetch, and returns it if it may pass.
func (i *inspector) fault(ctx context.Context, topic string, number int32, err error) error {
	switch v := kafka.Classify(err); {
	case v == kafka.Absent, cut(err):
		i.gone(ctx, topic, number)
		return nil
	case topic == "" && i.unwelcome(err) != nil:
		i.stop(i.unwelcome(err))
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("the group has consumers that are not order workers: stop them, or give the workers another --group: %w", err)
	case v == kafka.Away && topic != "":
		// The client has no name for most of what may be wrong with a batch.
		i.inspect(ctx, topic, number, true)
	}
	return err
}

// cut reports whether the client noticed that a log was cut: it continues at the end of the log.
func cut(err error) bool {
	_, ok := errors.AsType[*kgo.ErrDataLoss](err)
	return ok
}

// whole blocks a partition at a batch that the client has passed over, and returns the records before
// it. It is not for orders.status, where what compaction removed looks the same.
func (i *inspector) whole(ctx context.Context, topic string, number int32, records []*kgo.Record) []*kgo.Record {
	at, ok := i.scheduler.Reached(topic, number)
	if !ok {
		return records
	}
	n, err := i.records.Whole(ctx, at.Offset, records)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		defer i.unreadable(bad)
	}
	return records[:n]
}

// gone acts on an error that says that a topic's partition cannot be read from where it was read, or
// that a leader has lost what was read. The client alone would continue elsewhere, silently.
func (i *inspector) gone(ctx context.Context, topic string, number int32) {
	at, ok := i.scheduler.Reached(topic, number)
	if !ok {
		return
	}
	err := i.insist(ctx, topic, number, func() error {
		part := kafka.Partition{Topic: topic, Number: number}
		p, err := i.locator.logs(ctx, map[kafka.Partition]kafka.Commit{part: {Offset: kafka.Offset{At: at.Offset, Epoch: at.Epoch}}}).position(part)
		if err != nil {
			return err
		}
		lost := p.lost(number)
		on := kgo.EpochOffset{Epoch: unknown, Offset: p.behind()}
		switch {
		case topic == i.cfg.Topics.Status && (lost == nil || p.next.Offset < p.start):
			// The embedded broker says this of an offset that compaction has removed. What is left is the tail.
			i.seek(topic, number, on)
		case lost == nil: // a follower that lags: the client asks again
		case i.locator.accept(ctx, lost):
			i.seek(topic, number, on)
		default:
			if a := i.owner(number); a != nil {
				i.block(a, lost)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		i.cfg.Log.LogAttrs(ctx, slog.LevelError, "position unknown: the topic is not read", slog.String(telemetry.Topic, topic),
			slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
	}
}

// inspect finds out whether a topic's partition can be read. If not it is blocked; if a batch is
// skipped, it is read behind it. The client may have passed over what it could not read: after a
// failed fetch its position is set again.
func (i *inspector) inspect(ctx context.Context, topic string, number int32, failed bool) {
	at, ok := i.scheduler.Reached(topic, number)
	if !ok {
		return
	}
	next, err := i.records.Probe(ctx, topic, number, at.Offset)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		i.unreadable(bad)
		return
	}
	if err == nil && (failed || next != at.Offset) {
		i.scheduler.Jump(topic, number, at.Offset, next)
	}
}

func (i *inspector) unreadable(bad *kafka.UnreadableError) {
	if a := i.owner(bad.Partition); a != nil && i.block(a, bad) {
		i.logUnreadable(bad)
	}
	i.scheduler.Stop(bad.Topic, bad.Partition)
}

// stalled inspects partitions whose position is the one of before although there is more to read,
// and returns the positions now.
func (i *inspector) stalled(ctx context.Context, before map[scheduler.Place]int64) map[scheduler.Place]int64 {
	now := i.scheduler.Reading()
	var ends kadm.ListedOffsets
	for at, next := range now {
		if was, ok := before[at]; !ok || was != next {
			continue
		}
		if ends == nil {
			var err error
			ends, err = kadm.NewClient(i.side.Client).ListCommittedOffsets(ctx, append(i.sources(), i.cfg.Topics.Status)...)
			if ends == nil || err != nil && ctx.Err() != nil {
				return now
			}
		}
		if end, ok := ends.Lookup(at.Topic, at.Number); ok && end.Err == nil && next < end.Offset {
			i.inspect(ctx, at.Topic, at.Number, false)
		}
	}
	return now
}

// skipped returns the partitions that are blocked by an unreadable batch which is skipped by now. It
// logs the others again, now and then.
func (i *inspector) skipped(ctx context.Context) (skipped []*assignment) {
	for _, a := range i.all() {
		bad := a.unreadable()
		if bad == nil {
			delete(i.told, a.Number())
			continue
		}
		if next, err := i.records.Probe(ctx, bad.Topic, bad.Partition, bad.From); err == nil && next > bad.From {
			skipped = append(skipped, a)
			continue
		}
		if i.told[a.Number()] == nil { // it was logged when it was blocked
			i.told[a.Number()] = new(kafka.Backoff)
			i.told[a.Number()].Tell(bad, func(error) {})
		}
		i.told[a.Number()].Tell(bad, func(error) { i.logUnreadable(bad) })
	}
	return skipped
}
