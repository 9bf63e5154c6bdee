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

// typeSkip is the type of the record that makes every reader skip a batch.
const typeSkip = "orders.skip"

// SkippedBatch is a batch that readers skip because an operator decided so. Its record is in the
// dead-letter topic, in the partition of the same number. It names the topic's ID, so that it has no
// effect after the topic is created again.
type SkippedBatch struct {
	Topic     string
	Partition int32
	From, To  int64 // the first offset, and the one after the last
	Reason    string

	topicID [16]byte
}

// Of reports whether the topic of the batch has an incarnation, as in Layout.
func (s SkippedBatch) Of(life string) bool { return incarnation(s.topicID) == life }

// Skip returns the record that makes every reader skip the batch. The caller sets its topic.
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

// ReadSkip reads a record of the dead-letter topic. It returns false for a record of another kind.
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

// skips are the batches to skip. The dead-letter topic is read only when an unreadable batch is found.
type skips struct {
	dlq string // or empty: skip nothing

	mu   sync.Mutex
	next map[int32]int64 // by partition: the offset to read next
	all  []SkippedBatch
}

func newSkips(dlq string) *skips { return &skips{dlq: dlq, next: map[int32]int64{}} }

// has reads the dead-letter topic up to its end, and reports whether to skip a batch.
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

// readOn reads one partition to its end. It ignores batches that cannot be read: a later record may
// skip them.
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
