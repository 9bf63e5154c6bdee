package email_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// refunded returns a refund of one line and of shipping, with a reason.
func refunded(country string) *order.Work {
	w := sentTo(country)
	o := w.Order
	o.ID, o.Lines = w.Order.ID.Refund(1), o.Lines[:1]
	o.Refund = &order.Refund{
		Of: w.Order.ID, Number: 1, Reason: "Arrived broken", Shipping: order.EUR.Cents(490), Tax: order.EUR.Cents(1229), Invoice: *w.Progress.Invoice,
		PayBack: order.EUR.Cents(7699), Method: order.Card,
	}
	r := new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 200}).Work)
	net, tax := order.EUR.Cents(6470), order.EUR.Cents(1229)
	r.Progress.Invoice = &order.Invoice{
		Number: "CRN-7KQ2MX-03-0000200", IssuedAt: o.PlacedAt, Language: o.Refund.Invoice.Language,
		Taxes: []order.Tax{{Rate: 1900, Net: net, Tax: tax}}, Net: net, Tax: tax, Total: net.Plus(tax),
	}
	r.Document = []byte("%PDF-1.7 of a credit note")
	return r
}

func TestRefundMailMatchesGoldenFile(t *testing.T) {
	t.Parallel()
	for country, language := range map[string]string{"IE": "en", "DE": "de", "GR": "el", "PL": "pl"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := setup(t, inShop)
				w := refunded(country)
				if err := s.mail(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				got := s.received(t, "1")
				golden.Compare(t, "testdata/"+language+"-credit.txt", got.Text)
				golden.Compare(t, "testdata/"+language+"-credit.html", got.HTML)
				if want := "ord_4k7m2p9x3c5v8b1n6q0w2e4r7t-refund-1.credit-note@example.com"; got.MessageID != want {
					t.Errorf("Message-ID: got %q, want %q", got.MessageID, want)
				}
				if len(got.Attachments) != 1 || got.Attachments[0].FileName != "CRN-7KQ2MX-03-0000200.pdf" {
					t.Fatalf("attachments: got %+v, want the credit note", got.Attachments)
				}
				if pdf := s.get(t, "/api/v1/message/1/part/"+got.Attachments[0].PartID); !bytes.Equal(pdf, w.Document) {
					t.Errorf("attachment: got %q, want %q", pdf, w.Document)
				}
			})
		})
	}
}

func TestRefundMailHasNoTextOfAnOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for i, row := range []struct{ country, language, subject string }{
			{"GB", "en", "Your refund and credit note "},
			{"AT", "de", "Ihre Erstattung und Rechnungskorrektur "},
			{"LU", "fr", "Votre remboursement et votre avoir "},
			{"PL", "pl", "Zwrot pieniędzy i faktura korygująca "},
			{"CY", "el", "Επιστροφή χρημάτων και πιστωτικό τιμολόγιο "},
			{"UA", "uk", "Повернення коштів і коригувальний рахунок "},
			{"JP", "en", "Your refund and credit note "},
		} {
			w := refunded(row.country)
			// Shipping is not refunded, so the mail does not mention it.
			w.Order.ID, w.Order.Refund.Shipping, w.Order.Refund.Reason = w.Order.Refund.Of.Refund(i+1), order.EUR.Cents(0), ""
			w.Order.Reference = ""
			if err := s.mail(t.Context(), w); err != nil {
				t.Fatalf("%q: %v", row.country, err)
			}
			m := s.taken(t, fmt.Sprint(i+1))
			if want := row.subject + "CRN-7KQ2MX-03-0000200"; m.subject != want || m.header.Get("Content-Language") != row.language {
				t.Errorf("%q: got %q in %q, want %q in %q", row.country, m.subject, m.header.Get("Content-Language"), want, row.language)
			}
			// Only mails of orders have thanks, days and the carrier. This refund has no reason and
			// no shipping.
			no := regexp.MustCompile(`Thank|danke|Vielen|Merci|Dziękujemy|Ευχαρ|Дякуємо|2–4|Parcel Post|refund-|0[.,]00|(?i)ship|versand|reason|grund|motif|λόγος`)
			if found := no.FindAllString(m.text+m.subject, -1); found != nil {
				t.Errorf("%q: got %q in\n%s", row.country, found, m.text)
			}
		}
	})
}

func TestRefundReasonCannotInject(t *testing.T) {
	t.Parallel()
	s := setup(t, inShop) // not in a bubble: see TestCustomerTextCannotInject
	if err := s.mail(t.Context(), refunded("DE")); err != nil {
		t.Fatal(err)
	}
	want, id := s.taken(t, "1"), 1
	rapid.Check(t, func(rt *rapid.T) {
		id++
		w := refunded("DE")
		w.Order.ID = w.Order.Refund.Of.Refund(id)
		for _, field := range []*string{
			&w.Order.Refund.Reason, &w.Order.Refund.Invoice.Number, &w.Order.Customer.Name, &w.Order.Lines[0].Name, &w.Order.Service,
		} {
			*field = hostile().Draw(rt, "words")
		}
		if err := s.mail(t.Context(), w); err != nil {
			rt.Fatal(err)
		}
		got := s.taken(rt, fmt.Sprint(id))
		if diff := cmp.Diff(want.shape(), got.shape()); diff != "" {
			rt.Errorf("shape of the mail (-of harmless words +of these):\n%s", diff)
		}
		if strings.ContainsAny(got.text+got.html, "\u202e\u2066\r\x00\u2028") {
			rt.Errorf("the mail holds what turns or breaks lines: %q", got.text)
		}
	})
}

func TestReplacedWordsOfOrdersDoNotChangeRefunds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		words := `{{define "subject"}}Danke, und hier ist {{.Invoice}}{{end}}{{define "greeting"}}Servus {{template "name" .Name}},{{end}}
{{define "thanks"}}Danke{{end}}{{define "attached"}}Es kommt.{{end}}{{define "follow"}}Hier{{end}}{{define "invoice"}}Rechnung{{end}}
{{define "order"}}Auftrag{{end}}{{define "delivery"}}Lieferung{{end}}{{define "days"}}{{.Days}}{{end}}{{define "item"}}Ware{{end}}
{{define "net"}}Netto{{end}}{{define "shipping"}}Porto{{end}}{{define "service"}}{{.}}{{end}}{{define "vat"}}MwSt.{{end}}{{define "total"}}Summe{{end}}
{{define "more"}}mehr{{end}}{{define "questions"}}Fragen?{{end}}{{define "free"}}frei{{end}}
{{define "ship-to"}}An{{end}}{{define "pay"}}Zahlen{{end}}{{define "paid"}}Bezahlt{{end}}{{define "due"}}Offen{{end}}`
		s := setup(t, func(c *email.Config) { c.Templates = folder(t, "de.tmpl", words) })
		if err := s.mail(t.Context(), refunded("DE")); err != nil {
			t.Fatal(err)
		}
		got := s.received(t, "1")
		for _, want := range []string{"Servus Zoë", "Auftrag: 2026-1042", "Porto: standard", "Ihre Erstattung: 76,99"} {
			if !strings.Contains(got.Text, want) {
				t.Errorf("%q is not in\n%s", want, got.Text)
			}
		}
		if want := "Ihre Erstattung zur Bestellung 2026-1042 und Rechnungskorrektur CRN-7KQ2MX-03-0000200"; got.Subject != want {
			t.Errorf("subject: got %q, want %q", got.Subject, want)
		}
	})
}
