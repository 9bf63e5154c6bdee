//go:build synctests

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// shop is a Kafka in memory, a mail server in memory, and as many workers as a test starts. It lives in a synctest
// bubble, so that time passes only while everybody waits.
type shop struct {
	*kafkatest.Kafka
	mails  *inbox.Inbox
	layout kafka.Layout // of the topics, as they were made

	atDeath func() // called when the worker of a crash window has died; or nil
}

func open(t *testing.T) *shop {
	t.Helper()
	return openWith(t, inbox.Config{})
}

// openWith is open with another mail server.
func openWith(t *testing.T, mails inbox.Config) *shop {
	t.Helper()
	return openBoth(t, kafkatest.Start(t), mails)
}

func openOn(t *testing.T, k *kafkatest.Kafka) *shop {
	t.Helper()
	return openBoth(t, k, inbox.Config{})
}

func openBoth(t *testing.T, k *kafkatest.Kafka, mails inbox.Config) *shop {
	t.Helper()
	s := &shop{Kafka: k}
	var err error
	if s.mails, err = inbox.Open(mails); err != nil {
		t.Fatal(err)
	}
	if s.layout, err = kafka.Check(t.Context(), s.Client, s.Topics); err != nil {
		t.Fatal(err)
	}
	s.run(t, "inbox", s.mails.Run)
	return s
}

// run runs a program until the returned function is called, or the test ends. That function returns when the program has ended, and
// fails the test when it does not end.
func (s *shop) run(t *testing.T, name string, program func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { // ended by stop
		defer close(done)
		if err := program(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended: %v", name, err)
		}
	}()
	stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(stopWithin):
			stacks := make([]byte, 4<<20)
			t.Fatalf("%s still runs %s after it was told to stop:\n%s", name, stopWithin, stacks[:runtime.Stack(stacks, true)])
		}
	}
	t.Cleanup(stop)
	return stop
}

// stopWithin bounds how long a program may take to stop: its drain time, twice over. A hung test ends here, and shows where.
const stopWithin = 2 * worker.DefaultDrain

// settings are those of every worker here.
func (s *shop) settings(t *testing.T) worker.Config {
	return worker.Config{
		Settings: worker.Settings{
			Group: s.Prefix, SMTP: "mail.test:25", SMTPTLS: "opportunistic", MailFrom: "shop@example.com", Concurrency: 16, Drain: worker.DefaultDrain,
			Session: 8 * time.Second, Retries: 6, RetryFor: time.Hour, Uncertain: "resend",
		},
		Kafka: s.Config(), Topics: s.Topics, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), DialMail: s.mails.Dial,
	}
}

// work starts a worker.
func (s *shop) work(t *testing.T, change ...func(*worker.Config)) (stop func()) {
	t.Helper()
	cfg := s.settings(t)
	for _, c := range change {
		c(&cfg)
	}
	return s.run(t, "worker", func(ctx context.Context) error { return worker.Run(ctx, cfg) })
}

// place puts orders into Kafka, each where it belongs, and returns their IDs.
func (s *shop) place(t *testing.T, orders ...order.Order) []order.ID {
	t.Helper()
	var ids []order.ID
	var records []*kgo.Record
	for _, o := range orders {
		ids, records = append(ids, o.ID), append(records, s.record(0, o))
		s.layout.Place(records[len(records)-1])
	}
	s.Produce(t, records...)
	return ids
}

func (s *shop) record(partition int32, o order.Order) *kgo.Record {
	r := wire.Order(o)
	r.Topic, r.Partition = s.Topics.Orders, partition
	return r
}

// sendBack replays the newest dead letter, as the desk does.
func (s *shop) sendBack(t *testing.T) {
	t.Helper()
	s.Produce(t, s.replay(t))
}

