package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

func ExampleReadHead() {
	o := order.Order{ID: "ord_7", PlacedAt: time.UnixMilli(1_700_000_000_000)}
	r := wire.State(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}), 17)
	h, err := wire.ReadHead(r)
	fmt.Println(wire.Type(r), string(r.Key), h, err)
	// Output: orders.status ord_7 {17 0 accepted 124} <nil>
}

func TestOrdersSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawOrder(t)
		r := wire.Order(want)
		got, err := wire.ReadOrder(r)
		if err != nil {
			t.Fatal(err)
		}
		want.Source = r.Value
		if diff := cmp.Diff(want, got, whole); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(r, wire.Order(got), sameRecord); diff != "" {
			t.Errorf("record, written again (-want +got):\n%s", diff)
		}
	})
}

// TestCheckOrderRefusesWhatReadOrderRefuses has orders with and without a fault. One that is not UTF-8 would be read as
// another order.
func TestCheckOrderRefusesWhatReadOrderRefuses(t *testing.T) {
	t.Parallel()
	spoil := map[string]func(*order.Order){
		"":                 func(*order.Order) {},
		"ID":               func(o *order.Order) { o.ID += " " },
		"no ID":            func(o *order.Order) { o.ID = "" },
		"service":          func(o *order.Order) { o.Service = "none" },
		"country":          func(o *order.Order) { o.ShipTo.Country = "XX" },
		"not UTF-8":        func(o *order.Order) { o.Customer.Name = "Zo\xeb" },
		"line separator":   func(o *order.Order) { o.ShipTo.City = "Berlin\u2028" },
		"refund of itself": func(o *order.Order) { o.Refund = &order.Refund{Of: o.ID, Number: 1} },
		"no price":         func(o *order.Order) { o.Lines = []order.Line{{SKU: "A", Quantity: 1}} },
		"dollars": func(o *order.Order) {
			o.Lines = []order.Line{{SKU: "A", Quantity: 1, UnitPrice: order.Currency("USD").Cents(1)}}
		},
		"price below zero": func(o *order.Order) { o.Lines = []order.Line{{SKU: "A", Quantity: 1, UnitPrice: order.EUR.Cents(-1)}} },
		"too large":        func(o *order.Order) { o.Note = strings.Repeat("a", topic.MaxOrder) },
		"payment":          func(o *order.Order) { o.Payment = &order.Payment{Method: "shells"} },
	}
	rapid.Check(t, func(t *rapid.T) {
		o, fault := drawOrder(t), rapid.SampledFrom(slices.Sorted(maps.Keys(spoil))).Draw(t, "fault")
		spoil[fault](&o)
		r := wire.Order(o)
		_, refused := wire.ReadOrder(r)
		if got := wire.CheckOrder(o, r); (got == nil) != (fault == "") || got == nil && refused != nil {
			t.Errorf("got %v; ReadOrder says %v", got, refused)
		}
	})
}

func TestStatesSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want, owner := drawState(t), rapid.Int64Min(0).Draw(t, "owner")
		r := wire.State(want, owner)
		r.Partition = want.Origin.Partition
		got, err := wire.ReadState(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, wire.State(got, owner), sameRecord); diff != "" {
			t.Errorf("record, written again (-want +got):\n%s", diff)
		}
		want.Order.Source = wire.Order(want.Order).Value
		if diff := cmp.Diff(want, got, whole); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		head, err := wire.ReadHead(r)
		if want := (wire.Head{Owner: owner, Rev: want.Rev, Status: want.Status, Origin: want.Origin.Offset}); err != nil || head != want {
			t.Errorf("got head %+v, %v; want %+v", head, err, want)
		}
	})
}

// whole compares bytes at once, which go-cmp would do one by one.
var whole = cmp.Comparer(bytes.Equal)

// sameRecord compares what a record says, not where it stands.
var sameRecord = cmp.Options{whole, cmp.Transformer("record", func(r *kgo.Record) [3]any {
	return [3]any{r.Key, r.Value, r.Headers}
})}

func TestProgressSurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawProgress(t)
		got, err := wire.ReadProgress(wire.Progress(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, whole); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
	if got, err := wire.ReadProgress(nil); err != nil || !cmp.Equal(order.Progress{}, got) {
		t.Errorf("got %+v, %v from nothing, want an order that nobody has begun", got, err)
	}
}

