//go:build synctests

package invoice

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// TestDaysAreThoseOfTheSeller issues invoices at each side of midnight, of a month, of a year, of a
// change of a VAT rate and of daylight saving time, and reads them as a record has them.
func TestDaysAreThoseOfTheSeller(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		zone, at, to     string
		issued, due, vat string
	}{
		{"Europe/Berlin", "2026-11-28T22:59:59Z", "DE", "28 November 2026", "12 December 2026", "19%"},
		{"Europe/Berlin", "2026-11-28T23:00:00Z", "DE", "29 November 2026", "13 December 2026", "19%"},
		{"Europe/Berlin", "2026-10-31T22:59:59Z", "DE", "31 October 2026", "14 November 2026", "19%"},
		{"Europe/Berlin", "2026-10-31T23:00:00Z", "DE", "1 November 2026", "15 November 2026", "19%"},
		{"Europe/Berlin", "2026-12-31T22:59:59Z", "DE", "31 December 2026", "14 January 2027", "19%"},
		{"Europe/Berlin", "2026-12-31T23:30:00Z", "DE", "1 January 2027", "15 January 2027", "19%"},
		{"Europe/Berlin", "2026-03-28T23:00:00Z", "DE", "29 March 2026", "12 April 2026", "19%"},
		{"Europe/Berlin", "2026-03-29T21:59:59Z", "DE", "29 March 2026", "12 April 2026", "19%"},
		{"Europe/Berlin", "2026-03-29T22:00:00Z", "DE", "30 March 2026", "13 April 2026", "19%"},
		{"Europe/Berlin", "2026-10-24T22:00:00Z", "DE", "25 October 2026", "8 November 2026", "19%"},
		{"Europe/Berlin", "2026-10-25T22:59:59Z", "DE", "25 October 2026", "8 November 2026", "19%"},
		{"Europe/Berlin", "2026-10-25T23:00:00Z", "DE", "26 October 2026", "9 November 2026", "19%"},
		{"Europe/Berlin", "2025-06-30T21:59:59Z", "EE", "30 June 2025", "14 July 2025", "22%"},
		{"Europe/Berlin", "2025-06-30T22:00:00Z", "EE", "1 July 2025", "15 July 2025", "24%"},
		{"Atlantic/Azores", "2027-01-01T00:30:00Z", "DE", "31 December 2026", "14 January 2027", "19%"},
		{"", "2026-12-31T23:30:00Z", "DE", "31 December 2026", "14 January 2027", "19%"},
	} {
		t.Run(row.zone+" "+row.at, func(t *testing.T) {
			t.Parallel()
			seller := setup(t)
			synctest.Test(t, func(t *testing.T) {
				at, err := time.Parse(time.RFC3339, row.at)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Until(at))
				seller.seller.TimeZone = row.zone
				s, err := New(seller.seller, seller.vat, seller.log)
				if err != nil {
					t.Fatal(err)
				}
				w := shipped(1)
				w.Order.PlacedAt = at
				w.Order.ShipTo.Country, w.Order.ShipTo.PostalCode = row.to, ""
				w.Payments = []order.Payment{{Method: order.Card, Reference: "r", PaidAt: at, Amount: order.EUR.Cents(1)}}
				if err := s.Plan(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				i := w.Progress.Invoice
				text, err := i.IssuedAt.MarshalText()
				if err != nil || i.IssuedAt.UnmarshalText(text) != nil {
					t.Fatal(err, string(text))
				}
				i.Language = locale.English.String()
				checkDays(t, s, w, row.issued, row.due)
				if got := locale.English.Percent(i.Taxes[0].Rate); got != row.vat {
					t.Errorf("got a rate of %s, want %s", got, row.vat)
				}
			})
		})
	}
}

// checkDays compares the days of pages and XML: those of issue, order and payment are the same.
func checkDays(t *testing.T, s *Step, w *order.Work, issued, due string) {
	t.Helper()
	data, c := s.data(w), s.content(w)
	if got := locale.English.Date(data.Issued); got != issued {
		t.Errorf("issued: got %s, want %s", got, issued)
	}
	if got := locale.English.Date(data.Due); got != due {
		t.Errorf("due: got %s, want %s", got, due)
	}
	for _, fact := range []int{1, 4} {
		if got := c.Facts[fact]; got[1] != issued {
			t.Errorf("got %q, want %s", got, issued)
		}
	}
	if paid := c.Totals[len(c.Totals)-2][0]; paid != "Paid by card on "+issued {
		t.Errorf("got %q, want it on %s", paid, issued)
	}
}

// TestTheDateOfSupplyIsThatOfThePlannedDispatch issues invoices from Thursday, 24 September 2026 on.
func TestTheDateOfSupplyIsThatOfThePlannedDispatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		issued, days int
		want         string
	}{
		{24, 0, "24 September 2026"},
		{24, 1, "25 September 2026"},
		{24, 2, "28 September 2026"},
		{26, 0, "28 September 2026"},
		{27, 1, "28 September 2026"},
		{26, 5, "2 October 2026"},
		{30, 1, "1 October 2026"},
	} {
		s := setup(t)
		s.seller.DispatchDays = &row.days
		w := plannedBy(t, s, shipped(1))
		w.Progress.Invoice.Language = "en"
		w.Progress.Invoice.Dispatch = s.seller.dispatch(time.Date(2026, 9, row.issued, 23, 30, 0, 0, s.zone))
		if got := s.content(w).Facts[2]; got[1] != row.want {
			t.Errorf("issued on the %d, %d days: got %q, want %s", row.issued, row.days, got, row.want)
		}
		if got := locale.English.Date(s.data(w).Supplied); got != row.want || !s.data(w).From.IsZero() {
			t.Errorf("XML: got %s, want %s", got, row.want)
		}
	}
}

// TestWithoutAPlanTheDateOfSupplyIsInWords: the XML has a period that begins with the invoice.
func TestWithoutAPlanTheDateOfSupplyIsInWords(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, category := range []string{order.VATStandard, order.VATIntraCommunity, order.VATExport} {
		w := plannedBy(t, s, shipped(1))
		w.Progress.Invoice.Language, w.Progress.Invoice.Taxes[0].Category = "en", category
		for _, w := range []*order.Work{w, plannedBy(t, s, refunded(t, w, nil, false))} {
			data := s.data(w)
			issued := w.Progress.Invoice.IssuedAt
			if r := w.Order.Refund; r != nil {
				issued = r.Invoice.IssuedAt
			}
			if !data.Supplied.IsZero() || !data.From.Equal(issued) {
				t.Errorf("%s: supplied %v, from %v", category, data.Supplied, data.From)
			}
			if got := s.content(w).Facts[2]; got != [2]string{"Date of supply", "day of dispatch"} {
				t.Errorf("%s: got %q", category, got)
			}
		}
	}
}
