//go:build synctests

package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// cases is how many dead letters the forecast is tried on.
const cases = 500

// pick draws one of several texts.
func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

// drawn is an order that a customer may have placed, or that another program may have sent.
func drawn(random *rand.Rand, n int) order.Order {
	o := sample(pick(random, "zoe@example.com", "ann@example.com", "unknown@refused.test"), n)
	o.Customer.Name = pick(random, "Zoë Łukasiewicz", "王小明", "Иванов", "👩‍🚀", "محمد")
	o.ShipTo.Country = pick(random, strings.Fields("DE FR PL GR US CH AQ AQ AQ RU")...)
	o.ShipTo.PostalCode = pick(random, "10115", "18565", "", "99000")
	o.Service = pick(random, order.Standard, order.Express)
	if random.IntN(4) == 0 {
		o.Customer.VATID = pick(random, "ATU12345678", "PL1234567890")
	}
	for i := range random.IntN(4) {
		o.Lines = append(o.Lines, order.Line{
			SKU: fmt.Sprintf("S-%d", i), Quantity: 1 + random.IntN(40), Name: "Tent", UnitPrice: order.EUR.Cents(random.Int64N(100_000)),
			Grams: random.IntN(40_000), Size: [3]int{random.IntN(2500), random.IntN(900), 100},
		})
	}
	return o
}

// damaged is a record that is no order, under the key of one.
func damaged(random *rand.Rand, value []byte) []byte {
	switch random.IntN(3) {
	case 0:
		return value[:random.IntN(len(value))]
	case 1:
		return []byte(strings.Replace(string(value), `"quantity":2`, `"quantity":0`, 1))
	}
	return []byte(strings.Replace(string(value), `@`, `(at)`, 1))
}

// request is the replay of a dead letter, of which a third is edited, well or badly.
func request(random *rand.Rand, l dlq.DeadLetter, n int) *wire.ReplayRequest {
	q := &wire.ReplayRequest{
		Source: l.Source, Placed: l.Cause, At: time.Now(), Number: l.Replays + 1, Rev: l.Rev, Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress,
		Job: "job_1",
	}
	o, err := q.Order()
	if err != nil {
		o = drawn(random, n) // an order for a record that is none
		o.ID = order.ID(l.Key)
	}
	o.Source = nil
	switch random.IntN(9) {
	case 0:
		o.ShipTo.Country = pick(random, "DE", "AQ", "JP")
	case 1:
		o.Lines[0].Quantity = 1 + random.IntN(10_000)
	case 2:
		o.Customer.Email = pick(random, "new@example.com", "unknown@refused.test", "no address")
	case 3:
		o.PlacedAt = o.PlacedAt.Add(time.Hour)
	default:
		if random.IntN(9) > 0 {
			return q
		}
		q.Edit, q.Value = 1, damaged(random, wire.Order(o).Value)
		return q
	}
	q.Edit, q.Value = 1, wire.Order(o).Value
	return q
}

// TestAForecastIsWhatTheReplayDoes has 500 dead letters: of orders with and without a route, that are too heavy, that are
// invoiced, refused by the mail server, and of records that are no orders; some edited, well or badly. The rate card is changed
// before the dry run.
func TestAForecastIsWhatTheReplayDoes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { forecasts(t, rand.New(rand.NewPCG(seed, 0))) })
	})
}

func forecasts(t *testing.T, random *rand.Rand) {
	s := open(t)
	card := filepath.Join(t.TempDir(), "card.yaml")
	if err := os.WriteFile(card, []byte(antarctic), 0o600); err != nil {
		t.Fatal(err)
	}
	refusing := func(c *worker.Config) {
		s.tap(t, c, func(to string) string {
			if strings.HasSuffix(to, "@refused.test") {
				return "550 5.1.1 no such user"
			}
			return ""
		})
	}
	stop := s.work(t, func(c *worker.Config) { c.RateCard = card }, refusing)
	dead := s.dead(t, random)
	stop()

	requests := map[string]*wire.ReplayRequest{}
	for n, l := range dead {
		requests[l.ID()] = request(random, l, n)
	}
	before := s.everything(t)
	s.ask(t, requests, true)
	stop = s.work(t, refusing)
	time.Sleep(time.Minute)
	stop()
	if diff := cmp.Diff(before, s.everything(t)); diff != "" {
		t.Errorf("records and mails (-before the dry run +after):\n%s", diff)
	}
	foretold := map[string]wire.Forecast{}
	for _, r := range s.Records(t, s.Topics.Desk) {
		f, err := wire.ReadForecast(r)
		if err != nil || f.Job != "job_1" || r.Partition != requests[f.DeadLetter].Origin.Partition {
			t.Fatalf("got %+v, %v; want a forecast in the order's partition", f, err)
		}
		foretold[f.DeadLetter] = f
	}

	s.ask(t, requests, false)
	stop = s.work(t, refusing)
	time.Sleep(time.Minute)
	stop()
	s.compare(t, requests, foretold)
}

