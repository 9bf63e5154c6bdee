package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// start runs a view and an intake, as one instance of the API does. Options are for the producer.
func start(t *testing.T, k *kafkatest.Kafka, deadline time.Duration, opts ...kgo.Opt) *intake.Intake {
	t.Helper()
	return open(t, k, intake.Config{Deadline: deadline}, opts...)
}

// open is start with other settings.
func open(t *testing.T, k *kafkatest.Kafka, cfg intake.Config, opts ...kgo.Opt) *intake.Intake {
	t.Helper()
	shop, err := catalogue.Load("")
	must(t, err)
	return openPriced(t, k, shop.Price, cfg, opts...)
}

// openPriced is open with another catalogue.
func openPriced(t *testing.T, k *kafkatest.Kafka, price func(*order.Order) []order.Invalid, cfg intake.Config, opts ...kgo.Opt) *intake.Intake {
	t.Helper()
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	must(t, err)
	return openOn(t, k, layout, price, cfg, opts...)
}

// openOn is openPriced with the layout of the topics at the start.
func openOn(t *testing.T, k *kafkatest.Kafka, layout kafka.Layout, price func(*order.Order) []order.Invalid, cfg intake.Config, opts ...kgo.Opt) *intake.Intake {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	must(t, err)
	v, err := view.New(t.Context(), view.Config{
		Kafka: k.Config(), Topics: k.Topics, Incarnation: layout.Incarnation, Group: "order-workers",
		Store: store, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	orders, err := intake.Connect(t.Context(), k.Config(), opts...)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, v.Close()); err != nil {
			t.Error(err)
		}
		orders.Close()
	})
	must(t, v.Fresh(t.Context()))
	cfg.Topic, cfg.Incarnation, cfg.Partitions, cfg.Secret = k.Topics.Orders, layout.Incarnation, layout.Partitions, []byte("secret")
	return intake.New(orders, v, cfg, price)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wanted() order.Order {
	return order.Order{
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: order.Standard,
		ShipTo: order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:  []order.Line{{SKU: "BOTTLE-750", Quantity: 2}},
	}
}

func other() order.Order {
	o := wanted()
	o.Note = "please ring twice"
	return o
}

// placements are the orders in the topic.
func placements(t *testing.T, k *kafkatest.Kafka) []order.Order {
	t.Helper()
	var all []order.Order
	for _, r := range k.Records(t, k.Topics.Orders) {
		o, err := wire.ReadOrder(r)
		must(t, err)
		all = append(all, o)
	}
	return all
}

func TestAcceptedOrderIsOnePricedRecord(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	// The client has disconnected already.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := in.Place(ctx, wanted(), "")
	must(t, err)

	if s.Status != order.Accepted || !regexp.MustCompile(`^ord_[a-z2-7]{26}$`).MatchString(string(s.Order.ID)) {
		t.Errorf("got %s order %q, want an accepted one with an ID", s.Status, s.Order.ID)
	}
	records := k.Records(t, k.Topics.Orders)
	if len(records) != 1 || records[0].Partition != s.Origin.Partition || records[0].Offset != s.Origin.Offset {
		t.Fatalf("got records %v, want one at %s", records, s.Origin)
	}
	got, err := wire.ReadOrder(records[0])
	must(t, err)
	got.Source = nil
	if diff := cmp.Diff(s.Order, got); diff != "" {
		t.Errorf("order in the topic (-answer +got):\n%s", diff)
	}
	if got.ItemsTotal().Minor <= 0 || got.Lines[0].Grams <= 0 {
		t.Errorf("got lines %+v, want price and weight from the catalogue", got.Lines)
	}
}

func TestKeyPlacesOneOrder(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := broker(t)
			in := start(t, k, 0)
			first, err := in.Place(t.Context(), wanted(), "k1")
			must(t, err)
			again, err := in.Place(t.Context(), wanted(), "k1")
			if diff := cmp.Diff(first.State, again.State); diff != "" || err != nil || first.Replayed || !again.Replayed {
				t.Errorf("same key and body: %v, replayed %t and %t, want false and true (-first +again):\n%s", err, first.Replayed, again.Replayed, diff)
			}
			_, err = in.Place(t.Context(), other(), "k1")
			if reused, ok := errors.AsType[*intake.KeyReusedError](err); !ok || reused.Key != "k1" {
				t.Errorf("same key, other body: got %v, want KeyReusedError", err)
			}
			second, err := in.Place(t.Context(), other(), "k2")
			if err != nil || second.Order.ID == first.Order.ID {
				t.Errorf("other key: got %q, %v; want an ID of its own", second.Order.ID, err)
			}
			if got := placements(t, k); len(got) != 2 {
				t.Errorf("got %d records, want 2", len(got))
			}
		})
	}
}

func TestOrderIsWrittenWithItsCause(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	want := order.Cause{Actor: ann.Actor(), Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	ctx, _ := tracing.New(noop.NewTracerProvider()).Process(as(t, ann), tracing.Message{Parent: want.Trace})
	s, err := start(t, k, 0).Place(ctx, wanted(), "")
	must(t, err)
	if got := wire.CauseOf(k.Records(t, k.Topics.Orders)[0]); got != want || s.Order.Cause != want {
		t.Errorf("got %+v in the record and %+v in the answer, want %+v", got, s.Order.Cause, want)
	}
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*intake.OutcomeUnknownError](err)
	return ok
}

func TestRefusedRecordIsNotPlaced(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	limit := "10"
	_, err := kadm.NewClient(k.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, k.Topics.Orders)
	must(t, err)
	if _, err := in.Place(t.Context(), wanted(), ""); !errors.Is(err, intake.ErrNotPlaced) {
		t.Errorf("got %v, want ErrNotPlaced", err)
	}
}

func TestRejectedOrderNamesEachField(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	o := wanted()
	o.Customer.Email, o.ShipTo.Country = "zoe", "de"
	o.Lines = []order.Line{{SKU: "", Quantity: 0}, {SKU: "FLYING-CARPET", Quantity: 1_000_000_000}, {SKU: "BOTTLE-750", Quantity: 1}}
	_, err := in.Place(t.Context(), o, "")
	rejected, ok := errors.AsType[*intake.RejectedError](err)
	if !ok {
		t.Fatalf("got %v, want RejectedError", err)
	}
	var got []string
	for _, w := range rejected.Invalid {
		got = append(got, w.Pointer)
	}
	want := strings.Fields("/customer/email /ship_to/country /items/0/sku /items/0/quantity /items/1/quantity /items/1/sku")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}
	if got := placements(t, k); len(got) != 0 {
		t.Errorf("got %d records, want none", len(got))
	}
}
