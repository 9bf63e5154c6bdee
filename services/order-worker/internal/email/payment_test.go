//go:build synctests

package email_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/shared/order"
)

func TestMailAsksForWhatTheInvoiceAsksFor(t *testing.T) {
	t.Parallel()
	card := func(cents int64) []order.Payment {
		return []order.Payment{{Method: order.Card, Reference: "a", PaidAt: time.Date(2026, 9, 29, 9, 0, 0, 0, time.UTC), Amount: order.EUR.Cents(cents)}}
	}
	const asks = "Please pay"
	for _, row := range []struct {
		name string
		paid []order.Payment
		says []string
		not  string
	}{
		{"unpaid", nil, []string{"Please pay 1,590.67 EUR."}, "Paid by"},
		{"paid", card(159067), []string{"−1,590.67 EUR  Paid by card on 29 September 2026", "Your order is paid."}, asks},
		{"part-paid", card(150000), []string{"−1,500.00 EUR  Paid by card", "90.67 EUR  Amount due", "Please pay 90.67 EUR."}, "Your order is paid."},
		{"overpaid", card(159068), []string{"You have paid 0.01 EUR too much."}, asks},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, w := setup(t, inShop), sentTo("IE")
				w.Payments, w.Progress.Invoice.Payments = row.paid, len(row.paid)
				w.Payments = append(w.Payments, order.Payment{Method: order.Cash, Reference: "late", Amount: order.EUR.Cents(1)}) // the invoice does not state it
				if err := s.mail(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				got := s.received(t, "1")
				text := strings.ReplaceAll(got.Text, "\u00a0", " ")
				for _, want := range row.says {
					if !strings.Contains(text, want) {
						t.Errorf("%q is not in\n%s", want, text)
					}
				}
				if strings.Contains(got.Text, row.not) || strings.Contains(got.HTML, row.not) {
					t.Errorf("%q is in\n%s", row.not, got.Text)
				}
			})
		})
	}
}

func TestRefundMailSaysWhatIsPaidBack(t *testing.T) {
	t.Parallel()
	for back, says := range map[int64][]string{
		7699: {"Your refund of 76.99 EUR", "We are refunding you 76.99 EUR for invoice INV-7KQ2MX-03-0000124. Credit note"},
		5000: {"Your refund of 50.00 EUR", "refunding you 50.00 EUR", "26.99 EUR of invoice INV-7KQ2MX-03-0000124 was not paid yet."},
		0:    {"Your credit note: 76.99 EUR", "\n76.99 EUR of invoice INV-7KQ2MX-03-0000124 was not paid yet. You no longer need to pay it."},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, w := setup(t, inShop), refunded("IE")
			w.Order.Refund.PayBack = order.EUR.Cents(back)
			if err := s.mail(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(s.received(t, "1").Text, "\u00a0", " ")
			for _, want := range says {
				if !strings.Contains(text, want) {
					t.Errorf("%d: %q is not in\n%s", back, want, text)
				}
			}
		})
	}
}
