package view

import (
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// TestAnOrderThatWasKnownBeforeItWasErasedIsReadAgain has an order that is placed again after its tombstone, by the same batch
// or the one after it.
func TestAnOrderThatWasKnownBeforeItWasErasedIsReadAgain(t *testing.T) {
	t.Parallel()
	set := topic.Names("orders")
	o := order.Order{
		ID: "ord_1", PlacedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100), Grams: 5, Size: [3]int{1, 2, 3}}},
	}
	for name, sameBatch := range map[string]bool{"same batch": true, "next batch": false, "not erased": false} {
		placed, tombstone := wire.Order(o), &kgo.Record{Topic: set.Status, Key: []byte(o.ID)}
		placed.Topic = set.Orders
		p := newProjection(set, nil, slog.New(slog.DiscardHandler))
		known := p.entries(fetched(placed), func(ids []order.ID) map[order.ID]bool { return map[order.ID]bool{ids[0]: true} })
		d := p.draft(nil, known)
		if name != "not erased" {
			if err := d.add(tombstone); err != nil {
				t.Fatal(err)
			}
		}
		if !sameBatch {
			p.commit(d)
			d = p.draft(nil, known)
		}
		if err := d.add(placed); err != nil {
			t.Fatal(err)
		}
		again := false
		for _, c := range d.Changes {
			if _, ok := c.(Placed); ok {
				again = true
			}
		}
		if want := name != "not erased"; again != want {
			t.Errorf("%s: got added %v, want %v", name, again, want)
		}
	}
}

func fetched(r *kgo.Record) kgo.Fetches {
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: r.Topic, Partitions: []kgo.FetchPartition{{Records: []*kgo.Record{r}}}}}}}
}
