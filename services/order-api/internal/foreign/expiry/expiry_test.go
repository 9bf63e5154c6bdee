//go:build synctests

package expiry_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/foreign/expiry"
	"example.com/orders/shared/kafkatest"
)

// oldest is what the read model answers. It is changed while the watch sleeps.
type oldest struct {
	mu  sync.Mutex
	id  string
	at  time.Time
	err error
}

func (o *oldest) set(id string, at time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.id, o.at, o.err = id, at, err
}

// week runs a test with a topic whose records are kept for a week.
func week(t *testing.T, test func(t *testing.T, k *kafkatest.Kafka, w *expiry.Watch, of *oldest, logged func() int)) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		retention := "604800000"
		if _, err := kadm.NewClient(k.Client).CreateTopics(t.Context(), 1, 1, map[string]*string{"retention.ms": &retention}, "dead"); err != nil {
			t.Fatal(err)
		}
		var of oldest
		var log strings.Builder
		w := expiry.New(k.Client, []string{"dead"}, 24*time.Hour, func(_ context.Context, topic string) (string, time.Time, error) {
			if topic != "dead" {
				t.Errorf("asked about topic %q", topic)
			}
			of.mu.Lock()
			defer of.mu.Unlock()
			return of.id, of.at, of.err
		}, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		test(t, k, w, &of, func() int { return strings.Count(log.String(), "level=WARN") })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// pass lets time pass, and the watch look.
func pass(d time.Duration) {
	time.Sleep(d + expiry.Period)
	synctest.Wait()
}

func TestOneWarningADayBeforeADeadLetterExpires(t *testing.T) {
	week(t, func(t *testing.T, _ *kafkatest.Kafka, w *expiry.Watch, of *oldest, logged func() int) {
		synctest.Wait()
		if all := w.Deadlines(); len(all) != 0 || logged() != 0 {
			t.Errorf("got %v and %d warnings without a dead letter", all, logged())
		}
		at := time.Now()
		of.set("dead:0-7", at, nil)
		deadline := at.Add(7 * 24 * time.Hour)
		pass(6*24*time.Hour - 30*time.Minute)
		if got := w.Deadlines()["dead"]; !got.Equal(deadline) || logged() != 0 {
			t.Errorf("got %v and %d warnings more than a day before, want %v and none", got, logged(), deadline)
		}
		pass(20 * time.Minute)
		if logged() != 1 {
			t.Errorf("got %d warnings a day before, want 1", logged())
		}
		pass(5 * time.Hour)
		if logged() != 1 {
			t.Errorf("got %d warnings hours later, want no other", logged())
		}
		of.set("dead:0-8", at, nil) // the first one was replayed
		pass(0)
		if logged() != 2 {
			t.Errorf("got %d warnings, want one for the next dead letter", logged())
		}
		of.set("", time.Time{}, nil)
		pass(0)
		if all := w.Deadlines(); len(all) != 0 {
			t.Errorf("got %v, want none when nothing waits", all)
		}
	})
}

func TestTheDeadlineFollowsTheRetention(t *testing.T) {
	week(t, func(t *testing.T, k *kafkatest.Kafka, w *expiry.Watch, of *oldest, _ func() int) {
		at := time.Now()
		of.set("dead:0-7", at, nil)
		for _, row := range []struct {
			name, value string
			want        time.Duration
		}{
			{"retention.ms", "3600000", time.Hour},
			{"retention.ms", "-1", -1},
			{"retention.ms", "9223372036854775807", 100 * 365 * 24 * time.Hour},
			{"retention.ms", "0", 0},
			{"cleanup.policy", "compact", -1},
			{"cleanup.policy", "compact,delete", 0},
		} {
			if _, err := kadm.NewClient(k.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: row.name, Value: &row.value}}, "dead"); err != nil {
				t.Fatal(err)
			}
			pass(0)
			want := at.Add(row.want)
			if row.want < 0 {
				want = time.Time{}
			}
			if got := w.Deadline("dead", at); !got.Equal(want) || !w.Deadlines()["dead"].Equal(want) {
				t.Errorf("%s=%s: got %v and %v, want %v", row.name, row.value, got, w.Deadlines(), want)
			}
		}
		if got := w.Deadline("other", at); !got.IsZero() {
			t.Errorf("another topic: got %v, want none", got)
		}
	})
}

func TestAnOutageIsLoggedOnceAndTheDeadlineStays(t *testing.T) {
	week(t, func(t *testing.T, _ *kafkatest.Kafka, w *expiry.Watch, of *oldest, logged func() int) {
		at := time.Now()
		of.set("dead:0-7", at, nil)
		pass(0)
		of.set("", time.Time{}, errors.New("the read model is being rebuilt"))
		pass(time.Hour)
		if logged() != 1 || w.Deadlines()["dead"].IsZero() {
			t.Errorf("got %d warnings and %v, want 1 and the deadline", logged(), w.Deadlines())
		}
		of.set("dead:0-7", at, nil)
		pass(0)
		of.set("", time.Time{}, errors.New("again"))
		pass(0)
		if logged() != 2 {
			t.Errorf("got %d warnings, want one for each outage", logged())
		}
	})
}
