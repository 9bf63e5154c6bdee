package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What One returns for an offset without a record that can be read.
var (
	ErrGone = errors.New("no record at this offset")
	ErrOpen = errors.New("the record stands behind an open transaction") // which ends sooner or later
)

// Reader reads stretches of partitions and single records with a client that its owner made and closes, and that consumes
// nothing: a consumer's long fetches would hold it up. A record costs one round trip once the leader is known. It is safe for concurrent use.
type Reader struct{ cl *kgo.Client }

// NewReader returns a reader with a client.
func NewReader(cl *kgo.Client) Reader { return Reader{cl} }

// Read is that of a Reader, with a client of its own. It waits for brokers that are away, too.
func (c Config) Read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(c.options()...)
	if err != nil {
		return fmt.Errorf("configuring the Kafka client: %w", err)
	}
	defer cl.Close()
	return NewReader(cl).Read(ctx, topic, partition, from, to, each)
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
		if errors.Is(err, kerr.OffsetOutOfRange) {
			// The log was shortened meanwhile, or does not reach that far yet. kfake says so of a record that compaction took
			// away, too, where Kafka serves the next one: read from the start, and leave out what is not wanted.
			if at, err = p.start(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return p.failed(ctx, err)
		}
		at, err = p.unpack(fetched, at, func(r *kgo.Record) error {
			if r.Offset < from || r.Offset >= to {
				return nil
			}
			from = r.Offset + 1
			return each(r)
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	if err != nil && !errors.Is(err, kerr.OffsetOutOfRange) {
		return nil, p.failed(ctx, err)
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
