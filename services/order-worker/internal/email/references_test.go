package email_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// TestCustomersSeeTheNumberOfTheShop looks for the ID in subject and text, in each language.
func TestCustomersSeeTheNumberOfTheShop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for _, l := range locale.All() {
			for _, work := range []func(string) *order.Work{sentTo, refunded} {
				w := work("IE")
				w.Progress.Invoice.Language = l.String()
				w.Order.ID = order.ID(strings.Replace(string(w.Order.ID), "ord_", "ord_"+l.String(), 1))
				if err := s.mail(t.Context(), w); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range 2 * len(locale.All()) {
			m := s.taken(t, strconv.Itoa(n+1))
			if all := m.subject + m.text + m.html; strings.Contains(all, "ord_") || strings.Count(all, "2026-1042") < 3 {
				t.Errorf("mail %d, %q: got %s, want the number of the shop and not the ID", n+1, m.subject, m.text)
			}
		}
	})
}

func TestAnswersGoWhereTheSellerReadsThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		if err := s.mail(t.Context(), sentTo("DE")); err != nil {
			t.Fatal(err)
		}
		m := s.taken(t, "1")
		if got := m.header.Get("Reply-To"); got != "<help@shop.example.com>" {
			t.Errorf("Reply-To: got %q, want the address of the seller's file", got)
		}
		for _, line := range []string{"Example Trail Goods GmbH · Beispielweg 12 · 10115 Berlin", "Amtsgericht Beispielstadt, HRB 00000"} {
			if !strings.Contains(m.text, "\n"+line+"\n") || !strings.Contains(m.html, "<bdi>"+line+"</bdi>") {
				t.Errorf("%q is not at the foot of text and HTML:\n%s", line, m.text)
			}
		}
	})
	if _, err := email.New(email.Config{SMTP: "mail.example.com:25", From: "shop@example.com", ReplyTo: "help"}); err == nil {
		t.Error("answers to no address: got no error")
	}
}

// TestAHostileReferenceStaysInItsPlace has references of other programs, which may skip the checks of the API.
func TestAHostileReferenceStaysInItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		plain := sentTo("DE")
		if err := s.mail(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
		want := s.taken(t, "1").shape()
		for n, text := range []string{"1\r\nBcc: evil@example.com\r\n\r\n", "=?utf-8?q?=0d=0aBcc:_x?=", "</title><script>", "\u202e7", strings.Repeat("x", 10<<10)} {
			w := sentTo("DE")
			w.Order.ID, w.Order.Reference = order.ID("ord_"+string(rune('a'+n))), text
			if err := s.mail(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			m := s.taken(t, string(rune('2'+n)))
			if strings.Contains(m.header.Get("Subject"), "=?utf-8?q?=0d") || strings.Contains(m.text+m.html+m.subject, "\u202e") {
				t.Errorf("%q: got subject %q", text, m.subject)
			}
			got := m.shape()
			got["subject"] = want["subject"]
			if len(got["fields"].([]string)) != len(want["fields"].([]string)) || got["lines"] != want["lines"] {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		}
	})
}
