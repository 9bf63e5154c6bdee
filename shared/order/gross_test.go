package order_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// grossOrder has prices that include VAT: 79.20 with shipping. At a rate of 0 none is charged, and 19 % are taken out.
func grossOrder(rate int) *order.State {
	o := valid()
	o.Gross, o.Lines = true, o.Lines[:1]
	o.Lines[0].UnitPrice, o.Lines[0].Quantity = order.EUR.Cents(3715), 2
	s := invoiced(o, order.EUR.Cents(490), rate)
	i, prices := s.Progress.Invoice, order.EUR.Cents(7920)
	i.Included, i.Tax = 1900, order.EUR.Cents(0)
	if rate > 0 {
		i.Included, i.Tax = rate, prices.Included(rate)
	}
	i.Net = prices.Plus(prices.Included(i.Included).Times(-1))
	i.Total = i.Net.Plus(i.Tax)
	i.Taxes = []order.Tax{{Rate: rate, Net: i.Net, Tax: i.Tax}}
	return s
}

func ExampleWork_Statement() {
	for _, rate := range []int{2000, 0} {
		s := grossOrder(rate)
		amounts := s.Statement()
		fmt.Println(amounts.Gross, amounts.Lines[0], amounts.Shipping, s.Progress.Invoice.Total)
	}
	// Output:
	// true {74.30 61.92} {4.90 4.08} 79.20
	// false {62.43 62.43} {4.12 4.12} 66.55
}

// Before there is an invoice, prices are as they were placed.
func TestStatementOfAnOrderThatIsNotInvoiced(t *testing.T) {
	t.Parallel()
	s := grossOrder(2000)
	s.Progress.Invoice = nil
	price := order.EUR.Cents(7430)
	if got := s.Statement(); !got.Gross || got.Lines[0] != (order.Amount{Stated: price, Net: price}) || got.Items().Stated != price {
		t.Errorf("got %+v, want the gross price", got)
	}
}

func TestRefundsOfGrossPricesTakeTheirVATOut(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int][]string{2000: {"30.96 6.19", "35.04 7.01"}, 0: {"31.22 0.00", "35.33 0.00"}} {
		s := grossOrder(rate)
		first, _ := s.Refund(asked(s.Order, 1), false, nil)
		rest, _ := s.Refund(nil, false, []order.Order{first})
		var got []string
		for _, r := range []order.Order{first, rest} {
			if faults := r.Validate(); len(faults) > 0 {
				t.Errorf("the refund is invalid: %v", faults)
			}
			got = append(got, r.Refunded().String()+" "+r.Refund.Tax.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %d (-want +got):\n%s", rate, diff)
		}
	}
}

func TestTheNetAmountOfARefundIsWithinItsPrice(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*order.Order){
		"more than its price": func(o *order.Order) { o.Refund.Net = order.EUR.Cents(10_000) },
		"below zero":          func(o *order.Order) { o.Refund.Net = order.EUR.Cents(-1) },
		"with net prices":     func(o *order.Order) { o.Gross = false },
	} {
		s := grossOrder(2000)
		o, _ := s.Refund(nil, false, nil)
		spoil(&o)
		if faults := o.Validate(); len(faults) == 0 || faults[0].Pointer != "/refund/net" {
			t.Errorf("%s: got %v, want a fault of /refund/net", name, faults)
		}
	}
}

func TestTheUnitPriceHasTheDecimalsThatItNeeds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		cents            int64
		pieces, decimals int
		want             string
	}{
		{200, 2, 8, "1.00"},
		{201, 2, 8, "1.005"},
		{100, 3, 4, "0.3333"},
		{200, 3, 2, "0.67"},
		{25210, 10_000, 8, "0.02521"},
		{0, 7, 4, "0.00"},
	} {
		if got := order.EUR.Cents(row.cents).Each(row.pieces, row.decimals); got != row.want {
			t.Errorf("%d cents for %d pieces: got %s, want %s", row.cents, row.pieces, got, row.want)
		}
	}
}
