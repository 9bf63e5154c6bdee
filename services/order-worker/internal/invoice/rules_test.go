package invoice

import (
	"context"
	"encoding/xml"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// decimal is an exact amount of the XML.
type decimal struct{ *big.Rat }

func (d *decimal) UnmarshalText(text []byte) error {
	var ok bool
	if d.Rat, ok = new(big.Rat).SetString(string(text)); !ok {
		return fmt.Errorf("%q is no number", text)
	}
	return nil
}

// added returns the sum of get over a list.
func added[T any](list []T, get func(T) decimal) *big.Rat {
	all := new(big.Rat)
	for _, one := range list {
		all.Add(all, get(one).Rat)
	}
	return all
}

// xmlInvoice holds the business terms that the rules of EN 16931 check, by their numbers.
type xmlInvoice struct {
	Gross   bool        `xml:"-"` // the order has gross prices
	Type    string      `xml:"ExchangedDocument>TypeCode"`
	Lines   []xmlLine   `xml:"SupplyChainTradeTransaction>IncludedSupplyChainTradeLineItem"`
	Charges []xmlCharge `xml:"SupplyChainTradeTransaction>ApplicableHeaderTradeSettlement>SpecifiedTradeAllowanceCharge"`
	Taxes   []xmlTax    `xml:"SupplyChainTradeTransaction>ApplicableHeaderTradeSettlement>ApplicableTradeTax"`
	Totals  struct {
		BT106 decimal `xml:"LineTotalAmount"`
		BT108 decimal `xml:"ChargeTotalAmount"`
		BT109 decimal `xml:"TaxBasisTotalAmount"`
		BT110 decimal `xml:"TaxTotalAmount"`
		BT112 decimal `xml:"GrandTotalAmount"`
		BT113 decimal `xml:"TotalPrepaidAmount"`
		BT115 decimal `xml:"DuePayableAmount"`
	} `xml:"SupplyChainTradeTransaction>ApplicableHeaderTradeSettlement>SpecifiedTradeSettlementHeaderMonetarySummation"`
}

type xmlLine struct {
	BT129 decimal `xml:"SpecifiedLineTradeDelivery>BilledQuantity"`
	BT131 decimal `xml:"SpecifiedLineTradeSettlement>SpecifiedTradeSettlementLineMonetarySummation>LineTotalAmount"`
	BT146 decimal `xml:"SpecifiedLineTradeAgreement>NetPriceProductTradePrice>ChargeAmount"`
	BT151 string  `xml:"SpecifiedLineTradeSettlement>ApplicableTradeTax>CategoryCode"`
}

type xmlCharge struct {
	BT99  decimal `xml:"ActualAmount"`
	BT102 string  `xml:"CategoryTradeTax>CategoryCode"`
}

type xmlTax struct {
	BT116 decimal `xml:"BasisAmount"`
	BT117 decimal `xml:"CalculatedAmount"`
	BT118 string  `xml:"CategoryCode"`
	BT119 decimal `xml:"RateApplicablePercent"`
	BT120 string  `xml:"ExemptionReason"`
}

// broken returns the rules of EN 16931 about sums that an invoice breaks. It shares no code with
// the step.
func (i *xmlInvoice) broken() (rules []string) {
	equal := func(rule string, got decimal, want *big.Rat) {
		if got.Cmp(want) != 0 {
			rules = append(rules, fmt.Sprintf("%s: got %s, want %s", rule, got.FloatString(4), want.FloatString(4)))
		}
	}
	t, plus := i.Totals, func(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
	lines := added(i.Lines, func(l xmlLine) decimal { return l.BT131 })
	charges := added(i.Charges, func(c xmlCharge) decimal { return c.BT99 })
	equal("BR-CO-10", t.BT106, lines)
	equal("BR-CO-12", t.BT108, charges)
	equal("BR-CO-13", t.BT109, plus(lines, charges)) // there are no allowances
	equal("BR-CO-14", t.BT110, added(i.Taxes, func(t xmlTax) decimal { return t.BT117 }))
	equal("BR-CO-15", t.BT112, plus(t.BT109.Rat, t.BT110.Rat))
	due := new(big.Rat).Set(t.BT112.Rat)
	if t.BT113.Rat != nil {
		due.Sub(due, t.BT113.Rat)
	}
	equal("BR-CO-16", t.BT115, due)
	for _, tax := range i.Taxes {
		exact := new(big.Rat).Mul(tax.BT116.Rat, tax.BT119.Rat)
		rounded := cents(exact.Quo(exact, big.NewRat(100, 1)))
		// The VAT of a single credit note may differ by a cent. All those of an invoice add up
		// exactly. The VAT of a gross total may differ, too: not every total is a net amount and its VAT.
		if off := new(big.Rat).Sub(tax.BT117.Rat, rounded); i.Type != einvoice.CreditNote && !i.Gross || off.Abs(off).Cmp(big.NewRat(1, 100)) > 0 {
			equal("BR-CO-17", tax.BT117, rounded)
		}
		of := slices.DeleteFunc(slices.Clone(i.Lines), func(l xmlLine) bool { return l.BT151 != tax.BT118 })
		equal("BR-"+tax.BT118+"-08", tax.BT116, plus(added(of, func(l xmlLine) decimal { return l.BT131 }), charges))
		if (tax.BT118 == "S") != (tax.BT120 == "") || (tax.BT118 == "S") != (tax.BT119.Sign() > 0) {
			rules = append(rules, fmt.Sprintf("BR-%s-10: rate %s and reason %q", tax.BT118, tax.BT119.FloatString(2), tax.BT120))
		}
	}
	for n, l := range i.Lines {
		equal(fmt.Sprintf("line %d", n+1), l.BT131, cents(new(big.Rat).Mul(l.BT146.Rat, l.BT129.Rat)))
	}
	return rules
}

// cents rounds an amount half away from zero to a cent.
func cents(exact *big.Rat) *big.Rat {
	rounded, _ := new(big.Rat).SetString(exact.FloatString(2))
	return rounded
}

// parseXML reads the XML of an order's invoice.
func parseXML(s *Step, w *order.Work) (*xmlInvoice, error) {
	i := &xmlInvoice{Gross: w.Order.Gross}
	err := xml.Unmarshal(einvoice.Write(s.data(w)), i)
	return i, err
}

func TestSumsOfTheXMLObeyEN16931(t *testing.T) {
	t.Parallel()
	s := setup(t)
	countries := append(slices.DeleteFunc(s.vat.States(), func(s string) bool { return s == "XI" }), "CH", "GB", "US", "AQ", "MC")
	ids := []string{"", "DE123456789", "ATU12345678", "EL123456789", "none"}
	rapid.Check(t, func(t *rapid.T) {
		w := shipped(0)
		w.Order.Customer = order.Customer{Name: rapid.String().Draw(t, "name"), VATID: rapid.SampledFrom(ids).Draw(t, "VAT ID")}
		w.Order.ShipTo.Country = rapid.SampledFrom(countries).Draw(t, "country")
		w.Order.Lines = rapid.SliceOfN(rapid.Custom(randomLine), 1, 6).Draw(t, "lines")
		w.Progress.Shipping.Price = order.EUR.Cents(rapid.Int64Range(0, 1_000_000).Draw(t, "shipping"))
		if err := s.Plan(context.Background(), w); err != nil {
			t.Fatal(err)
		}
		i, err := parseXML(s, w)
		if err != nil {
			t.Fatal(err)
		}
		if rules := i.broken(); rules != nil || len(i.Lines) != len(w.Order.Lines) {
			t.Fatalf("%d lines, want %d; broken rules:\n%s", len(i.Lines), len(w.Order.Lines), strings.Join(rules, "\n"))
		}
	})
}

// One cent more in a term breaks a rule.
func TestOneCentMoreBreaksARule(t *testing.T) {
	t.Parallel()
	s, w := setup(t), planned(t, shipped(3))
	for name, spoil := range map[string]func(*xmlInvoice) decimal{
		"BR-CO-10": func(i *xmlInvoice) decimal { return i.Totals.BT106 }, "BR-CO-12": func(i *xmlInvoice) decimal { return i.Totals.BT108 },
		"BR-CO-13": func(i *xmlInvoice) decimal { return i.Totals.BT109 }, "BR-CO-14": func(i *xmlInvoice) decimal { return i.Totals.BT110 },
		"BR-CO-15": func(i *xmlInvoice) decimal { return i.Totals.BT112 }, "BR-CO-16": func(i *xmlInvoice) decimal { return i.Totals.BT115 },
		"BR-CO-17": func(i *xmlInvoice) decimal { return i.Taxes[0].BT117 }, "BR-S-08": func(i *xmlInvoice) decimal { return i.Taxes[0].BT116 },
		"line 1": func(i *xmlInvoice) decimal { return i.Lines[0].BT131 },
	} {
		i, err := parseXML(s, w)
		if err != nil {
			t.Fatal(err)
		}
		term := spoil(i)
		term.Add(term.Rat, big.NewRat(1, 100))
		if got := strings.Join(i.broken(), "\n"); !strings.Contains(got, name) {
			t.Errorf("%s does not fail; broken rules: %q", name, got)
		}
	}
}

func TestXMLAndPagesHaveTheSameData(t *testing.T) {
	t.Parallel()
	w := planned(t, shipped(40))
	w.Order.Customer.VATID = "ATU12345678"
	s := setup(t)
	pages := strings.ReplaceAll(strings.Join(read(t, w), ""), ",", "") // also the thousands separators
	data := string(einvoice.Write(s.data(w)))
	for _, text := range []string{
		w.Progress.Invoice.Number, w.Progress.Invoice.Total.String(), w.Progress.Invoice.Tax.String(), w.Progress.Invoice.Net.String(),
		"ATU12345678", "Payable by 13 October 2026", "TENT-2P-TRK-5", string(w.Order.ID),
	} {
		if !strings.Contains(pages, text) || !strings.Contains(data, text) {
			t.Errorf("%q: on the pages: %t, in the data: %t; want it in both", text, strings.Contains(pages, text), strings.Contains(data, text))
		}
	}
	for _, text := range []string{w.Order.Note, w.Order.Customer.Email} {
		if strings.Contains(data, text) {
			t.Errorf("%q, which may be edited later, is in the data", text)
		}
	}
}

func TestPaymentWithoutDaysIsDueAtOnce(t *testing.T) {
	t.Parallel()
	due := settlement{due: order.EUR.Cents(1)}
	if got := setup(t).translations[locale.English].terms(Seller{IBAN: "DE1"}, order.Invoice{}, due); got != "Payable on receipt, without deduction." {
		t.Errorf("without days to pay: got %q", got)
	}
}
