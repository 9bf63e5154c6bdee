package order_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

func ExampleMoney_Percent() {
	net := order.EUR.Cents(5025)
	tax := net.Percent(1900)
	fmt.Println(net, tax, net.Plus(tax))
	// Output: 50.25 9.55 59.80
}

func ExampleOrigin() {
	at := order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}
	fmt.Println(at)
	fmt.Println(at.InvoiceNumber())
	fmt.Println(at.CreditNoteNumber())
	fmt.Println(order.Origin{Incarnation: "7KQ2MX", Partition: 1024, Offset: 123456789}.InvoiceNumber())
	// Output:
	// 3-124
	// INV-7KQ2MX-03-0000124
	// CRN-7KQ2MX-03-0000124
	// INV-7KQ2MX-1024-123456789
}

// TestBodyHashStaysAsItIs fails when the hash of an order changes: a customer who repeats a key after an update would be told that the order is another one.
func TestBodyHashStaysAsItIs(t *testing.T) {
	t.Parallel()
	const want = "90467cdda3b73813fa2abb92c6dd8be6f43f77e9f17798ee258ec2a1aeb065af"
	if got := valid().BodyHash(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBodyHashTellsWhatWasAskedForAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*order.Order)
		same   bool
	}{
		{"ID", func(o *order.Order) { o.ID = "ord_other" }, true},
		{"time", func(o *order.Order) { o.PlacedAt = time.Unix(1, 0) }, true},
		{"source", func(o *order.Order) { o.Source = []byte("{}") }, true},
		{"owner", func(o *order.Order) { o.Owner = order.Actor{Kind: order.ActorCustomer, ID: "17"} }, true},
		{"link token", func(o *order.Order) { o.LinkToken = "mfzwizltoq2gk3tunfxw42lomq" }, true},
		{"product name", func(o *order.Order) { o.Lines[0].Name = "other" }, true},
		{"price", func(o *order.Order) { o.Lines[0].UnitPrice = order.EUR.Cents(1) }, true},
		{"weight", func(o *order.Order) { o.Lines[0].Grams = 1 }, true},
		{"size", func(o *order.Order) { o.Lines[0].Size[0] = 1 }, true},
		{"name", func(o *order.Order) { o.Customer.Name += " " }, false},
		{"e-mail", func(o *order.Order) { o.Customer.Email = "Zoe@example.com" }, false},
		{"VAT ID", func(o *order.Order) { o.Customer.VATID = "DE123456789" }, false},
		{"street", func(o *order.Order) { o.ShipTo.Line1 = "x" }, false},
		{"second line", func(o *order.Order) { o.ShipTo.Line2 = "x" }, false},
		{"city", func(o *order.Order) { o.ShipTo.City = "x" }, false},
		{"region", func(o *order.Order) { o.ShipTo.Region = "x" }, false},
		{"postal code", func(o *order.Order) { o.ShipTo.PostalCode = "x" }, false},
		{"country", func(o *order.Order) { o.ShipTo.Country = "AT" }, false},
		{"service", func(o *order.Order) { o.Service = order.Express }, false},
		{"note", func(o *order.Order) { o.Note = "x" }, false},
		{"SKU", func(o *order.Order) { o.Lines[0].SKU = "x" }, false},
		{"quantity", func(o *order.Order) { o.Lines[0].Quantity++ }, false},
		{"one more line", func(o *order.Order) { o.Lines = append(o.Lines, order.Line{SKU: "x", Quantity: 1}) }, false},
		{"no lines", func(o *order.Order) { o.Lines = nil }, false},
		{"company", func(o *order.Order) { o.Customer.Company = "x" }, false},
		{"reference", func(o *order.Order) { o.Reference = "x" }, false},
		{"buyer reference", func(o *order.Order) { o.BuyerReference = "x" }, false},
		{"purchase order", func(o *order.Order) { o.PurchaseOrder = "x" }, false},
		{"address of the invoice", func(o *order.Order) { o.BillTo = &order.BillTo{} }, false},
		{"refund", func(o *order.Order) { o.Refund = &order.Refund{} }, false},
	} {
		o := valid()
		row.change(&o)
		if got := o.BodyHash() == valid().BodyHash(); got != row.same {
			t.Errorf("another %s: got the same hash: %t, want %t", row.name, got, row.same)
		}
	}
}

func TestBodyHashKeepsFieldsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// One text, spread over neighbouring fields in two ways. The letters are those that a careless separator would be made of.
		text := rapid.StringOfN(rapid.RuneFrom([]rune(`a01:," \`)), 1, 12, -1).Draw(t, "text")
		spread := func(label string) order.Order {
			i := rapid.IntRange(0, len(text)).Draw(t, label+" first")
			j := rapid.IntRange(i, len(text)).Draw(t, label+" second")
			o := order.Order{Service: text[:i], Note: text[i:j]}
			if j < len(text) {
				o.Lines = []order.Line{{SKU: text[j:], Quantity: 1}}
			}
			return o
		}
		a, b := spread("a"), spread("b")
		if same, want := a.BodyHash() == b.BodyHash(), cmp.Equal(a, b); same != want {
			t.Errorf("got the same hash of %+v and %+v: %t, want %t", a, b, same, want)
		}
	})
}

func TestANewStateIsAcceptedAndNotBegun(t *testing.T) {
	t.Parallel()
	o := valid()
	o.PlacedAt = time.UnixMilli(1_700_000_000_000).UTC()
	at := order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}
	want := order.State{
		Work: order.Work{Order: o, Origin: at}, BodyHash: o.BodyHash(), Status: order.Accepted,
		Timeline: []order.Change{{At: o.PlacedAt, Status: order.Accepted}},
	}
	if diff := cmp.Diff(want, o.Begin(at)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestATimelineKeepsItsFirstAndItsLastChanges(t *testing.T) {
	t.Parallel()
	s := valid().Begin(order.Origin{})
	for rev := int64(1); rev <= 200; rev++ {
		before := s
		record(t, &s, order.Change{Rev: rev, Status: order.Waiting})
		record(t, &before, order.Change{Rev: -1, Status: order.Dead}) // a copy has its own timeline
	}
	if s.Status != order.Waiting || s.Rev != 200 {
		t.Errorf("got %s at rev %d, want waiting at 200", s.Status, s.Rev)
	}
	want := []int64{0}
	for rev := int64(152); rev <= 200; rev++ {
		want = append(want, rev)
	}
	var got []int64
	for _, c := range s.Timeline {
		got = append(got, c.Rev)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revisions in the timeline (-want +got):\n%s", diff)
	}
}

func TestStepsFinishOnceAndInOrder(t *testing.T) {
	t.Parallel()
	p := order.Progress{Others: map[order.Step]json.RawMessage{"gift": []byte("{}")}}
	p.Finish(order.StepShipping)
	p.Finish(order.StepInvoice)
	p.Finish(order.StepShipping)
	one, other := p, p
	one.Finish(order.StepEmail)
	other.Finish("gift")
	for _, row := range []struct {
		name string
		got  order.Progress
		want []order.Step
	}{
		{"both", p, []order.Step{order.StepShipping, order.StepInvoice}},
		{"one copy", one, []order.Step{order.StepShipping, order.StepInvoice, order.StepEmail}},
		{"the other", other, []order.Step{order.StepShipping, order.StepInvoice, "gift"}},
	} {
		if diff := cmp.Diff(row.want, row.got.Finished); diff != "" {
			t.Errorf("%s: finished (-want +got):\n%s", row.name, diff)
		}
	}
	if p.Has(order.StepEmail) || !p.Has(order.StepInvoice) {
		t.Errorf("got email finished: %t, invoice finished: %t; want only the invoice", p.Has(order.StepEmail), p.Has(order.StepInvoice))
	}
}
