package order_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

// invoiced is an order with its invoice, at a rate of VAT.
func invoiced(o order.Order, shipping order.Money, rate int) *order.State {
	o.ID = "ord_1"
	s := o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124})
	net := o.ItemsTotal().Plus(shipping)
	tax := net.Percent(rate)
	s.Progress.Shipping = &order.Shipping{Price: shipping}
	s.Progress.Invoice = &order.Invoice{
		Number: s.Origin.InvoiceNumber(), IssuedAt: time.UnixMilli(1_700_000_000_000).UTC(), Language: "de",
		Taxes: []order.Tax{{Category: order.VATStandard, Rate: rate, Net: net, Tax: tax}}, Net: net, Tax: tax, Total: net.Plus(tax),
		Kept: &order.Kept{Offset: 7},
	}
	return &s
}

// asked asks for quantities of the first lines of an order.
func asked(o order.Order, quantities ...int) (items []order.Line) {
	for i, n := range quantities {
		if n > 0 {
			items = append(items, order.Line{SKU: o.Lines[i].SKU, Quantity: n})
		}
	}
	return items
}

func ExampleState_Refund() {
	s := invoiced(valid(), order.EUR.Cents(490), 1900)
	first, _ := s.Refund(asked(s.Order, 1), false, nil)
	rest, _ := s.Refund(nil, false, []order.Order{first})
	for _, r := range []order.Order{first, rest} {
		fmt.Println(r.ID, r.Refunded(), r.Refund.Tax)
	}
	_, wrong := s.Refund(nil, false, []order.Order{first, rest})
	fmt.Println(wrong[0].Detail)
	// Output:
	// ord_1-refund-1 19.90 3.78
	// ord_1-refund-2 24.80 4.71
	// nothing of the order is left to refund
}

func TestARefundIsAValidOrderOfItsOwn(t *testing.T) {
	t.Parallel()
	s := invoiced(valid(), order.EUR.Cents(490), 1900)
	s.Order.Owner, s.Order.LinkToken = order.Actor{Kind: order.ActorCustomer, ID: "17"}, "mfzwizltoq2gk3tunfxw42lomq"
	got, wrong := s.Refund(asked(s.Order, 1), true, nil)
	got.Refund.Reason = "Arrived broken"
	if found := slices.Concat(wrong, got.Validate()); len(found) > 0 {
		t.Fatalf("got %v, want no fault", found)
	}
	want := s.Order
	want.ID, want.Lines = "ord_1-refund-1", slices.Clone(want.Lines)
	want.Lines[0].Quantity = 1
	want.Refund = &order.Refund{
		Of: "ord_1", Number: 1, Reason: "Arrived broken", Shipping: order.EUR.Cents(490), Tax: order.EUR.Cents(471), Invoice: *s.Progress.Invoice,
		PayBack: order.EUR.Cents(0), Returned: order.EUR.Cents(0),
	}
	want.Refund.Invoice.Kept = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	if s.Progress.Invoice.Kept == nil {
		t.Error("the order's own invoice has changed")
	}
}

// TestRefundsNeverGiveBackMoreThanTheInvoiceSays refunds orders bit by bit and then what is left.
func TestRefundsNeverGiveBackMoreThanTheInvoiceSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := valid()
		o.Lines = lines(rapid.IntRange(1, 5).Draw(t, "lines"))
		for i := range o.Lines {
			o.Lines[i].Quantity = rapid.IntRange(1, 9).Draw(t, "quantity")
			o.Lines[i].UnitPrice = order.EUR.Cents(rapid.Int64Range(0, 999).Draw(t, "price"))
		}
		s := invoiced(o, order.EUR.Cents(rapid.Int64Range(0, 999).Draw(t, "shipping")), rapid.IntRange(0, 2700).Draw(t, "rate"))
		var before []order.Order
		for range rapid.IntRange(0, 12).Draw(t, "refunds") {
			var want []int
			for range o.Lines {
				want = append(want, rapid.IntRange(0, 3).Draw(t, "asked"))
			}
			items, shipping := asked(o, want...), rapid.Bool().Draw(t, "shipping too")
			if r, wrong := s.Refund(items, shipping, before); len(wrong) == 0 {
				before = append(before, r)
			}
			adds(t, s, before, false)
		}
		if rest, wrong := s.Refund(nil, false, before); len(wrong) == 0 {
			before = append(before, rest)
		}
		adds(t, s, before, true)
		if r, wrong := s.Refund(nil, false, before); len(wrong) == 0 {
			t.Fatalf("got %+v, want nothing when all is refunded", r)
		}
	})
}

// adds adds refunds up: they are at most what the invoice says, or all of it.
func adds(t *rapid.T, s *order.State, refunds []order.Order, all bool) {
	t.Helper()
	left := map[string]int{}
	for _, l := range s.Order.Lines {
		left[l.SKU] = l.Quantity
	}
	i := s.Progress.Invoice
	net, tax := i.Net, i.Tax
	for n, r := range refunds {
		if wrong := r.Validate(); len(wrong) > 0 || r.Refund.Number != n+1 {
			t.Fatalf("got refund %d, %v; want number %d without faults", r.Refund.Number, wrong, n+1)
		}
		net, tax = net.Plus(r.Refunded().Times(-1)), tax.Plus(r.Refund.Tax.Times(-1))
		for _, l := range r.Lines {
			if left[l.SKU] -= l.Quantity; left[l.SKU] < 0 {
				t.Fatalf("%d pieces too many of %s are refunded", -left[l.SKU], l.SKU)
			}
		}
	}
	if min(net.Minor, tax.Minor) < 0 || all && max(net.Minor, tax.Minor) > 0 {
		t.Fatalf("got %s net and %s VAT that are left (all refunded: %t)", net, tax, all)
	}
}

