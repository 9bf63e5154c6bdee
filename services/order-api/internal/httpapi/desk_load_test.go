//go:build synctests

package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/cputime"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// causes are the reasons of the dead letters that failMany makes.
var causes = []failure.Reason{failure.NoRoute, failure.TooHeavy, failure.RecipientRefused, failure.MailRejected, failure.RenderRefused, failure.InvoiceGone, failure.Internal}

// failMany makes n dead orders of all causes in turn.
func failMany(t *testing.T, k *kafkatest.Kafka, n int) {
	t.Helper()
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	must(t, err)
	at := time.Now().Add(-time.Hour)
	var placed, failed []*kgo.Record
	states := make([]order.State, n)
	for i := range n {
		states[i].Order = order.Order{
			ID: order.ID(fmt.Sprintf("ord_%026d", i)), PlacedAt: at, Service: order.Standard,
			Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("zoe-%d@example.com", i)},
			ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
			Lines:    []order.Line{{SKU: "BOTTLE-750", Quantity: 1, Name: "Bottle", UnitPrice: order.EUR.Cents(100)}},
		}
		r := wire.Order(states[i].Order)
		r.Topic = k.Topics.Orders
		layout.Place(r)
		placed = append(placed, r)
	}
	k.Produce(t, placed...)
	for i, r := range placed {
		state := states[i].Order.Begin(order.Origin{Partition: r.Partition, Offset: r.Offset})
		l := dlq.DeadLetter{
			Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: state.Origin}, Topic: k.Topics.Orders, Group: "order-workers",
			Step: order.StepShipping, Class: failure.Permanent, Reason: causes[i%len(causes)], Message: fmt.Sprintf("order %s: <i>no</i> way to %d", state.Order.ID, i),
			Attempts: 1, FirstFailed: at, LastFailed: at, Worker: "w", Rev: 1,
		}
		letter := l.Record()
		letter.Topic = k.Topics.DLQ
		kafkatest.Record(t, &state, order.Change{Rev: 1, At: at, Status: order.Dead, Step: l.Step, Reason: string(l.Reason)})
		dead := wire.State(state, 0)
		dead.Topic, dead.Partition = k.Topics.Status, state.Origin.Partition
		failed = append(failed, letter, dead)
	}
	k.Produce(t, failed...)
}

// TestDeskOfManyDeadLettersIsFast has 10,000 dead letters of 7 causes. What counts is CPU time, and the best of several rounds, because
// other programs use the machine, too. No page has more than 500 rows.
func TestDeskOfManyDeadLettersIsFast(t *testing.T) {
	n, slower := 10_000, time.Duration(1)
	if raced {
		slower = 20
	}
	k := kafkatest.Start(t)
	failMany(t, k, n)
	s := setupOn(t, k, withPages(t))
	b := s.reader(t, "")
	group := ""
	for _, p := range []struct {
		path string
		rows int
		most time.Duration
	}{
		{"/desk", len(causes), 100 * time.Millisecond},
		{"/desk/dead-letters", 50, 100 * time.Millisecond},
		{"/desk/dead-letters?q=zoe-7777@example.com", 1, 100 * time.Millisecond},
		{"/desk/replays/new", 0, 100 * time.Millisecond},
		{"group", 50, 400 * time.Millisecond}, // looks for what 1,000 of its orders have in common
	} {
		best, most, path := time.Hour, slower*p.most, strings.Replace(p.path, "group", group, 1)
		for round := 0; round < 3 || best >= most && round < 10; round++ {
			var status int
			var body string
			best = min(best, cputime.OfProcess(func() { status, body, _ = b.get(path) }))
			if status != http.StatusOK {
				t.Fatalf("%s: got %d", path, status)
			}
			if rows := strings.Count(body, "<tr"); rows < p.rows || rows > p.rows+20 {
				t.Fatalf("%s: got %d rows, want %d and heads", path, rows, p.rows)
			}
			if at := strings.Index(body, "/desk/groups/"); group == "" && at > 0 {
				group, _, _ = strings.Cut(body[at:], `"`)
			}
		}
		t.Logf("%s: %s", path, best)
		if best >= most {
			t.Errorf("%s: took %s, want less than %s", path, best, most)
		}
	}
}
