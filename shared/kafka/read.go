package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrGone is returned by ReadOne for an offset that holds no record.
var ErrGone = errors.New("no record at this offset")

// Read calls each with the records of a partition from offset from up to, but not including, offset to, in order. A
// negative from, or one below the log's start, is the log's start. It returns the first error of each, and blocks until
// the records are there or ctx is done.
func (c Config) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(append(c.options(),
		// Control records carry no data, but the last offset below to may be one.
		kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return fmt.Errorf("configuring the Kafka client: %w", err)
	}
	defer cl.Close()

	from, err = clamp(ctx, cl, topic, partition, from)
	if err != nil {
		return err
	}
	if from >= to {
		return nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}})
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("reading %s/%d: %w", topic, partition, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset < to && !r.Attrs.IsControl() {
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

// clamp keeps an offset above the log's start: kfake answers a read below it with an error where Kafka serves the next record.
func clamp(ctx context.Context, cl *kgo.Client, topic string, partition int32, from int64) (int64, error) {
	starts, err := kadm.NewClient(cl).ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("listing the start of %s/%d: %w", topic, partition, err)
	}
	start, ok := starts.Lookup(topic, partition)
	if !ok || start.Err != nil {
		return 0, fmt.Errorf("listing the start of %s/%d: %w", topic, partition, start.Err)
	}
	return max(from, start.Offset), nil
}

// ReadOne returns the record at an offset, or ErrGone.
func (c Config) ReadOne(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	var found *kgo.Record
	err := c.Read(ctx, topic, partition, offset, offset+1, func(r *kgo.Record) error {
		found = r
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s/%d offset %d: %w", topic, partition, offset, ErrGone)
	}
	return found, err
}
