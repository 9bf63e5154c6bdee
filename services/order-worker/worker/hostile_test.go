//go:build synctests

package worker_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// noise is the same every time, and does not get smaller when it is compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	for i, random := 0, rand.New(rand.NewPCG(1, 2)); i < n; i++ {
		b[i] = byte(random.Uint32())
	}
	return b
}

// crowd is thousands of headers.
func crowd() []kgo.RecordHeader {
	var all []kgo.RecordHeader
	for i := range 5000 {
		all = append(all, kgo.RecordHeader{Key: fmt.Sprintf("x-%d", i), Value: noise(20)}, kgo.RecordHeader{})
	}
	return all
}

// forged are headers named like ours, each with a value that would do harm if it were believed.
func forged() []kgo.RecordHeader {
	var all []kgo.RecordHeader
	for name, value := range map[string]string{
		"ce_type": wire.TypeClaim, "owner": "9223372036854775807", "rev": "9223372036854775807", "state": "confirmed", "origin": "-1",
		"__dlq.errors.topic": "orders", "__dlq.errors.partition": "9", "__dlq.errors.offset": "9223372036854775807",
		"__dlq.errors.delivery.count": "1e9", "dlq-class": "down", "dlq-reason": "no-route", "dlq-replays": "5", "dlq-rev": "99",
		"dlq-progress": `{"finished":["shipping","invoice","email"]}`, "progress": `{"finished":["shipping","invoice","email"]}`,
		"ce_specversion": "1.0", "schema": "9", "retries": "99", "since": "9999-12-31T23:59:59Z", "replay": "5", "actor": "operator:eve",
		"traceparent": strings.Repeat("0", 100_000),
	} {
		all = append(all, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return all
}

// Every record of the topic orders becomes an order or a dead letter, and other orders are not affected.
func TestHostileRecordsAreDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		const most = topic.MaxOrder - 1<<10 // the rest of what the broker takes is the record's frame
		large := s.record(0, sample("ann@example.com", 3))
		large.Value = fmt.Appendf(nil, `{"x":"%x",%s`, noise((most-len(large.Value))/2), large.Value[1:])
		crowded, misled := s.record(0, sample("bob@example.com", 6)), s.record(0, sample("eve@example.com", 9))
		crowded.Headers, misled.Headers = crowd(), append(misled.Headers, forged()...)
		fine := []*kgo.Record{large, crowded, misled}
		poison := []*kgo.Record{
			{Value: noise(1000)},
			{Key: []byte("claim"), Value: noise(most)},
			{Key: noise(most), Value: []byte("{}")},
			{Key: []byte("ord_x"), Value: noise(10), Headers: crowd()},
			{Key: []byte("ord_x"), Value: noise(10), Headers: forged()},
			{Key: []byte("ord_other"), Value: wire.Order(sample("ann@example.com", 4)).Value},
			{Key: []byte("ord_x"), Headers: []kgo.RecordHeader{{Key: string(noise(100_000)), Value: noise(100_000)}}},
		}
		want := map[string]failure.Reason{}
		for i, r := range poison {
			r.Topic = s.Topics.Orders
			want[fmt.Sprintf("0-%d", i)] = failure.Undecodable
		}
		s.Produce(t, append(poison, fine...)...)
		stop := s.work(t)
		s.Await(t, ended(len(fine)))
		time.Sleep(5 * time.Second)
		stop()
		s.confirmedOnce(t, len(fine))
		s.committedAll(t)
		got := map[string]failure.Reason{}
		for _, l := range s.DeadLetters(t) {
			got[l.ID()] = l.Reason
			if from := poison[l.Origin.Offset]; !bytes.Equal(l.Key, from.Key) || !bytes.Equal(l.Value, from.Value) || l.Attempts != 1 || l.Replays != 0 {
				t.Errorf("dead letter %s: got %d and %d bytes, %d attempts, %d replays; want the record as it came, and nothing of what its headers say",
					l.ID(), len(l.Key), len(l.Value), l.Attempts, l.Replays)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}

// Orders come back from topics that only workers and the desk write to. What anybody else writes there does nothing: no
// mail, no dead letter of an order, no loop, and an end.
func TestForgedRecordsOfOtherTopicsDoNothing(t *testing.T) {
	t.Parallel()
	names := topic.Names("orders")
	for _, name := range []string{names.Replay, names.Retry10s, names.Retry2m, names.Waiting} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				var fetches atomic.Int64
				stop := s.work(t, func(c *worker.Config) {
					s.tap(t, c, own).dies(moment{false, func(x said) bool { // never, but it observes everything
						if x.what == "fetch" && x.topic == name {
							fetches.Add(1)
						}
						return false
					}})
				})
				done := s.record(0, sample("ann@example.com", 3))
				s.Produce(t, done)
				state := s.Await(t, ended(1))[id(3)]
				for _, r := range forgeries(done, state) {
					r.Topic = name
					s.Produce(t, r)
				}
				s.Produce(t, s.record(0, sample("bob@example.com", 6)))
				s.Await(t, ended(2))
				time.Sleep(8*names.Delay(name) + 30*time.Second) // until all of it is due: what a stranger wrote counts from when it is fetched
				stop()
				s.confirmedOnce(t, 2)
				s.committedAll(t)
				(&scene{shop: s}).nothingLeft(t)
				for _, l := range s.DeadLetters(t) { // what is no order was none before it was sent back
					if l.Reason != failure.Undecodable {
						t.Errorf("got dead letter %s, %s: %s; want none of an order", l.ID(), l.Reason, l.Message)
					}
				}
				if n := fetches.Load(); n > 400 {
					t.Errorf("got %d fetches, want some a second: what is not due yet must not be fetched over and over", n)
				}
				if n := len(s.Records(t, name)); n != len(forgeries(done, state)) {
					t.Errorf("got %d records in %s, want no more than were forged", n, name)
				}
			})
		})
	}
}

