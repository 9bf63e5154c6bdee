package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Reader reads ranges of partitions and single records. Its client is made and closed by the owner,
// and must not consume: the long fetches of a consumer would delay it. A record costs one round trip
// once the leader is known. A Reader is safe for concurrent use.
//
// A batch that cannot be read is an UnreadableError, unless a record of the dead-letter topic skips
// it.
type Reader struct {
	cl    *kgo.Client
	skips *skips
}

// NewReader returns a reader with a client, and the dead-letter topic with the records that skip
// batches; an empty topic skips nothing.
func NewReader(cl *kgo.Client, dlq string) Reader { return Reader{cl, newSkips(dlq)} }

// Read is Reader.Read with a client of its own that skips nothing.
func (c Config) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(c.options()...)
	if err != nil {
		return fmt.Errorf("configuring the Kafka client: %w", err)
	}
	defer cl.Close()
	return NewReader(cl, "").Read(ctx, topic, partition, from, to, each)
}

// Read calls each, in order, with the records of a partition from offset from up to, but not
// including, offset to. A from below the start of the log, or negative, means the start. Read returns
// the first error of each. It blocks until the records exist or ctx ends, also while Kafka is away.
// Records of aborted transactions are left out.
func (r Reader) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	p := &part{cl: r.cl, topic: topic, partition: partition, bytes: stretch(to - from), wait: stretchWait}
	start, err := p.start(ctx)
	if err != nil {
		return p.failed(ctx, err)
	}
	for at := max(from, start); at < to; {
		fetched, err := p.fetch(ctx, at)
		if Classify(err) == Absent {
			// The log was truncated meanwhile, or does not reach that far yet. kfake answers so for a
			// record that compaction removed, too, where Kafka returns the next one. Read from the
			// start, and leave out what is not wanted.
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

// stretch is how many bytes to fetch at a time of so many records: of few of them not many more.
func stretch(records int64) int32 { return int32(min(records, stretchBytes/usual) * usual) }

// usual is more bytes than most records have, invoices included: a second fetch costs a round trip, and a
// worker that restores a partition waits for it.
const usual = 64 << 10

// pass returns the offset after the batch of an UnreadableError if that is skipped, else the error.
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

// Probe checks whether a partition can be read from an offset on, and returns the offset to continue
// at: the same one, or the one after a skipped batch. It does not wait for future records.
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

// Whole checks whether a consumer has received all records of a partition from an offset on: its
// client silently skips the unreadable part of a batch when a whole batch follows. Whole returns the
// number of records before the first such batch, and its UnreadableError.
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

// One returns the record at an offset. It returns ErrGone if the record was deleted or does not exist
// yet, and ErrOpen if it cannot be read yet. It waits while Kafka is away.
func (r Reader) One(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	// The broker answers with the one batch that has the offset, however large.
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