// TestFieldsOfANewerVersionSurvive lets this version take up a state of a newer one, work on it, and write it.
func TestFieldsOfANewerVersionSurvive(t *testing.T) {
	t.Parallel()
	const (
		placed = `{"schema":1,"id":"ord_1","placed_at":"2026-03-02T09:30:00+02:00","customer":{"name":"A & B","email":"a@example.com","vat":"DE1"},` +
			`"ship_to":{"line1":"1 Main","city":"B","country":"DE","geo":[1.50,2e0]},"service":"standard","gift":{"wrap":"<red>"},` +
			`"items":[{"sku":"A","quantity":1,"name":"a","unit_price":{"amount":"1.00","currency":"EUR"},"weight_g":1,"size_mm":[1,1,1],"hs":"4202"}]}`
		state = `{"schema":1,"order":ORDER,"origin":5,"status":"working","rev":1,"timeline":[{"rev":1}],` +
			`"progress":{"finished":["shipping"],"shipping":{"zone":"eu","price":{"amount":"4.90","currency":"EUR"},"tracking":"JD01"},"gift":{"wrapped":true}},"priority":"high"}`
	)
	// Another client may write JSON with space in it.
	spaced := strings.Replace(placed, `{"schema":1,`, " {\n\t\"schema\" : 1 , ", 1)
	s, err := wire.ReadState(&kgo.Record{Value: []byte(strings.Replace(state, "ORDER", spaced, 1))})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.Order.Source); got != placed {
		t.Errorf("got source %s, want the bytes of the order without their space, %s", got, placed)
	}
	kafkatest.Record(t, &s, order.Change{Rev: 2, Status: order.Mailing})
	s.Progress.Finish(order.StepInvoice)
	value := wire.State(s, 3).Value
	if !bytes.Contains(value, []byte(`"order":`+placed+`,`)) {
		t.Errorf("got %s, want the bytes of the order in it, %s", value, placed)
	}
	var got struct {
		Rev      int
		Priority string
		Progress struct {
			Finished []string
			Shipping struct{ Zone, Tracking string }
			Gift     struct{ Wrapped bool }
		}
	}
	if err := json.Unmarshal(value, &got); err != nil {
		t.Fatal(err)
	}
	want := got
	want.Rev, want.Priority = 2, "high"
	want.Progress.Finished = []string{"shipping", "invoice"}
	want.Progress.Shipping.Zone, want.Progress.Shipping.Tracking = "eu", "JD01"
	want.Progress.Gift.Wrapped = true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state of a newer version, written again (-want +got):\n%s", diff)
	}
}

// TestRecordsAreAsOthersKnowThem holds every kind of record against its golden file: other versions and other programs read them.
func TestRecordsAreAsOthersKnowThem(t *testing.T) {
	t.Parallel()
	w := finished()
	back, wrong := w.Refund(nil, false, nil)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	back.PlacedAt, back.Refund.Key, back.Refund.Reason = at, "2c26b46b68ffc68ff99b453c1d304134", "Arrived broken"
	retrying, waiting, replay := parked(), parked(), replayRequest()
	waiting.Status, waiting.Retries, waiting.Since = order.Waiting, 0, time.Time{}
	guest := w.Order
	guest.Owner, guest.LinkToken, guest.Cause = order.Actor{}, "mfzwizltoq2gk3tunfxw42lomq", order.Cause{}
	prepaid := w.Order
	prepaid.Payment = new(paid())
	billed := w.Order
	billed.Customer.Company, billed.Reference, billed.BuyerReference, billed.PurchaseOrder = "Example Studio", "2026-1042", "04011000-12345-34", "PO-7"
	billed.BillTo = &order.BillTo{
		Name: "Bo Example", Company: "Example Holding AG", VATID: "DE123456789", Address: order.Address{Line1: "2 Main Street", City: "Bonn", PostalCode: "53111", Country: "DE"},
	}
	gross, _ := w.Refund(nil, false, nil)
	gross.Gross, gross.PlacedAt, gross.Refund.Key, gross.Refund.Net, gross.Refund.Tax, gross.Refund.Invoice.Included = true, at, back.Refund.Key, order.EUR.Cents(4176), order.EUR.Cents(794), 1900
	for name, r := range map[string]*kgo.Record{
		"gross":     wire.Order(gross),
		"billed":    wire.Order(billed),
		"billing":   wire.State(billed.Begin(w.Origin), 17),
		"guest":     wire.Order(guest),
		"order":     wire.Order(w.Order),
		"refund":    wire.Order(back),
		"refunded":  wire.State(back.Begin(w.Origin), 17),
		"accepted":  wire.State(w.Order.Begin(w.Origin), 17),
		"state":     wire.State(*w, 17),
		"claim":     wire.Claim{Group: "order-workers", Worker: "worker-1", At: at}.Record(),
		"invoice":   wire.Invoice(w, at),
		"retrying":  retrying.Record(),
		"waiting":   waiting.Record(),
		"replay":    replay.Record(),
		"payment":   wire.PaymentRequest{Order: w.Order.ID, Origin: w.Origin, StateAt: 17, Payment: paid(), Cause: asked, At: at}.Record(),
		"paid":      wire.Order(prepaid),
		"cancel":    wire.CancelRequest{Order: w.Order.ID, Origin: w.Origin, Cause: asked, At: at}.Record(),
		"forecast":  forecast().Record(),
		"refused":   answered().Record(),
		"act":       act(wire.Unknown).Record(),
		"outcome":   act(wire.Refused).Record(),
		"decision":  decision(wire.Edit).Record(),
		"job":       job().Record(),
		"job-chunk": jobChunk().Record(), "job-ranges": rangeChunk().Record(),
		"job-event": jobEvent().Record(),
		"job-batch": jobBatch().Record(),
		"void":      wire.VoidNumber{Origin: w.Origin, Reason: "duplicate", Cause: placedBy, At: at}.Record(),
		"skipped":   wire.VoidNumber{Origin: w.Origin, To: 130, Reason: "unreadable", At: at}.Record(),
	} {
		golden.Compare(t, "testdata/"+name+".golden", readable(t, r))
	}
}