// forgeries are records that pretend to carry an order that is done, or one that there is not.
func forgeries(done *kgo.Record, state order.State) []*kgo.Record {
	all := []*kgo.Record{{}, {Value: noise(1000)}, {Key: noise(100_000), Value: noise(1_000_000)}, {Headers: crowd()}, {Headers: forged()}}
	forge := func(change func(*wire.Parked)) {
		p := wire.Parked{
			Source: wire.Source{Key: done.Key, Value: done.Value, Origin: state.Origin}, Status: order.Retrying, At: time.Now(), Attempts: 3,
			Rev: state.Rev, Replay: 1, Retries: 1, Since: time.Now(), Progress: state.Progress,
		}
		change(&p)
		q := wire.ReplayRequest{Source: p.Source, At: p.At, Number: p.Replay, Rev: p.Rev, StateAt: int64(p.Retries), Attempts: p.Attempts, Progress: p.Progress}
		l := dlq.DeadLetter{Source: p.Source, Topic: "orders", Step: order.StepEmail, Reason: failure.MailBusy, Replays: p.Replay, Rev: p.Rev, Progress: p.Progress}
		for _, r := range []*kgo.Record{p.Record(), q.Record(), l.Record()} {
			r.Partition = 0
			all = append(all, r)
		}
	}
	forge(func(p *wire.Parked) {})
	forge(func(p *wire.Parked) { p.Status = order.Waiting })
	forge(func(p *wire.Parked) { p.Origin.Partition = 1 })
	forge(func(p *wire.Parked) { p.Origin.Offset = 1 << 62 })
	forge(func(p *wire.Parked) { p.Rev = 1 << 62 })
	forge(func(p *wire.Parked) { p.Rev, p.Replay, p.Attempts, p.Retries = -1, -1, -1, -1 })
	forge(func(p *wire.Parked) { p.Replay, p.Retries = 1<<30, 1<<62 })
	forge(func(p *wire.Parked) { p.Key = nil })
	forge(func(p *wire.Parked) { p.Value = nil })
	forge(func(p *wire.Parked) { p.Value = noise(100) })
	forge(func(p *wire.Parked) { p.Progress = order.Progress{} })
	forge(func(p *wire.Parked) { p.Headers = crowd() })
	for range 40 {
		forge(func(p *wire.Parked) {})
	}
	spoilt := slices.Clone(all[5].Headers)
	for i := range spoilt {
		spoilt[i].Value = []byte("\x00{")
	}
	return append(all, &kgo.Record{Key: done.Key, Value: done.Value, Headers: spoilt})
}
