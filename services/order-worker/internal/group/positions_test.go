//go:build synctests

package group

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// erase deletes the records of a topic's partition below an offset, as retention does.
func (m *team) erase(t *testing.T, topic string, partition int32, below int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, below, -1)
	deleted, err := kadm.NewClient(m.Client).DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// warnings collects log lines. It may be read while a member writes.
type warnings struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *warnings) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(line)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// listen collects what a member logs at level WARN and above.
func listen(c *Config) *warnings {
	said := new(warnings)
	c.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	return said
}

func TestRecordsLostWithoutAWorkerAreNamedAndTheirPartitionIsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		accept bool
		say    string // of the partition that lost records
		worked []string
	}{
		{"refused", false, "level=ERROR msg=\"records lost: partition refused without --accept-loss\"", []string{"/0@2"}},
		{"accepted", true, "level=WARN msg=\"records lost and accepted\"", []string{"/0@2", "/1@4", "/1@5"}},
	} {
		for _, topic := range []string{"orders", "orders.retry.10s", "orders.replay"} {
			t.Run(row.name+" "+topic, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					m.fill(t, topic, 0, 2)
					m.fill(t, topic, 1, 2)
					m.joinFor(t, 20*time.Second, m.work)
					m.seen = nil
					m.fill(t, topic, 0, 1)
					m.fill(t, topic, 1, 4)
					m.erase(t, topic, 1, 4)
					var said *warnings
					stop := m.join(t, m.work, func(c *Config) {
						said = listen(c)
						c.AcceptLoss = row.accept
					})
					time.Sleep(20 * time.Second)
					stop()
					want := fmt.Sprintf("%s topic=%s partition=1 from=2 to=4 count=2\n", row.say, topic)
					if diff := cmp.Diff(want, said.String()); diff != "" {
						t.Errorf("said (-want +got):\n%s", diff)
					}
					m.counted(t, "lost_records_total 2")
					var worked []string
					for _, w := range row.worked {
						worked = append(worked, topic+w)
					}
					if diff := cmp.Diff(worked, m.worked()); diff != "" {
						t.Errorf("worked on (-want +got):\n%s", diff)
					}
					if at, want := m.committed(t, topic, 1), map[bool]int64{false: 2, true: 6}[row.accept]; at != want {
						t.Errorf("committed: got %d, want %d", at, want)
					}
				})
			})
		}
	}
}

func TestRecordsLostUnderAMemberThatReadsThem(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		for _, topic := range []string{"orders", "orders.waiting", "orders.replay"} {
			t.Run(fmt.Sprintf("%s accept %t", topic, accept), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					var said *warnings
					c, stop := m.member(t, m.work, func(c *Config) {
						said = listen(c)
						c.AcceptLoss = accept
					})
					m.fill(t, topic, 1, 2)
					time.Sleep(5 * time.Second)
					synctest.Wait()
					c.fetch(topic, 1, true) // it reads slowly
					time.Sleep(time.Second)
					m.fill(t, topic, 1, 5)
					m.erase(t, topic, 1, 6)
					c.fetch(topic, 1, false)
					time.Sleep(5 * time.Second)
					m.fill(t, m.Topics.Orders, 0, 1)
					time.Sleep(5 * time.Second)
					stop()
					want := []string{"orders/0@0", topic + "/1@0", topic + "/1@1"}
					if accept {
						want = append(want, topic+"/1@6")
					}
					slices.Sort(want)
					if diff := cmp.Diff(want, m.worked()); diff != "" {
						t.Errorf("worked on (-want +got):\n%s", diff)
					}
					if name := fmt.Sprintf("topic=%s partition=1 from=2 to=6 count=4\n", topic); !strings.HasSuffix(said.String(), name) || strings.Count(said.String(), name) != 1 {
						t.Errorf("said %q, want once %q", said, name)
					}
				})
			})
		}
	}
}

func TestWithNothingCommittedLossesAreUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 4)
		m.erase(t, m.Topics.Orders, 1, 3)
		var said *warnings
		m.joinFor(t, 5*time.Second, m.work, func(c *Config) { said = listen(c) })
		want := "level=WARN msg=\"nothing committed, and the log does not begin at 0: orders before may be lost\" topic=orders partition=1 offset=3\n"
		if diff := cmp.Diff(want, said.String()); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"orders/1@3"}, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
	})
}

