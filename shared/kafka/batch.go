package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// head is what the first bytes of a batch say of it.
type head struct {
	from, to int64  // its first offset, and the one behind its last
	bytes    []byte // all of it, as far as it came
}

// Where the fields of a batch stand, and the newest format.
const (
	lengthAt    = 8
	magicAt     = 16
	lastDeltaAt = 23
	headBytes   = 61
	magic       = 2
)

// errCut says that an answer ends within a batch, as it does when it was full.
var errCut = errors.New("the batch is cut off")

// heads splits an answer into batches. With an error it returns those before the first whose head makes no sense, which is the last then.
func heads(answer []byte) (all []head, err error) {
	for len(answer) > 0 {
		h := head{from: -1, bytes: answer}
		if len(answer) < headBytes {
			return append(all, h), errCut
		}
		h.from = int64(binary.BigEndian.Uint64(answer))
		h.to = h.from + 1
		if answer[magicAt] == magic {
			h.to += int64(int32(binary.BigEndian.Uint32(answer[lastDeltaAt:])))
		}
		size := lengthAt + 4 + int64(int32(binary.BigEndian.Uint32(answer[lengthAt:])))
		switch {
		case size < headBytes && answer[magicAt] == magic || size <= lastDeltaAt:
			return append(all, h), fmt.Errorf("its length is %d bytes", size)
		case size > int64(len(answer)):
			return append(all, h), errCut
		}
		h.bytes, answer = answer[:size], answer[size:]
		if all = append(all, h); h.bytes[magicAt] > magic {
			return all, fmt.Errorf("its format %d is unknown", h.bytes[magicAt])
		}
	}
	return all, nil
}

// unpack calls each with the records of an answer from an offset on, and returns the offset behind the last. A batch that cannot be
// read is an UnreadableError, after the records before it.
func (p *part) unpack(fetched *kmsg.FetchResponseTopicPartition, at int64, each func(*kgo.Record) error) (int64, error) {
	all, wrong := heads(fetched.RecordBatches)
	good := all
	if wrong != nil {
		good = all[:len(all)-1]
	}
	for len(good) > 0 {
		// Batch by batch, because records take several times the room of their batch. Where transactions were aborted, which
		// records to leave out shows only when all are unpacked together.
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
	// What is cut off behind a whole batch comes with the next answer.
	if wrong != nil && (!errors.Is(wrong, errCut) || len(all) == 1) {
		return at, p.unreadable(all[len(all)-1].believed(at, fetched.HighWatermark), wrong)
	}
	return at, nil
}

// process unpacks some batches that stand one behind the other.
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
			err = errors.New("it holds fewer records than it says")
		}
		return next, p.unreadable(h.believed(next, fetched.HighWatermark), err)
	}
	return next, unpacked.Err
}

// believed is a head with offsets that may be wrong replaced by the one that was asked for.
func (h head) believed(at, end int64) head {
	if h.from < 0 || h.from >= end || h.to <= at || h.to > end {
		h.from, h.to = at, at+1
	}
	return h
}

func (p *part) unreadable(h head, err error) error {
	if _, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		err = fmt.Errorf("its %d bytes unpack to more than %d MiB: %w", len(h.bytes), unpackable>>20, kgo.ErrMaxDecompress) // the client's text is for programmers
	}
	return &UnreadableError{
		Topic: p.topic, Partition: p.partition, From: h.from, To: h.to, Batch: bytes.Clone(h.bytes), Err: err, topicID: p.id,
	}
}