// replay is the request to replay the newest dead letter.
func (s *shop) replay(t *testing.T) *kgo.Record {
	t.Helper()
	deadLetters := s.DeadLetters(t)
	if len(deadLetters) == 0 {
		t.Fatal("got no dead letter, want one to send back")
	}
	l := deadLetters[len(deadLetters)-1]
	q := wire.ReplayRequest{
		Source: l.Source, Placed: l.Cause, At: time.Now(), Number: l.Replays + 1, Rev: l.Rev, Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress,
	}
	r := q.Record()
	r.Topic, r.Partition = s.Topics.Replay, l.Origin.Partition
	return r
}

// orders makes n orders that differ in ID and recipient.
func orders(n int) []order.Order {
	var all []order.Order
	for i := range n {
		all = append(all, sample(fmt.Sprintf("customer-%d@example.com", i), i))
	}
	return all
}

// id belongs to partition n of as many partitions as Start makes.
func id(n int) order.ID { return idOf(n, kafkatest.Partitions) }

func idOf(n, partitions int) order.ID {
	for salt := 0; ; salt++ {
		id := order.ID(fmt.Sprintf("ord_%020d%06d", salt, n))
		if (kafka.Layout{Partitions: partitions}).Partition([]byte(id)) == int32(n%partitions) {
			return id
		}
	}
}

func sample(email string, n int) order.Order {
	return order.Order{
		ID: id(n), PlacedAt: time.Now().UTC().Truncate(time.Millisecond),
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: email},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Service:  order.Standard,
		Lines: []order.Line{{
			SKU: "BOTTLE-750", Quantity: 2, Name: "Bottle", UnitPrice: order.EUR.Cents(2490), Grams: 400,
			Size: [3]int{80, 80, 260},
		}},
	}
}

// ended reports whether all n orders have a final state.
func ended(n int) func(map[order.ID]order.State) bool {
	return func(states map[order.ID]order.State) bool {
		final := 0
		for _, s := range states {
			if s.Status.Final() {
				final++
			}
		}
		return final == n
	}
}

// count counts the orders of each status.
func count(states map[order.ID]order.State) map[order.Status]int {
	counts := map[order.Status]int{}
	for _, s := range states {
		counts[s.Status]++
	}
	return counts
}

// mailedOnce checks that n mails were delivered, each once.
func (s *shop) mailedOnce(t *testing.T, n int) {
	t.Helper()
	delivered := s.mails.Deliveries()
	if len(delivered) != n {
		t.Errorf("got mails to %d orders, want %d", len(delivered), n)
	}
	for id, times := range delivered {
		if times != 1 {
			t.Errorf("mail %s: got delivered %d times, want once", id, times)
		}
	}
}

// confirmedOnce checks that all n orders are confirmed, each with one invoice and one mail, and that the offsets say so.
func (s *shop) confirmedOnce(t *testing.T, n int) {
	t.Helper()
	if diff := cmp.Diff(map[order.Status]int{order.Confirmed: n}, count(s.States(t))); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	s.mailedOnce(t, n)
	invoices := s.Invoices(t)
	if len(invoices) != n {
		t.Errorf("got invoices of %d orders, want %d", len(invoices), n)
	}
	for id, records := range invoices {
		if len(records) != 1 {
			t.Errorf("%s: got %d invoices, want one", id, len(records))
		}
	}
}

// committedAll checks that the topics that orders come from have no lag.
func (s *shop) committedAll(t *testing.T) {
	t.Helper()
	committed := s.Committed(t, s.Prefix)
	for _, topic := range []string{s.Topics.Orders, s.Topics.Retry10s, s.Topics.Retry2m, s.Topics.Waiting, s.Topics.Replay} {
		ends, err := kadm.NewClient(s.Client).ListEndOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int32]int64{}
		for partition, end := range ends[topic] {
			if end.Offset > 0 {
				want[partition] = end.Offset
			}
		}
		got := map[int32]int64{}
		for partition := range want {
			got[partition] = committed[topic][partition]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("committed of %s (-want +got):\n%s", topic, diff)
		}
	}
}