func TestWhatIsNotLeftCannotBeRefunded(t *testing.T) {
	t.Parallel()
	o := valid()
	o.Lines = lines(2)
	o.Lines[0].Quantity = 3
	s := invoiced(o, order.EUR.Cents(490), 1900)
	first, wrong := s.Refund(asked(o, 2), true, nil)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	free := invoiced(o, order.EUR.Cents(0), 1900)
	mixed := invoiced(o, order.EUR.Cents(490), 1900)
	mixed.Progress.Invoice.Taxes = append(mixed.Progress.Invoice.Taxes, order.Tax{Rate: 700})
	for _, row := range []struct {
		name     string
		state    *order.State
		items    []order.Line
		shipping bool
		points   string
	}{
		{"more than was ordered", s, asked(o, 4), false, "/items/0/quantity"},
		{"shipping twice, and a line", s, asked(o, 0, 1), true, "/shipping"},
		{"two of one that is left", s, asked(o, 2), false, "/items/0/quantity"},
		{"a SKU of another order", s, []order.Line{{SKU: "OTHER", Quantity: 1}}, false, "/items/0/sku"},
		{"no SKU", s, []order.Line{{Quantity: 1}}, false, "/items/0/sku"},
		{"quantity 0", s, []order.Line{{SKU: "SKU-0"}}, false, "/items/0/quantity"},
		{"quantity -1", s, []order.Line{{SKU: "SKU-0", Quantity: -1}}, false, "/items/0/quantity"},
		{"a line twice", s, append(asked(o, 1), asked(o, 1)...), false, "/items/1/sku"},
		{"shipping twice", s, nil, true, "/shipping"},
		{"shipping that was free", free, nil, true, "/shipping"},
		{"an invoice with two rates of VAT", mixed, asked(o, 1), false, ""},
	} {
		before := []order.Order{first}
		if row.state == free {
			before = nil
		}
		_, wrong := row.state.Refund(row.items, row.shipping, before)
		if len(wrong) != 1 || wrong[0].Pointer != row.points || wrong[0].Detail == "" {
			t.Errorf("%s: got %v, want one fault at %q", row.name, wrong, row.points)
		}
	}
}

func TestARefundThatSomebodyMadeUpIsInvalid(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		spoil  func(*order.Order)
		points string
	}{
		{"number 0", func(o *order.Order) { o.Refund.Number = 0 }, "/refund/number"},
		{"a line feed in the reason", func(o *order.Order) { o.Refund.Reason = "a\nb" }, "/refund/reason"},
		{"no invoice", func(o *order.Order) { o.Refund.Invoice.Number = "" }, "/refund/invoice/number"},
		{"an invoice of no day", func(o *order.Order) { o.Refund.Invoice.IssuedAt = time.Time{} }, "/refund/invoice/issued_at"},
		{"no VAT", func(o *order.Order) { o.Refund.Invoice.Taxes = nil }, "/refund/invoice/taxes"},
		{"shipping below zero", func(o *order.Order) { o.Refund.Shipping.Minor = -1 }, "/refund"},
		{"VAT below zero", func(o *order.Order) { o.Refund.Tax.Minor = -1 }, "/refund"},
		{"nothing", func(o *order.Order) { o.Lines, o.Refund.Shipping.Minor = nil, 0 }, "/items"},
		{"quantity 0", func(o *order.Order) { o.Lines[0].Quantity = 0 }, "/items/0/quantity"},
	} {
		o, _ := invoiced(valid(), order.EUR.Cents(490), 1900).Refund(nil, false, nil)
		row.spoil(&o)
		if wrong := o.Validate(); len(wrong) != 1 || wrong[0].Pointer != row.points {
			t.Errorf("%s: got %v, want one fault at %q", row.name, wrong, row.points)
		}
	}
}

func TestShippingIsWhatWasSettledOrWhatIsGivenBack(t *testing.T) {
	t.Parallel()
	s := invoiced(valid(), order.EUR.Cents(490), 1900)
	refund := func(items []order.Line, shipping bool) *order.State {
		o, wrong := s.Refund(items, shipping, nil)
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		return new(o.Begin(order.Origin{}))
	}
	for _, row := range []struct {
		name    string
		of      *order.State
		want    *order.Shipping
		settled bool
	}{
		{"an order", s, s.Progress.Shipping, true},
		{"an order that nobody has begun", &order.State{}, nil, false},
		{"a refund of all", refund(nil, false), &order.Shipping{Service: s.Order.Service, Price: order.EUR.Cents(490)}, true},
		{"a refund of a line", refund(asked(s.Order, 1), false), nil, true},
	} {
		got, settled := row.of.Shipping()
		if diff := cmp.Diff(row.want, got); diff != "" || settled != row.settled {
			t.Errorf("%s: got settled %t, want %t; shipping (-want +got):\n%s", row.name, settled, row.settled, diff)
		}
	}
}
