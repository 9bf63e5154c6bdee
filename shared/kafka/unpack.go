package kafka

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// unpack calls each with the records of an answer from an offset on, and returns the offset after the
// last. A batch that cannot be read is an UnreadableError, after the records before it.
func (p *part) unpack(fetched *kmsg.FetchResponseTopicPartition, at int64, each func(*kgo.Record) error) (int64, error) {
	all, wrong := heads(fetched.RecordBatches)
	good := all
	if wrong != nil {
		good = all[:len(all)-1]
	}
	for len(good) > 0 {
		// Batch by batch, because records need several times the memory of their batch. With aborted
		// transactions all batches go together: only then kgo knows which records to leave out.
		n := 1
		if len(fetched.AbortedTransactions) > 0 {
			n = len(good)
		}
		next, err := p.process(fetched, good[:n], at, each)
		if err != nil {
			return next, err
		}
		at, good = next, good[n:]
	}
	// A batch that is cut off after a whole one comes with the next answer.
	if wrong != nil && (!errors.Is(wrong, errCut) || len(all) == 1) {
		return at, p.unreadable(all[len(all)-1].believed(at, fetched.HighWatermark), wrong)
	}
	return at, nil
}

// process unpacks batches that follow each other.
func (p *part) process(fetched *kmsg.FetchResponseTopicPartition, some []head, at int64, each func(*kgo.Record) error) (int64, error) {
	decompressor, _ := p.cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	size := 0
	for _, h := range some {
		size += len(h.bytes)
	}
	piece := *fetched
	piece.RecordBatches = some[0].bytes[:size] // they are neighbours in one array
	opts := kgo.ProcessFetchPartitionOpts{Offset: at, Topic: p.topic, Partition: p.partition, IsolationLevel: kgo.ReadCommitted()}
	unpacked, next := kgo.ProcessFetchPartition(opts, &piece, decompressor, nil)
	for _, r := range unpacked.Records {
		if err := each(r); err != nil {
			return at, err
		}
	}
	for _, h := range some {
		if next >= h.to || h.to <= at {
			continue
		}
		err := unpacked.Err
		if err == nil {
			err = errors.New("it has fewer records than its header says")
		}
		return next, p.unreadable(h.believed(next, fetched.HighWatermark), err)
	}
	return next, unpacked.Err
}
