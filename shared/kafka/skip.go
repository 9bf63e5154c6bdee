package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// typeSkip is the type of the record that has every reader pass over a batch.
const typeSkip = "orders.skip"

// SkippedBatch is a stretch of a partition that readers pass over, because an operator said so: a record of the dead-letter topic, in the
// partition of the same number. It names the ID of the topic, so that it counts for one life of it.
type SkippedBatch struct {
	Topic     string
	Partition int32
	From, To  int64 // the first offset, and the one behind the last
	Reason    string

	topicID [16]byte
}

// Of reports whether the batch stands in a topic with an incarnation, as Check says it of the topic orders.
func (s SkippedBatch) Of(life string) bool { return incarnation(s.topicID) == life }

// Skip is the record that has every reader pass over the batch. It stands in a topic of the caller's.
func (u *UnreadableError) Skip(at time.Time) *kgo.Record {
	r := &kgo.Record{Partition: u.Partition}
	for _, h := range [][2]string{
		{"ce_specversion", "1.0"},
		{"ce_type", typeSkip},
		{"ce_source", "/orders"},
		{"ce_id", u.Topic + "/" + strconv.Itoa(int(u.Partition)) + "@" + decimal(u.From)},
		{"ce_time", at.UTC().Format(time.RFC3339Nano)},
		{"topic", u.Topic},
		{"topic_id", hex.EncodeToString(u.topicID[:])},
		{"from", decimal(u.From)},
		{"to", decimal(u.To)},
		{"reason", u.Err.Error()},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// ReadSkip reads a record of the dead-letter topic. False means that it is another kind of record.
func ReadSkip(r *kgo.Record) (SkippedBatch, bool) {
	// The last header of a name counts: a dead letter begins with headers that somebody else wrote.
	header := func(name string) string {
		for _, h := range slices.Backward(r.Headers) {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
	if header("ce_type") != typeSkip {
		return SkippedBatch{}, false
	}
	s := SkippedBatch{Topic: header("topic"), Partition: r.Partition, Reason: header("reason")}
	from, err1 := strconv.ParseInt(header("from"), 10, 64)
	to, err2 := strconv.ParseInt(header("to"), 10, 64)
	id, err3 := hex.DecodeString(header("topic_id"))
	copy(s.topicID[:], id)
	s.From, s.To = from, to
	return s, errors.Join(err1, err2, err3) == nil && from < to
}

// skips are the batches that are to be skipped, as far as the dead-letter topic was read: only when an unreadable batch is met.
type skips struct {
	dlq string // empty: nothing is skipped

	mu   sync.Mutex
	next map[int32]int64 // by partition: how far it is read
	all  []SkippedBatch
}

func newSkips(dlq string) *skips { return &skips{dlq: dlq, next: map[int32]int64{}} }

// has reads on to the end of the dead-letter topic, and reports whether a batch is to be skipped.
func (s *skips) has(ctx context.Context, cl *kgo.Client, bad *UnreadableError) (bool, error) {
	if s.dlq == "" {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readOn(ctx, cl, bad.Partition); err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.all, func(b SkippedBatch) bool {
		return b.Topic == bad.Topic && b.topicID == bad.topicID && b.Partition == bad.Partition && b.From == bad.From && b.To == bad.To
	}), nil
}

// readOn reads one partition to its end. Batches that cannot be read are passed over: one behind them may say that they are skipped.
func (s *skips) readOn(ctx context.Context, cl *kgo.Client, partition int32) error {
	p := &part{cl: cl, topic: s.dlq, partition: partition, bytes: stretchBytes}
	at, known := s.next[partition]
	if !known {
		var err error
		if at, err = p.start(ctx); err != nil {
			return p.failed(ctx, err)
		}
	}
	for {
		fetched, err := p.fetch(ctx, at)
		if err == nil && at >= fetched.HighWatermark {
			return nil
		}
		next := at
		if err == nil {
			next, err = p.unpack(fetched, at, func(r *kgo.Record) error {
				if b, ok := ReadSkip(r); ok {
					s.all = append(s.all, b)
				}
				return nil
			})
		}
		if bad, ok := errors.AsType[*UnreadableError](err); ok {
			next, err = max(next, bad.To), nil
		}
		if err != nil {
			return p.failed(ctx, err)
		}
		if next == at {
			return nil // an open transaction
		}
		at = next
		s.next[partition] = at
	}
}
