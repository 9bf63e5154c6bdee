package invoice

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// TestMain sets the number of random orders to 2,000. The long form is: go test -run 'Exactly|Obey'
// -rapid.checks=100000.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err)
	}
	// Not in a test: a channel made in a synctest bubble cannot be used outside of it.
	if _, err := builtIn(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestPlanDecidesEverythingThatRenderingNeeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1999 * time.Millisecond) // virtual: it is 00:00:01.999 on 1 January 2000
		s, w := setup(t), shipped(2)
		if err := s.Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		want := &order.Invoice{
			Number:   "INV-7KQ2MX-03-0000124",
			IssuedAt: time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC),
			VATTable: setup(t).vat.Version(), Language: "de",
			Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: order.EUR.Cents(73280), Tax: order.EUR.Cents(13923)}},
			Net:   order.EUR.Cents(73280), // 29.90 + 2 × 349.00 + 4.90
			Tax:   order.EUR.Cents(13923), // 139.232
			Total: order.EUR.Cents(87203),
		}
		if diff := cmp.Diff(want, w.Progress.Invoice); diff != "" {
			t.Errorf("planned invoice (-want +got):\n%s", diff)
		}
	})
}

func TestPlanKeepsTheInvoiceOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	w := shipped(1)
	settled := order.Invoice{Number: "INV-OLD-00-0000001", VATTable: "of then", Total: order.EUR.Cents(1)}
	earlier := settled
	w.Progress.Invoice = &earlier
	if err := setup(t).Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&settled, w.Progress.Invoice); diff != "" {
		t.Errorf("invoice planned by an earlier attempt (-want +got):\n%s", diff)
	}
}

func TestVATIsRoundedHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, country string
		net, tax      int64
	}{
		{"nothing", "DE", 0, 0},
		{"down below the half", "DE", 260, 49},     // 49.4
		{"up from the half", "DE", 250, 48},        // 47.5
		{"the half of an even cent", "DE", 50, 10}, // 9.5
		{"quarter percents", "FI", 98, 25},         // 24.99
		{"export", "CH", 260, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := shipped(0)
			w.Order.ShipTo.Country, w.Progress.Shipping.Price = tt.country, order.EUR.Cents(tt.net)
			if err := setup(t).Plan(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if got, want := w.Progress.Invoice.Tax, order.EUR.Cents(tt.tax); got != want {
				t.Errorf("VAT on %s in %s: got %s, want %s", order.EUR.Cents(tt.net), tt.country, got, want)
			}
		})
	}
}

func TestLinesAndVATAddUpExactly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rapid.Check(t, func(t *rapid.T) {
		w := shipped(0)
		w.Order.ShipTo.Country = rapid.SampledFrom(strings.Fields("AT DE FI FR GR HU LU SE CH GB US AQ")).Draw(t, "country")
		w.Order.Lines = rapid.SliceOfN(rapid.Custom(randomLine), 1, order.MaxLines).Draw(t, "lines")
		w.Progress.Shipping.Price = order.EUR.Cents(rapid.Int64Range(0, 1_000_000).Draw(t, "shipping"))
		if err := s.Plan(context.Background(), w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(independent(w), figures(w.Progress.Invoice)); diff != "" {
			t.Fatalf("figures (-want +got):\n%s", diff)
		}
	})
}

func randomLine(t *rapid.T) order.Line {
	return order.Line{
		UnitPrice: order.EUR.Cents(rapid.Int64Range(0, 1_000_000_000_000).Draw(t, "price")),
		Quantity:  rapid.IntRange(1, order.MaxQuantity).Draw(t, "quantity"),
	}
}

// sums are the totals of an invoice in cents, computed without package order.
type sums struct{ Net, Tax, Total string }

func figures(i *order.Invoice) sums {
	net, tax := new(big.Int), new(big.Int)
	for _, t := range i.Taxes {
		net.Add(net, big.NewInt(t.Net.Minor))
		tax.Add(tax, big.NewInt(t.Tax.Minor))
	}
	if net.Int64() != i.Net.Minor || tax.Int64() != i.Tax.Minor {
		return sums{Net: fmt.Sprintf("rates add up to %s and %s, totals say %s and %s", net, tax, i.Net, i.Tax)}
	}
	return sums{fmt.Sprint(i.Net.Minor), fmt.Sprint(i.Tax.Minor), fmt.Sprint(i.Total.Minor)}
}

