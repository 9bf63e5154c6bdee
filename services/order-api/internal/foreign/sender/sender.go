// Package sender makes the records that replay dead letters of other programs.
//
// It reads a dead-letter topic in sequence, in large fetches, ahead of what its caller has asked
// for, and appends nothing: a caller produces the records of a batch in the transaction that has its
// own record of the batch, so each dead letter is replayed once.
//
// Headers of a dead letter are what anybody wrote: a record is made neither for a topic of this
// application, whose records only its own programs write, nor for a dead-letter topic.
package sender

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Rules say which topics there are.
type Rules struct {
	Ours        topic.Set
	DeadLetters []string          // the dead-letter topics of other programs
	ReplayTo    map[string]string // by dead-letter topic: where its dead letters are replayed to, instead of what their headers name
}

// Sender makes records. It is safe for concurrent use.
type Sender struct {
	cl      *kgo.Client
	records kafka.Reader
	rules   Rules
	log     *slog.Logger

	mu      sync.Mutex
	targets map[string]target
}

// New returns a sender. The client is the caller's, and must not consume.
func New(cl *kgo.Client, rules Rules, log *slog.Logger) *Sender {
	return &Sender{cl: cl, records: kafka.NewReader(cl, ""), rules: rules, log: log, targets: map[string]target{}}
}

// Item is what is to be done with one dead letter: a record to produce, with topic and partition,
// or a reason to skip it.
type Item struct {
	Record *kgo.Record
	Skip   wire.SkipReason // if Record is nil
	Why    error           // explains Skip; or nil
}

// Open begins to read a dead-letter topic. Its dead letters are replayed to the topic replayTo, or if
// that is empty to what the rules or their headers say. It does not block. It is an error if the
// rules do not name the topic, or if nothing may be replayed to replayTo. The caller closes the
// reading.
func (s *Sender) Open(deadLetters, replayTo string) (*Reading, error) {
	if !slices.Contains(s.rules.DeadLetters, deadLetters) {
		return nil, fmt.Errorf("%q is not a dead-letter topic of --dlq-topic", deadLetters)
	}
	if replayTo == "" {
		replayTo = s.rules.ReplayTo[deadLetters]
	}
	if replayTo != "" {
		if err := s.rules.Allow(replayTo); err != nil {
			return nil, err
		}
	}
	return &Reading{s: s, topic: deadLetters, replayTo: replayTo}, nil
}

// Errors of Allow.
var (
	errOurs       = errors.New("only this application writes to its topics")
	errDeadLetter = errors.New("it is a dead-letter topic")
)

// Allow is an error if nothing may be replayed to a topic.
func (r *Rules) Allow(name string) error {
	switch {
	case slices.ContainsFunc(r.Ours.Specs(), func(s topic.Spec) bool { return s.Name == name }):
		return fmt.Errorf("replaying to topic %s: %w", name, errOurs)
	case slices.Contains(r.DeadLetters, name):
		return fmt.Errorf("replaying to topic %s: %w", name, errDeadLetter)
	}
	return nil
}

// Grants are what the API needs for the topics of the rules. The topics that headers name need the
// same as those of ReplayTo, and are looked at when a dead letter names them.
func (r *Rules) Grants() (grants []kafka.Grant) {
	for _, name := range r.DeadLetters {
		grants = append(grants, kafka.Grant{Kind: "topic", Name: name, Operations: []string{"Read", "DescribeConfigs"}})
	}
	for _, from := range r.DeadLetters {
		if to, ok := r.ReplayTo[from]; ok {
			grants = append(grants, written(to))
		}
	}
	return grants
}

func written(name string) kafka.Grant {
	return kafka.Grant{Kind: "topic", Name: name, Operations: []string{"Write", "DescribeConfigs"}}
}

// target is a topic that is replayed to.
type target struct {
	kafka.External
	err     error // why nothing can be replayed to it; or nil
	checked time.Time
}

// targetAge is how long an answer about a topic is used.
const targetAge = 30 * time.Second

// target returns a topic, and asks Kafka for it now and then. An error may pass.
func (s *Sender) target(ctx context.Context, name string) (target, error) {
	s.mu.Lock()
	t, known := s.targets[name]
	s.mu.Unlock()
	if known && time.Since(t.checked) < targetAge {
		return t, nil
	}
	t = target{checked: time.Now(), err: s.rules.Allow(name)}
	if t.err == nil {
		t.External, t.err = kafka.CheckExternal(ctx, s.cl, written(name))
		if t.err != nil && !errors.Is(t.err, kafka.ErrNoTopic) && kafka.Classify(t.err) != kafka.Denied {
			return t, t.err
		}
	}
	if t.err != nil {
		s.log.Warn("dead letters cannot be replayed to a topic: they are skipped", telemetry.Topic, name, telemetry.Error, t.err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets[name] = t
	return t, nil
}

// perRecord is more than a record takes in a batch in addition to its bytes.
const perRecord = 100

// item makes the record of a dead letter. Value replaces its value, unless it is nil.
func (s *Sender) item(ctx context.Context, dead *kgo.Record, replayTo string, value []byte) (Item, error) {
	r, err := foreign.Back(dead, replayTo)
	if err != nil {
		reason := wire.SkipTarget
		if errors.Is(err, foreign.ErrNoCopy) {
			reason = wire.SkipLost
		}
		return Item{Skip: reason, Why: err}, nil
	}
	t, err := s.target(ctx, r.Topic)
	if err != nil {
		return Item{}, err
	}
	if t.err != nil {
		return Item{Skip: wire.SkipTarget, Why: t.err}, nil
	}
	if value != nil {
		r.Value = value
	}
	size := perRecord + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 10
	}
	if most := min(t.MaxBytes, topic.MaxOrder); size > most {
		return Item{Skip: wire.SkipTooLarge, Why: fmt.Errorf("its %d bytes are more than the %d that topic %s takes", size, most, r.Topic)}, nil
	}
	s.place(r, dead, t)
	return Item{Record: r}, nil
}

// place sets the partition, if that is not known or not there: by the key, or for a record without
// one anywhere. A record that Kafka would delete for its age, as soon as it has it, gets the present
// time.
func (s *Sender) place(r, dead *kgo.Record, t target) {
	if r.Partition < 0 || int(r.Partition) >= t.Partitions {
		r.Partition = int32((dead.Offset + int64(dead.Partition)) % int64(t.Partitions))
		if r.Key != nil {
			r.Partition = int32(kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(r, t.Partitions))
		}
	}
	if t.Retention >= 0 && time.Since(r.Timestamp) > t.Retention/2 {
		r.Timestamp = time.Now()
	}
}