// finished is an order with all that can be known about it.
func finished() *order.State {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	o := order.Order{
		ID: "ord_0123456789abcdefghijklmnop", PlacedAt: at, Service: order.Express, Note: "Ring twice.\nThen <wait>.", Cause: placedBy, Owner: placedBy.Actor,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", Line2: "Flat 2", City: "Berlin", Region: "BE", PostalCode: "10115", Country: "DE"},
		Lines: []order.Line{
			{SKU: "BOTTLE-750", Quantity: 2, Name: "Bottle & cup", UnitPrice: order.EUR.Cents(1990), Grams: 310, Size: [3]int{80, 81, 260}},
		},
	}
	s := o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124})
	kafkatest.Force(&s, order.Change{Rev: 1, At: at.Add(time.Second), Status: order.Dead, Step: order.StepEmail, Reason: "mail-busy"})
	kafkatest.Force(&s, order.Change{Rev: 2, At: at.Add(time.Minute), Status: order.Confirmed, Replay: 1, Job: "job_1"})
	s.DeadLetter = &order.DeadLetter{ID: "3-124", Partition: 3, Offset: 9, Step: order.StepEmail, Reason: "mail-busy"}
	s.Replays, s.Edit, s.Unknown = 1, 2, map[string]json.RawMessage{"priority": []byte(`"high"`)}
	s.Progress = order.Progress{
		Finished: []order.Step{order.StepShipping, order.StepInvoice, order.StepEmail},
		Shipping: &order.Shipping{
			Zone: "home", Service: order.Express, Price: order.EUR.Cents(990), BillableGrams: 674, MinDays: 1, MaxDays: 2, Card: "sha256:0123456789ab",
			Carrier: "Stork Parcel", Fuel: order.EUR.Cents(60),
			Parcels: []order.Parcel{{Count: 2, Grams: 310, BillableGrams: 337, Size: [3]int{260, 81, 80}, Content: []order.Content{{Line: 0, Quantity: 1}}}},
		},
		Invoice: &order.Invoice{
			Number: s.Origin.InvoiceNumber(), IssuedAt: at, VATTable: "2026-09-29", Taxes: []order.Tax{{Rate: 1900, Net: order.EUR.Cents(4970), Tax: order.EUR.Cents(944)}},
			Net: order.EUR.Cents(4970), Tax: order.EUR.Cents(944), Total: order.EUR.Cents(5914),
			Kept: &order.Kept{Offset: 88, SHA256: wire.SHA256([]byte("%PDF")), Bytes: 4},
		},
		Email:  &order.Email{MessageID: "ord_0123456789abcdefghijklmnop.invoice@example.com", Date: at},
		Others: map[order.Step]json.RawMessage{"gift": []byte(`{"wrapped":true}`), order.StepShipping: []byte(`{"tracking":"JD01"}`)},
	}
	s.Payments, s.Progress.Invoice.Payments = []order.Payment{paid()}, 1
	s.Document = []byte("%PDF")
	return &s
}

// readable is a record as people review it: key, headers, and JSON over several lines.
func readable(t *testing.T, r *kgo.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "key: %s\n", r.Key)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	b.WriteByte('\n')
	if wire.Type(r) == wire.TypeInvoice {
		b.Write(r.Value)
	} else if err := json.Indent(&b, r.Value, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}