func TestALogThatEndsBelowWhatWasFinishedIsALoss(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at, start, end int64
		want           *loss
	}{
		{5, 5, 5, nil},
		{0, 0, 9, nil},
		{9, 3, 9, nil},
		{2, 3, 9, &loss{"orders", 1, 2, 3}},
		{9, 0, 7, &loss{"orders", 1, 7, 9}},
	} {
		p := position{topic: "orders", next: kgo.EpochOffset{Offset: row.at}, start: row.start, end: row.end, cut: unknown}
		if diff := cmp.Diff(row.want, p.lost(1), cmp.AllowUnexported(loss{})); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", p, diff)
		}
	}
}

// Each order has one state. What the next owner restores is counted in states.
func TestTheLedgerIsRestoredFromTheOldestUnfinishedOrder(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run("with the broker's clock at "+ahead.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				slow := make(chan struct{})
				end := sync.OnceFunc(func() { close(slow) })
				defer end()
				c, _ := m.member(t, func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
					if r.Topic != m.Topics.Orders {
						return nil
					}
					o := order.Order{ID: order.ID(r.Key), PlacedAt: time.Now()}
					err := l.Write(ctx, new(o.Begin(l.Origin(r.Offset))), order.Change{Status: order.Working})
					if string(r.Key) == "slow" {
						<-slow
					}
					return err
				})
				place := func(minutes int) {
					for i := range minutes {
						m.Produce(t, &kgo.Record{Topic: m.Topics.Orders, Partition: 1, Key: fmt.Append(nil, "k", i), Value: []byte("{}")})
						time.Sleep(time.Minute)
					}
				}
				restored := func() (states int64) {
					t.Helper()
					l := locator{c.core}
					found, err := l.positions(t.Context(), 1)
					if err != nil {
						t.Fatal(err)
					}
					from := int64(1 << 62)
					for _, m := range start(found[:len(c.sources())]).Since {
						from = min(from, m.Floor)
					}
					return 1 + int64(m.Count(t, m.Topics.Orders, 1)) - from // behind the claim
				}
				place(10)
				m.SetClocks(kafkatest.Clocks{"": ahead})
				if got := restored(); got != 11 {
					t.Errorf("after ten minutes: got the last %d records, want all", got)
				}
				place(20)
				m.SetClocks(nil)
				if got := restored(); got < 15 || got > 17 {
					t.Errorf("all finished: got the last %d records, want those of a quarter of an hour", got)
				}
				m.Produce(t, &kgo.Record{Topic: m.Topics.Orders, Partition: 1, Key: []byte("slow"), Value: []byte("{}")})
				place(60)
				if got := restored(); got < 60+15 || got > 60+18 {
					t.Errorf("one unfinished: got the last %d records, want those of a quarter of an hour before it", got)
				}
				end()
				place(20)
				if got := restored(); got < 15 || got > 17 {
					t.Errorf("all finished again: got the last %d records, want those of a quarter of an hour", got)
				}
			})
		})
	}
}

// A rebalance during a restore neither ends it nor makes it happen twice; the loss of the partition ends it.
func TestARestoreOutlastsARebalanceButNotALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		for partition := range int32(3) {
			m.fill(t, m.Topics.Orders, partition, 1)
		}
		late := make(chan struct{})
		m.Cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			m.Cluster.KeepControl()
			m.Cluster.SleepControl(func() { <-late })
			return nil, nil, false
		})
		stop := m.join(t, m.work)
		time.Sleep(5 * time.Second)
		m.join(t, m.work)
		time.Sleep(5 * time.Second)
		close(late)
		time.Sleep(10 * time.Second)
		if got := m.worked(); len(got) != 3 {
			t.Errorf("worked on %v, want three records, each once", got)
		}
		if claims := m.Records(t, m.Topics.Status); len(claims) > 4 {
			t.Errorf("got %d claims, want one for each partition, and one for that which changed its owner", len(claims))
		}
		stop()
	})
}

func TestRestoreEndsWhenThePartitionIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 1)
		fault := m.Cluster.Fault(kafkatest.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Count: -1})
		c, _ := m.member(t, func(_ context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
			return m.work(t.Context(), nil, r, nil)
		})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		c.releaser.lost(t.Context())
		if got := c.all(); len(got) != 0 {
			t.Errorf("still restoring %v, want nothing", got)
		}
		fault.Remove()
		time.Sleep(5 * time.Second)
		if got := m.worked(); len(got) != 0 {
			t.Errorf("worked on %v of a partition that is lost, want nothing", got)
		}
	})
}
