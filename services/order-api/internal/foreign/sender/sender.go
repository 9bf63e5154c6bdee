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
	refused map[string]error // by topic
	log     *slog.Logger

	mu     sync.Mutex
	topics map[string]found
}

// New returns a sender. The client is the caller's, and must not consume.
func New(cl *kgo.Client, rules Rules, log *slog.Logger) *Sender {
	return &Sender{cl: cl, records: kafka.NewReader(cl, ""), rules: rules, refused: rules.refused(), log: log, topics: map[string]found{}}
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
		if err := s.rules.CheckTarget(replayTo); err != nil {
			return nil, err
		}
	}
	return &Reading{s: s, topic: deadLetters, replayTo: replayTo}, nil
}

// refused are the topics that nothing is replayed to, and why.
func (r *Rules) refused() map[string]error {
	refused := map[string]error{}
	for _, name := range r.DeadLetters {
		refused[name] = errors.New("it is a dead-letter topic")
	}
	for _, spec := range r.Ours.Specs() {
		refused[spec.Name] = errors.New("only this application writes to its topics")
	}
	return refused
}

// CheckSource is an error if a topic cannot have dead letters of other programs.
func (r *Rules) CheckSource(name string) error {
	switch {
	case !foreign.Legal(name):
		return fmt.Errorf("%.100q is no name of a topic", name)
	case slices.ContainsFunc(r.Ours.Specs(), func(s topic.Spec) bool { return s.Name == name }):
		return fmt.Errorf("topic %s is one of this application", name)
	}
	return nil
}

// CheckTarget is an error if nothing may be replayed to a topic.
func (r *Rules) CheckTarget(name string) error {
	if !foreign.Legal(name) {
		return fmt.Errorf("%.100q is no name of a topic", name)
	}
	if err := r.refused()[name]; err != nil {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	return nil
}

// Grants are what the API needs for the topics of the rules. The topics that headers name need the
// same as those of ReplayTo, and are looked at when a dead letter names them.
func (r *Rules) Grants() (grants []kafka.Grant) {
	for _, name := range r.DeadLetters {
		grants = append(grants, read(name))
	}
	for _, from := range r.DeadLetters {
		if to, ok := r.ReplayTo[from]; ok {
			grants = append(grants, written(to))
		}
	}
	return grants
}

func read(name string) kafka.Grant {
	return kafka.Grant{Kind: "topic", Name: name, Operations: []string{"Read", "DescribeConfigs"}}
}

func written(name string) kafka.Grant {
	return kafka.Grant{Kind: "topic", Name: name, Operations: []string{"Write", "DescribeConfigs"}}
}

// found is what Kafka has answered about a topic.
type found struct {
	kafka.External
	err error // why it cannot be used; or nil
	at  time.Time
}

// foundAge is how long an answer is used.
const foundAge = 30 * time.Second

// find asks Kafka for the topic of a grant, unless it has done so lately. An error may pass.
func (s *Sender) find(ctx context.Context, g kafka.Grant) (found, error) {
	key := g.Operations[0] + " " + g.Name
	s.mu.Lock()
	f, known := s.topics[key]
	s.mu.Unlock()
	if known && time.Since(f.at) < foundAge {
		return f, nil
	}
	f = found{at: time.Now()}
	if f.External, f.err = kafka.CheckExternal(ctx, s.cl, g); f.err != nil {
		if !errors.Is(f.err, kafka.ErrNoTopic) && kafka.Classify(f.err) != kafka.Denied {
			return f, f.err
		}
		s.log.Warn("a topic that dead letters name cannot be used", telemetry.Topic, g.Name, telemetry.Error, f.err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.topics) > maxTopics { // headers may name any number
		clear(s.topics)
	}
	s.topics[key] = f
	return f, nil
}

const maxTopics = 1000

// item makes the record of a dead letter. Value replaces its value, unless it is nil.
func (s *Sender) item(ctx context.Context, dead *kgo.Record, replayTo string, value []byte) (Item, error) {
	dead, err := s.complete(ctx, dead)
	if err != nil {
		return Item{}, err
	}
	r, err := foreign.Back(dead, replayTo)
	if err != nil {
		reason := wire.SkipTarget
		if errors.Is(err, foreign.ErrNoCopy) {
			reason = wire.SkipLost
		}
		return Item{Skip: reason, Why: err}, nil
	}
	if err := s.refused[r.Topic]; err != nil {
		return Item{Skip: wire.SkipTarget, Why: err}, nil
	}
	t, err := s.find(ctx, written(r.Topic))
	if err != nil {
		return Item{}, err
	}
	if t.err != nil {
		return Item{Skip: wire.SkipTarget, Why: t.err}, nil
	}
	if value != nil { // edited
		r.Value = value
	}
	if most := min(t.MaxBytes, topic.MaxOrder); kafka.Size(r) > most {
		return Item{Skip: wire.SkipTooLarge, Why: fmt.Errorf("its %d bytes are more than the %d that topic %s takes", kafka.Size(r), most, r.Topic)}, nil
	}
	s.place(r, dead, t)
	return Item{Record: r}, nil
}

// complete reads what the dead letter has no copy of, if that is still there and may be read.
func (s *Sender) complete(ctx context.Context, dead *kgo.Record) (*kgo.Record, error) {
	at, partial := foreign.Partial(dead)
	if !partial {
		return dead, nil
	}
	t, err := s.find(ctx, read(at.Topic))
	if err != nil || t.err != nil || int(at.Partition) >= t.Partitions {
		return dead, err
	}
	failed, err := s.records.One(ctx, at.Topic, at.Partition, at.Offset)
	switch {
	case err == nil:
		return foreign.Complete(dead, failed), nil
	case errors.Is(err, kafka.ErrGone) || kafka.Classify(err) == kafka.Absent || kafka.Classify(err) == kafka.Denied:
		return dead, nil
	}
	return nil, err
}

// place sets the partition, if that is not known or not there: by the key, or for a record without
// one anywhere. A record that Kafka would delete for its age, as soon as it has it, gets the present
// time.
func (s *Sender) place(r, dead *kgo.Record, t found) {
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
