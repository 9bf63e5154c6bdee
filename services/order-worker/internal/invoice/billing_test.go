package invoice

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// toHeadOffice makes an order that of a business whose invoice goes to another address.
func toHeadOffice(w *order.Work) {
	w.Order.Customer.Company = "Example Studio"
	w.Order.BillTo = &order.BillTo{
		Name: "Bo Example", Company: "Example Holding AG", VATID: "FRXX123456789",
		Address: order.Address{Line1: "12 rue des Exemples", Line2: "Bâtiment B", City: "Lyon", PostalCode: "69001", Country: "FR"},
	}
	w.Order.Reference, w.Order.BuyerReference, w.Order.PurchaseOrder = "2026-1042", "Service 7", "PO-7"
}

// buyerTerms are the lines of the XML about the parties and their references.
func buyerTerms(s *Step, w *order.Work) string {
	data := strings.ReplaceAll(string(einvoice.Write(s.data(w))), "><", ">\n<")
	return strings.Join(regexp.MustCompile(`(?s)<ram:ApplicableHeaderTradeAgreement>.*</ram:ShipToTradeParty>`).FindAllString(data, -1), "")
}

func TestTheInvoiceIsAddressedToTheBuyer(t *testing.T) {
	t.Parallel()
	s, w := setup(t), shipped(3)
	toHeadOffice(w)
	golden.Compare(t, "testdata/billed.txt", squeeze(strings.Join(read(t, w), "\f")))
	golden.Compare(t, "testdata/billed.xml", buyerTerms(s, w))
	note := refunded(t, w, nil, false, 1)
	for _, text := range []string{"Example Holding AG", "Bo Example", "12 rue des Exemples", "2026-1042", "Service 7", "PO-7", "FRXX123456789"} {
		if pages := read(t, note); !strings.Contains(strings.Join(pages, ""), text) || !strings.Contains(buyerTerms(s, note), text) {
			t.Errorf("%q is not on the pages of the credit note, or not in its data", text)
		}
	}
}

// TestVATIsThatOfTheDelivery has a seller in Germany and invoices to other countries than the goods.
func TestVATIsThatOfTheDelivery(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ to, billed, vatID, category, language string }{
		{"FR", "DE", "", order.VATStandard, "de"},
		{"FR", "FR", "FRXX123456789", order.VATIntraCommunity, "fr"},
		{"DE", "FR", "FRXX123456789", order.VATStandard, "fr"},
		{"PL", "FR", "FRXX123456789", order.VATIntraCommunity, "fr"},
		{"CH", "DE", "DE123456789", order.VATExport, "de"},
		{"DE", "CH", "", order.VATStandard, "de"},
	} {
		w := shipped(1)
		w.Order.ShipTo.Country, w.Order.BillTo = row.to, &order.BillTo{Name: "Bo", VATID: row.vatID, Address: order.Address{Line1: "1", City: "C", Country: row.billed}}
		if err := setup(t).Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		got := w.Progress.Invoice
		if got.Taxes[0].Category != row.category || got.Language != row.language {
			t.Errorf("to %s, billed to %s with %q: got %s in %s, want %s in %s", row.to, row.billed, row.vatID, got.Taxes[0].Category, got.Language, row.category, row.language)
		}
	}
}

func TestABuyerWithoutACompanyIsANameOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		c    order.Customer
		want einvoice.Party
	}{
		{"a person", order.Customer{Name: "Zoë"}, einvoice.Party{Name: "Zoë"}},
		{"a person of a business", order.Customer{Name: "Zoë", Company: "Studio", VATID: "DE123456789"}, einvoice.Party{Name: "Studio", VATID: "DE123456789", Contact: einvoice.Contact{Name: "Zoë"}}},
		{"a business", order.Customer{Company: "Studio"}, einvoice.Party{Name: "Studio"}},
	} {
		if diff := cmp.Diff(row.want, buyer(row.c, order.Address{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// TestHostileReferencesStayText has texts of other programs, which may skip the checks of the API.
func TestHostileReferencesStayText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{address}", "]]><ram:ID>", "\u202e7", strings.Repeat("W", 100), "שלום 王 ١٢"} {
		w := shipped(1)
		toHeadOffice(w)
		w.Order.Reference, w.Order.BuyerReference, w.Order.PurchaseOrder, w.Order.BillTo.Company = text, text, text, text
		i, err := parseXML(setup(t), planned(t, w))
		if err != nil || i.broken() != nil {
			t.Errorf("%q: got %v, broken rules %v", text, err, i.broken())
		}
		if pages := read(t, w); len(pages) > 2 {
			t.Errorf("%q: got %d pages, want one or two", text, len(pages))
		}
	}
}

func TestImprintIsThatOfTheFileOrSaysWhoTheSellerIs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	want := []string{
		"Example Trail Goods GmbH · Beispielweg 12 · 10115 Berlin · Deutschland",
		"Amtsgericht Beispielstadt, HRB 00000 · Geschäftsführung: Erika Beispiel", "USt-IdNr. DE000000000",
	}
	if diff := cmp.Diff(want, s.Imprint()); diff != "" {
		t.Errorf("imprint (-want +got):\n%s", diff)
	}
	s.seller.Register, s.seller.Managers, s.seller.Country = "", nil, "FR"
	if got := s.Imprint(); len(got) != 2 || !strings.HasSuffix(got[0], "France") || !strings.Contains(got[1], "DE000000000") {
		t.Errorf("without a register: got %q, want name and VAT ID", got)
	}
	if s.seller.Imprint = []string{"our own"}; !slices.Equal(s.Imprint(), []string{"our own"}) {
		t.Errorf("got %q, want the lines of the file", s.Imprint())
	}
}
