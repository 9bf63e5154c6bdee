// Package expiry watches when Kafka deletes dead letters of other programs. Their topics are not
// ours: most have a retention of seven days, after which a dead letter is
// gone, replayed or not.
//
// Kafka deletes a segment of a log when its newest record is older than the retention, so a record
// is there at least until its own timestamp plus the retention: that is its deadline. Deletion by
// size (retention.bytes) cannot be foreseen.
package expiry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// Period is how often a Watch looks at the topics.
const Period = 10 * time.Minute

// Oldest returns the timestamp of the oldest dead letter of a topic that waits for an operator, and
// its ID; or an empty ID if there is none.
type Oldest func(ctx context.Context, topic string) (id string, at time.Time, err error)

// Watch knows the deadlines of topics. A nil Watch knows none. It is safe for concurrent use.
type Watch struct {
	// Immutable after New.
	cl      *kgo.Client
	oldest  Oldest
	warning time.Duration
	log     *slog.Logger

	mu     sync.Mutex
	topics map[string]*watched
}

// watched is what is known of a topic.
type watched struct {
	retention time.Duration // negative: for ever
	known     bool          // retention was read
	deadline  time.Time     // of the oldest dead letter that waits; zero: none, or for ever
	warned    string        // ID of the dead letter that was warned of last
	failing   bool          // the last look failed
}

// New returns a watch of topics. It logs a warning when the first dead letter of a topic that waits
// for an operator is deleted within a time.
func New(cl *kgo.Client, topics []string, warning time.Duration, oldest Oldest, log *slog.Logger) *Watch {
	w := &Watch{cl: cl, oldest: oldest, warning: warning, log: log, topics: map[string]*watched{}}
	for _, name := range topics {
		w.topics[name] = &watched{}
	}
	return w
}

// Run looks at the topics until ctx is done, and returns nil then.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(Period)
	defer tick.Stop()
	for {
		for name, t := range w.topics {
			w.look(ctx, name, t)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Deadline is when Kafka deletes a dead letter of a topic with a timestamp, at the earliest; zero if
// that is never or not known.
func (w *Watch) Deadline(topic string, at time.Time) time.Time {
	if w == nil {
		return time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.topics[topic]
	if t == nil {
		return time.Time{}
	}
	return t.of(at)
}

// Deadlines are those of the oldest dead letter of each topic that waits for an operator. A topic
// without one is left out.
func (w *Watch) Deadlines() map[string]time.Time {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]time.Time{}
	for name, t := range w.topics {
		if !t.deadline.IsZero() {
			all[name] = t.deadline
		}
	}
	return all
}

func (t *watched) of(at time.Time) time.Time {
	if !t.known || t.retention < 0 || at.IsZero() {
		return time.Time{}
	}
	return at.Add(t.retention)
}

// look asks for the retention of a topic and its oldest dead letter.
func (w *Watch) look(ctx context.Context, name string, t *watched) {
	found, err := kafka.CheckExternal(ctx, w.cl, kafka.Grant{Kind: "topic", Name: name, Operations: []string{"DescribeConfigs"}})
	id, at, err2 := w.oldest(ctx, name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		t.retention, t.known = found.Retention, true
	}
	if err = errors.Join(err, err2); err != nil {
		if !t.failing && ctx.Err() == nil { // once an outage
			w.log.Warn("cannot tell when dead letters of a topic expire", telemetry.Topic, name, telemetry.Error, err)
		}
		t.failing = true
		return
	}
	t.failing = false
	if t.deadline = t.of(at); id == "" {
		t.deadline = time.Time{}
	}
	if t.deadline.IsZero() || id == t.warned || time.Until(t.deadline) > w.warning {
		return
	}
	t.warned = id
	w.log.Warn("Kafka is about to delete a dead letter: replay or discard it, or raise retention.ms of its topic",
		telemetry.Topic, name, telemetry.DeadLetter, id, telemetry.Deadline, t.deadline)
}
