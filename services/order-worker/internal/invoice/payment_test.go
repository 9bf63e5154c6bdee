package invoice

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"rsc.io/qr"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/order"
)

// paidOn is after the order was placed, and before its invoice.
var paidOn = time.Date(2026, 9, 29, 9, 0, 0, 0, time.UTC)

// paidBy returns an order that is paid in full with the given methods, or with so many cents more.
func paidBy(more int64, methods ...string) *order.Work {
	w := shipped(3)
	s, err := builtIn()
	if err == nil {
		err = s.Plan(context.Background(), w)
	}
	if err != nil {
		panic(err)
	}
	left := w.Progress.Invoice.Total.Minor + more
	w.Progress.Invoice = nil
	for i, m := range methods {
		cents := left / int64(len(methods)-i)
		left -= cents
		w.Payments = append(w.Payments, order.Payment{Method: m, Reference: strconv.Itoa(i), PaidAt: paidOn, Amount: order.EUR.Cents(cents)})
	}
	return w
}

// means is what the XML says about the means of payment.
var (
	meansCode = regexp.MustCompile(`PaymentMeans><ram:TypeCode>(\d+)<`)
	dueAmount = regexp.MustCompile(`DuePayableAmount>(-?[\d.]+)<`)
)

func found(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// readBy is read by a step.
func readBy(t *testing.T, s *Step, w *order.Work) []string {
	t.Helper()
	return strings.Split(pdftest.Text(t, render(t, s, w)), "\f")
}

func TestInvoiceSaysWhatWasPaidAndWhatIsDue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		paid       *order.Work
		noIBAN     bool
		means, due string   // of the XML
		says       []string // on the pages
		asks       bool     // for a transfer: account and code
	}{
		{"unpaid", paidBy(0), false, "30", "923.80", []string{"Payable by 13 October 2026"}, true},
		{"paid", paidBy(0, order.Card), false, "48", "0.00", []string{"Paid by card on 29 September 2026 −923.80", "Amount due EUR 0.00", "Nothing is left to pay."}, false},
		{"part-paid", paidBy(-10_000, order.PayPal), false, "30", "100.00", []string{"Paid by PayPal on 29 September 2026 −823.80", "Amount due EUR 100.00", "Payable by 13 October 2026"}, true},
		{"paid in parts", paidBy(0, order.Cash, order.Transfer), false, "1", "0.00", []string{"Paid in cash on", "Paid by bank transfer on", "Amount due EUR 0.00"}, false},
		{"overpaid", paidBy(1, order.Transfer), false, "42", "-0.01", []string{"Overpaid EUR 0.01", "You have paid 0.01 EUR too much."}, false},
		{"no account", paidBy(0), true, "", "923.80", []string{"Payable by 13 October 2026", "Please ask us how to pay: billing@shop.example.com."}, false},
		{"no account, paid", paidBy(0, order.OtherMethod), true, "1", "0.00", []string{"Paid in another way on", "Nothing is left to pay."}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			w := row.paid
			if row.noIBAN {
				s.seller.IBAN, s.seller.BIC = "", ""
			}
			plannedBy(t, s, w)
			pages := strings.ReplaceAll(squeeze(strings.Join(readBy(t, s, w), "\n")), "  ", " ")
			xml := string(einvoice.Write(s.data(w)))
			for _, text := range row.says {
				if !strings.Contains(pages, text) {
					t.Errorf("%q is not on\n%s", text, pages)
				}
			}
			if means, due := found(meansCode, xml), found(dueAmount, xml); means != row.means || due != row.due {
				t.Errorf("the XML has means %q and %q due, want %q and %q", means, due, row.means, row.due)
			}
			c := s.content(w)
			if asks := strings.Contains(xml, "IBANID"); asks != row.asks || (c.Account != nil) != row.asks || (c.Code != nil) != row.asks {
				t.Errorf("asks for a transfer: XML %t, account %t, code %t; want %t", asks, c.Account != nil, c.Code != nil, row.asks)
			}
		})
	}
}

func TestInvoiceStatesOnlyThePaymentsBeforeIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	w := plannedBy(t, s, paidBy(-10_000, order.Card))
	before := string(render(t, s, w))
	w.Payments = append(w.Payments, order.Payment{Method: order.Cash, Reference: "late", PaidAt: paidOn, Amount: order.EUR.Cents(10_000)})
	w.Document = nil
	if after := string(render(t, s, w)); after != before {
		t.Error("a later payment changes the invoice")
	}
}

func TestCreditNoteSaysWhatIsPaidBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, row := range []struct {
		paid *order.Work
		back int64
		says []string
		due  string
	}{
		{paidBy(0), 0, []string{"was not paid yet. You no longer need to pay it."}, "0.00"},
		{paidBy(0, order.Card), 0, []string{"will be paid back to you by card."}, ""},
		{paidBy(0, order.DirectDebit), 0, []string{"will be paid back to you in the way you paid."}, ""},
		{paidBy(0, order.Card, order.PayPal), 0, []string{"will be paid back to you in the way you paid."}, ""},
		{paidBy(-10_000, order.Transfer), 0, []string{"will be paid back to you by bank transfer.", "100.00 EUR was not paid yet."}, ""},
		{paidBy(0, order.Card), 10_000, []string{"will be paid back to you by card. 100.00 EUR was paid back to you on 29 September 2026."}, ""},
	} {
		row.paid.Progress.Invoice = nil
		if row.back > 0 {
			row.paid.Payments = append(row.paid.Payments, order.Payment{Method: order.Card, Reference: "back", PaidAt: paidOn, Amount: order.EUR.Cents(-row.back)})
		}
		w := plannedBy(t, s, row.paid)
		w.Progress.Invoice.Language = "en"
		r := refunded(t, w, nil, false)
		plannedBy(t, s, r)
		pages, xml := strings.Join(readBy(t, s, r), "\n"), string(einvoice.Write(s.data(r)))
		for _, text := range row.says {
			if !strings.Contains(strings.ReplaceAll(squeeze(pages), "\n", " "), text) {
				t.Errorf("%q is not on\n%s", text, pages)
			}
		}
		if got := found(dueAmount, xml); got != r.Order.Refund.PayBack.String() || row.due != "" && got != row.due {
			t.Errorf("the XML has %s due, want what is paid back, %s", got, r.Order.Refund.PayBack)
		}
	}
}

func TestSumsOfPaymentsObeyEN16931(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rapid.Check(t, func(t *rapid.T) {
		w := shipped(2)
		for i := range rapid.IntRange(0, 4).Draw(t, "payments") {
			w.Payments = append(w.Payments, order.Payment{
				Method: rapid.SampledFrom(order.Methods()).Draw(t, "method"), Reference: strconv.Itoa(i), PaidAt: paidOn,
				Amount: order.EUR.Cents(rapid.Int64Range(1, 100_000).Draw(t, "cents")),
			})
		}
		if err := s.Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		i, err := parseXML(s, w)
		if err != nil || i.broken() != nil {
			t.Fatalf("%v, broken rules %v", err, i.broken())
		}
	})
}

func TestCodeIsThatOfEPC06912(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.seller.Name = strings.Repeat("Ä", 71)
	const want = "BCD\n002\n1\nSCT\nEXAMDEXXXXX\nNAME\nDE00000000000000000000\nEUR974.26\n\n\nINV-1"
	text := s.seller.transfer(order.EUR.Cents(97426), "INV-1")
	if got := strings.Replace(text, strings.Repeat("Ä", 70), "NAME", 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	due := settlement{due: order.EUR.Cents(97426)}
	code := s.code(order.Invoice{Number: "INV-1"}, due)
	drawn, err := qr.Encode(text, qr.M)
	if err != nil || len(code) != drawn.Size {
		t.Fatalf("got %d rows, %v", len(code), err)
	}
	// The three finder patterns of ISO/IEC 18004, and modules that are those of the library.
	for y, row := range code {
		for x, dark := range row {
			if dark != drawn.Black(x, y) {
				t.Fatalf("module %d, %d is dark: %t", x, y, dark)
			}
		}
	}
	n := len(code)
	for _, corner := range [][2]int{{0, 0}, {0, n - 7}, {n - 7, 0}} {
		for y := range 7 {
			for x := range 7 {
				ring := max(abs(x-3), abs(y-3))
				if code[corner[0]+y][corner[1]+x] != (ring != 2) {
					t.Fatalf("no finder pattern at %v", corner)
				}
			}
		}
	}
	for name, none := range map[string]settlement{"paid": {}, "overpaid": {due: order.EUR.Cents(-1)}, "too much for a transfer": {due: order.EUR.Cents(codeAmount + 1)}} {
		if s.code(order.Invoice{Number: "INV-1"}, none) != nil {
			t.Errorf("%s: got a code, want none", name)
		}
	}
}

func abs(n int) int { return max(n, -n) }
