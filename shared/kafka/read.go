package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrGone is returned by ReadOne for an offset that holds no record.
var ErrGone = errors.New("no record at this offset")

// Read calls each with the records of a partition from offset from up to, but not including, offset to, in order. A
// negative from, or one below the log's start, is the log's start. It returns the first error of each, and blocks until
// the records are there or ctx is done, also while the brokers are away.
func (c Config) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	p, err := c.open(ctx, topic, partition)
	if err != nil {
		return err
	}
	defer p.cl.Close()
	return p.read(ctx, from, to, each)
}

// ReadOne returns the record at an offset, or ErrGone when it was deleted or does not stand there yet.
func (c Config) ReadOne(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	p, err := c.open(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	defer p.cl.Close()

	var found *kgo.Record
	err = p.read(ctx, offset, min(offset+1, p.end), func(r *kgo.Record) error {
		found = r
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s/%d offset %d: %w", topic, partition, offset, ErrGone)
	}
	return found, err
}

// part is a partition with a client that reads nothing else.
type part struct {
	cl         *kgo.Client
	topic      string
	partition  int32
	start, end int64 // of the log when it was opened; open transactions stand behind the end
}

// open waits for brokers that are away, as a consumer does, where Connect gives up.
func (c Config) open(ctx context.Context, topic string, partition int32) (*part, error) {
	cl, err := kgo.NewClient(append(c.options(),
		// Control records carry no data, but the last offset of a stretch may be one.
		kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// What is fetched is unpacked at once, to ten times its size and more.
		kgo.FetchMaxPartitionBytes(256<<10),
	)...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Kafka client: %w", err)
	}
	p := &part{cl: cl, topic: topic, partition: partition}
	for {
		err := p.measure(ctx)
		if err == nil {
			return p, nil
		}
		if passes(err) && pause(ctx, 250*time.Millisecond) {
			continue
		}
		cl.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, fmt.Errorf("listing the offsets of %s/%d: %w", topic, partition, err)
	}
}

// pause waits before brokers are asked again, and reports whether ctx allows that.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// passes reports whether what went wrong may pass by itself: the brokers are away, or are choosing a leader.
func passes(err error) bool {
	answer, answered := errors.AsType[*kerr.Error](err)
	return !answered || answer.Retriable && answer != kerr.UnknownTopicOrPartition
}

// measure asks where the partition begins and ends.
func (p *part) measure(ctx context.Context) (err error) {
	pick := func(listed kadm.ListedOffsets, err error) (int64, error) {
		o, ok := listed.Lookup(p.topic, p.partition)
		if err == nil && !ok {
			err = kerr.UnknownTopicOrPartition
		}
		return o.Offset, cmp.Or(err, o.Err)
	}
	adm := kadm.NewClient(p.cl)
	if p.start, err = pick(adm.ListStartOffsets(ctx, p.topic)); err != nil {
		return err
	}
	p.end, err = pick(adm.ListCommittedOffsets(ctx, p.topic))
	return err
}

func (p *part) read(ctx context.Context, from, to int64, each func(*kgo.Record) error) error {
	// kfake answers a read below the log's start with an error where Kafka serves the next record.
	if from = max(from, p.start); from >= to {
		return nil
	}
	p.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.partition: kgo.NewOffset().At(from)}})
	for {
		fetches := p.cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s/%d: %w", p.topic, p.partition, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset >= from && r.Offset < to && !r.Attrs.IsControl() {
				if err := each(r); err != nil {
					return err
				}
			}
			if r.Offset >= to-1 {
				return nil
			}
		}
	}
}