// independent computes the sums with big numbers and rates from the Commission's list.
func independent(w *order.Work) sums {
	rate := map[string]int64{"AT": 2000, "DE": 1900, "FI": 2550, "FR": 2000, "GR": 2400, "HU": 2700, "LU": 1700, "SE": 2500}[w.Order.ShipTo.Country]
	net := big.NewInt(w.Progress.Shipping.Price.Minor)
	for _, l := range w.Order.Lines {
		net.Add(net, new(big.Int).Mul(big.NewInt(l.UnitPrice.Minor), big.NewInt(int64(l.Quantity))))
	}
	exact := new(big.Rat).SetFrac(new(big.Int).Mul(net, big.NewInt(rate)), big.NewInt(10_000))
	tax, _ := new(big.Int).SetString(exact.FloatString(0), 10) // rounds half away from zero
	return sums{net.String(), tax.String(), new(big.Int).Add(net, tax).String()}
}

func TestInvalidOrderFailsPermanently(t *testing.T) {
	t.Parallel()
	damaged := setup(t)
	damaged.renderer = nil
	planned := func() *order.Work {
		w := shipped(1)
		w.Progress.Invoice = &order.Invoice{Number: "INV-1", IssuedAt: time.Unix(1, 0), Taxes: []order.Tax{{}}}
		return w
	}
	unpriced, dollars, undated := shipped(1), shipped(1), planned()
	unpriced.Progress.Shipping = nil
	dollars.Order.Lines[0].UnitPrice.Currency = "USD"
	undated.Progress.Invoice.IssuedAt = time.Time{}
	untaxed := planned()
	untaxed.Progress.Invoice.Taxes = nil
	for _, tt := range []struct {
		name string
		do   func(context.Context, *order.Work) error
		w    *order.Work
		want string
	}{
		{"plan without a shipping price", setup(t).Plan, unpriced, "planning invoice: shipping has no price"},
		{"plan with two currencies", setup(t).Plan, dollars, "planning invoice: USD 29.90 among amounts in EUR"},
		{"render what is not planned", setup(t).Do, shipped(1), "rendering invoice: nothing is planned"},
		{"render without a date", setup(t).Do, undated, "rendering invoice: nothing is planned"},
		{"render without a VAT rate", setup(t).Do, untaxed, "rendering invoice: nothing is planned"},
		{"something panics", damaged.Do, planned(), "rendering invoice INV-1: panic: runtime error: invalid memory address or nil pointer dereference"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.do(t.Context(), tt.w)
			if err == nil || err.Error() != tt.want {
				t.Fatalf("got error %v, want %q", err, tt.want)
			}
			if class, reason := failure.Of(err); class != failure.Permanent || reason != failure.RenderRefused {
				t.Errorf("got %s, %s, want %s, %s", class, reason, failure.Permanent, failure.RenderRefused)
			}
			if tt.w.Document != nil {
				t.Errorf("got a document of %d bytes, want none", len(tt.w.Document))
			}
		})
	}
}

func TestSameOrderSameBytes(t *testing.T) {
	t.Parallel()
	w := mixed(t)
	first := render(t, setup(t), w)
	for range 20 {
		again := *w
		again.Progress.Invoice = new(order.Invoice)
		*again.Progress.Invoice = *w.Progress.Invoice
		// As a decoder in another time zone returns it.
		again.Progress.Invoice.IssuedAt = w.Progress.Invoice.IssuedAt.In(time.FixedZone("", 7200))
		if got := render(t, setup(t), &again); !bytes.Equal(got, first) {
			t.Fatalf("got another document (%d bytes, the first has %d)", len(got), len(first))
		}
	}
}

func TestStepIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	want := render(t, setup(t), mixed(t))
	s, err := New(setup(t).seller, setup(t).vat, setup(t).log) // its renderer has not read the East Asian font yet
	if err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 5 {
				w := mixed(t)
				if err := s.Do(t.Context(), w); err != nil {
					return err
				}
				if !bytes.Equal(w.Document, want) {
					return fmt.Errorf("got another document (%d bytes, alone it has %d)", len(w.Document), len(want))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestIssuedDocumentIsKept(t *testing.T) {
	t.Parallel()
	w := mixed(t)
	w.Document = []byte("as it was issued")
	if err := setup(t).Do(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if got := string(w.Document); got != "as it was issued" {
		t.Errorf("got %.20q, want the issued document", got)
	}
}
