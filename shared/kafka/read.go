package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What One returns for an offset without a record that can be read.
var (
	ErrGone = errors.New("no record at this offset")
	ErrOpen = errors.New("the record stands behind an open transaction") // which ends sooner or later
)

// Reader reads stretches of partitions and single records with a client that its owner made and closes, and that consumes
// nothing: a consumer's long fetches would hold it up. A record costs one round trip once the leader is known. It is safe for concurrent use.
//
// A batch that cannot be read is an UnreadableError, unless a record of the dead-letter topic says that it is skipped.
type Reader struct {
	cl    *kgo.Client
	skips *skips
}

// NewReader returns a reader with a client, and the dead-letter topic in which it looks for batches to skip.
func NewReader(cl *kgo.Client, dlq string) Reader { return Reader{cl, newSkips(dlq)} }

// Read is that of a Reader, with a client of its own, that skips nothing. It waits for brokers that are away, too.
func (c Config) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(c.options()...)
	if err != nil {
		return fmt.Errorf("configuring the Kafka client: %w", err)
	}
	defer cl.Close()
	return NewReader(cl, "").Read(ctx, topic, partition, from, to, each)
}

// Read calls each with the records of a partition from offset from up to, but not including, offset to, in order. A
// negative from, or one below the log's start, is the log's start. It returns the first error of each, and blocks until
// the records are there or ctx is done, also while the brokers are away. Transactions that were aborted, or are open, are left out.
func (r Reader) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	p := &part{cl: r.cl, topic: topic, partition: partition, bytes: stretchBytes, wait: stretchWait}
	start, err := p.start(ctx)
	if err != nil {
		return p.failed(ctx, err)
	}
	for at := max(from, start); at < to; {
		fetched, err := p.fetch(ctx, at)
		if Classify(err) == Absent {
			// The log was shortened meanwhile, or does not reach that far yet. kfake says so of a record that compaction took
			// away, too, where Kafka serves the next one: read from the start, and leave out what is not wanted.
			if at, err = p.start(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			err = p.failed(ctx, err)
		} else {
			at, err = p.unpack(fetched, at, func(r *kgo.Record) error {
				if r.Offset < from || r.Offset >= to {
					return nil
				}
				from = r.Offset + 1
				return each(r)
			})
		}
		if at, err = r.pass(ctx, at, err); err != nil {
			return err
		}
	}
	return nil
}

// pass returns the offset behind the batch that an error is about, if that is skipped; else the error.
func (r Reader) pass(ctx context.Context, at int64, err error) (int64, error) {
	bad, ok := errors.AsType[*UnreadableError](err)
	if !ok {
		return at, err
	}
	if skipped, err := r.skips.has(ctx, r.cl, bad); err != nil || !skipped {
		return at, cmp.Or(err, error(bad))
	}
	return max(at, bad.To), nil
}

// Probe looks whether a partition can be read on at an offset, and returns the offset to go on at: the same, or the one behind a batch
// that is skipped. It does not wait for records that do not stand there yet.
func (r Reader) Probe(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	p := &part{cl: r.cl, topic: topic, partition: partition, bytes: 1}
	for {
		fetched, err := p.fetch(ctx, at)
		if err == nil {
			_, err = p.unpack(fetched, at, func(*kgo.Record) error { return nil })
		}
		next, err := r.pass(ctx, at, err)
		if err != nil || next == at {
			return at, err
		}
		at = next
	}
}

// Whole looks whether a consumer was given all records of a partition from an offset on: its client passes over what it cannot read of a
// batch when a whole one follows. It returns how many records stand before the first such batch, and its UnreadableError.
func (r Reader) Whole(ctx context.Context, at int64, records []*kgo.Record) (int, error) {
	for i, next := range records {
		if next.Offset > at {
			if err := r.Read(ctx, next.Topic, next.Partition, at, next.Offset, func(*kgo.Record) error { return nil }); err != nil {
				return i, err
			}
		}
		at = next.Offset + 1
	}
	return len(records), nil
}

// One returns the record at an offset. It is ErrGone when it was deleted or does not stand there yet, and ErrOpen when it
// cannot be read yet. It waits for brokers that are away until ctx is done.
func (r Reader) One(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	// A broker answers with the one batch that holds the offset, however large, when nothing more fits.
	p := &part{cl: r.cl, topic: topic, partition: partition, bytes: 1}
	var found *kgo.Record
	fetched, err := p.fetch(ctx, offset)
	if err == nil {
		_, err = p.unpack(fetched, offset, func(r *kgo.Record) error {
			if r.Offset == offset {
				found = r
			}
			return nil
		})
	}
	if err != nil && Classify(err) != Absent {
		if next, err := r.pass(ctx, offset, err); err != nil || next <= offset {
			return nil, p.failed(ctx, err)
		}
	}
	if found == nil {
		why := ErrGone
		if err == nil && fetched.LastStableOffset <= offset && offset < fetched.HighWatermark {
			why = ErrOpen
		}
		return nil, fmt.Errorf("%s/%d offset %d: %w", topic, partition, offset, why)
	}
	return found, nil
}