// dead places orders, and records that are none, and returns as many dead letters as are needed, by ID.
func (s *shop) dead(t *testing.T, random *rand.Rand) (dead []dlq.DeadLetter) {
	t.Helper()
	for n := 0; len(dead) < cases; {
		var records []*kgo.Record
		for range 100 {
			r := s.record(0, drawn(random, n))
			s.layout.Place(r)
			switch random.IntN(12) {
			case 0:
				r.Value = damaged(random, r.Value)
			case 1:
				r.Partition = (r.Partition + 1) % kafkatest.Partitions
			}
			records = append(records, r)
			n++
		}
		s.Produce(t, records...)
		time.Sleep(20 * time.Second)
		dead = s.DeadLetters(t)
	}
	return dead[:cases]
}

// everything is how many records there are in each topic of the workers, and how many mails.
func (s *shop) everything(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{"mails": len(s.mails.Deliveries())}
	for _, topic := range []string{s.Topics.Orders, s.Topics.Status, s.Topics.Invoices, s.Topics.DLQ, s.Topics.Retry10s, s.Topics.Retry2m, s.Topics.Waiting} {
		for _, r := range s.Records(t, topic) {
			if wire.Type(r) != wire.TypeClaim {
				n[topic]++
			}
		}
	}
	return n
}

// ask asks for replays, or for forecasts of them.
func (s *shop) ask(t *testing.T, requests map[string]*wire.ReplayRequest, dry bool) {
	t.Helper()
	var records []*kgo.Record
	for _, q := range requests {
		q.DryRun = dry
		r := q.Record()
		r.Topic, r.Partition = s.Topics.Replay, q.Origin.Partition
		records = append(records, r)
	}
	s.Produce(t, records...)
}

// compare compares each forecast with what the replay has done.
func (s *shop) compare(t *testing.T, requests map[string]*wire.ReplayRequest, foretold map[string]wire.Forecast) {
	t.Helper()
	deadLetters := map[string]dlq.DeadLetter{}
	for _, l := range s.DeadLetters(t) {
		deadLetters[l.ID()] = l // the last one
	}
	states, kinds := map[string]order.State{}, map[string]int{}
	for _, state := range s.States(t) {
		states[state.Origin.String()] = state
	}
	for id, q := range requests {
		f, told := foretold[id]
		if !told {
			t.Fatalf("%s: got no forecast", id)
		}
		state, begun := states[id]
		got := outcome(state, begun, deadLetters[id], q.Number)
		want := foreseen(f, got)
		kinds[strings.SplitN(want, ":", 2)[0]]++
		if got != want {
			t.Errorf("%s: got %s, the forecast was %s", id, got, want)
		}
		if i := state.Progress.Invoice; begun && f.Answer == "" && i != nil && (f.Total != i.Total || f.Shipping != state.Progress.Shipping.Price) {
			t.Errorf("%s: got %s and %s, the forecast was %s and %s", id, state.Progress.Shipping.Price, i.Total, f.Shipping, f.Total)
		}
	}
	t.Log(kinds)
	for _, kind := range []string{"confirmed", "shipping", "no order", "edit-refused", "email"} {
		if kinds[kind] == 0 {
			t.Errorf("got no case of %q: %v", kind, kinds)
		}
	}
}

// outcome is what a replay has done, in words.
func outcome(state order.State, begun bool, l dlq.DeadLetter, number int) string {
	last := order.Change{}
	if begun {
		last = state.Timeline[len(state.Timeline)-1]
	}
	switch {
	case begun && last.Replay == number && last.Answers():
		return last.Reason
	case begun && last.Replay == number && last.Status == order.Confirmed:
		return "confirmed"
	case l.Replays == number && l.Step == "":
		return "no order: " + l.Class.String() + " " + string(l.Reason) + " " + l.Message
	case l.Replays == number:
		return string(l.Step) + ": " + l.Class.String() + " " + string(l.Reason) + " " + l.Message
	}
	return "nothing"
}

// foreseen is a forecast in the same words. What the mail server says is not foreseen.
func foreseen(f wire.Forecast, got string) string {
	if f.Answer != "" {
		return f.Answer
	}
	switch s := f.Steps[len(f.Steps)-1]; {
	case s.Outcome == wire.StepNotTried && (got == "confirmed" || strings.HasPrefix(got, "email: permanent recipient-refused")):
		return got
	case s.Outcome == wire.StepNotTried:
		return "confirmed, or not mailed"
	case s.Step == "":
		return "no order: " + s.Class + " " + s.Reason + " " + s.Message
	default:
		return string(s.Step) + ": " + s.Class + " " + s.Reason + " " + s.Message
	}
}
