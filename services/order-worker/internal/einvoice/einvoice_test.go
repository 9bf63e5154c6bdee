package einvoice_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// full returns an invoice in which every term has a value.
func full() *einvoice.Invoice {
	rate := einvoice.Rate{Category: order.VATIntraCommunity, Percent: "0"}
	to := einvoice.Address{Line1: "Rue 1", Line2: "Porte 2", Line3: "Étage 3", City: "Paris", PostalCode: "75001", Region: "Île-de-France", Country: "FR"}
	day := time.Date(2026, 9, 29, 23, 30, 0, 0, time.UTC)
	return &einvoice.Invoice{
		Type: einvoice.Commercial, Number: "INV-7", Issued: day, Supplied: day.AddDate(0, 0, 1), Currency: order.EUR, Order: "ord_1",
		Note: "Replaces what was lost", Corrects: einvoice.Document{Number: "INV-6", Issued: day.AddDate(0, -1, 0)},
		BuyerReference: "04011000-12345-34", PurchaseOrder: "PO-7",
		Seller: einvoice.Party{
			Name: "Shop", Legal: "HRB 1", VATID: "DE123456789", TaxNumber: "21/815/08150", Email: "shop@example.com",
			Contact: einvoice.Contact{Name: "Ann", Phone: "+49 30 1", Email: "ann@example.com"}, Address: einvoice.Address{Line1: "Weg 1", PostalCode: "10115", City: "Berlin", Country: "DE"},
		},
		Buyer:  einvoice.Party{Name: "Buyer & <Co>", VATID: "FR12123456789", Contact: einvoice.Contact{Name: "Zoë"}, Address: to},
		ShipTo: einvoice.Party{Name: "Buyer's store", Address: to},
		Means:  einvoice.CreditTransfer, IBAN: "DE02120300000000202051", BIC: "BYLADEM1001", Terms: "Payable by 13 October 2026.", Due: day.AddDate(0, 0, 14),
		Lines: []einvoice.Line{
			{ID: "1", SKU: "A-1", Name: "Bottle \"blue\"", Price: "19.90", Quantity: 2, Net: order.EUR.Cents(3980), Rate: rate},
			{ID: "2", SKU: "B-2", Name: "Gift", Price: "0.00", Quantity: 1, Net: order.EUR.Cents(0), Rate: rate},
		},
		Charges: []einvoice.Charge{{Code: einvoice.Freight, Reason: "Shipping", Net: order.EUR.Cents(490), Rate: rate}},
		Taxes:   []einvoice.Tax{{Rate: rate, Net: order.EUR.Cents(4470), Tax: order.EUR.Cents(0), Exemption: "Intra-community supply", ExemptionCode: "VATEX-EU-IC"}},
		Items:   order.EUR.Cents(3980), Charged: order.EUR.Cents(490), Net: order.EUR.Cents(4470), Tax: order.EUR.Cents(0), Total: order.EUR.Cents(4470),
	}
}

// indented returns XML with a line for each element.
func indented(t testing.TB, data []byte) string {
	t.Helper()
	// RawToken keeps the prefixes of namespaces.
	return strings.ReplaceAll(string(data), "><", ">\n<")
}

func TestInvoiceMatchesGoldenFile(t *testing.T) {
	t.Parallel()
	got := indented(t, einvoice.Write(full()))
	golden.Compare(t, "testdata/full.xml", got)
}

// elements returns the names of the elements of XML, and how many are empty.
func elements(t testing.TB, data []byte) (names []string, empty int) {
	t.Helper()
	d, hollow := xml.NewDecoder(bytes.NewReader(data)), false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names, empty
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		switch token := token.(type) {
		case xml.StartElement:
			names, hollow = append(names, token.Name.Local), true
		case xml.CharData:
			hollow = false
		case xml.EndElement:
			if hollow {
				empty++
			}
			hollow = false
		}
	}
}

func TestTermsWithoutValueAreLeftOut(t *testing.T) {
	t.Parallel()
	i := full()
	i.Order, i.Means, i.IBAN, i.BIC, i.Supplied, i.Due = "", "", "", "", time.Time{}, time.Time{}
	i.Note, i.Corrects = "", einvoice.Document{}
	i.Seller.Legal, i.Seller.Email, i.Seller.TaxNumber, i.Buyer.VATID = "", "", "", ""
	i.BuyerReference, i.PurchaseOrder, i.Seller.Contact, i.Buyer.Contact = "", "", einvoice.Contact{}, einvoice.Contact{}
	i.Buyer.Address = einvoice.Address{Line1: "A", City: "B", Country: "DE"}
	names, empty := elements(t, einvoice.Write(i))
	if empty > 0 {
		t.Errorf("got %d empty elements, want none:\n%s", empty, einvoice.Write(i))
	}
	for _, name := range []string{
		"SellerOrderReferencedDocument", "SpecifiedTradeSettlementPaymentMeans", "ActualDeliverySupplyChainEvent", "DueDateDateTime",
		"URIUniversalCommunication", "IncludedNote", "InvoiceReferencedDocument", "BuyerReference", "BuyerOrderReferencedDocument", "DefinedTradeContact",
	} {
		if whole, _ := elements(t, einvoice.Write(full())); !slices.Contains(whole, name) || slices.Contains(names, name) {
			t.Errorf("%s: want it in the full invoice, and left out of this one", name)
		}
	}
}

func TestAnyTextMakesWellFormedXML(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"]]>", "<!--", "&amp;", "\x00\x1b", "\xff\xfe", "\ufffe\uffff", "a\nb\tc", "👩‍🚀 שלום", `"'`} {
		i := full()
		i.Buyer.Name, i.Lines[0].Name, i.Terms, i.Note, i.Corrects.Number = text, text, text, text, text
		i.Order, i.BuyerReference, i.PurchaseOrder, i.Buyer.Contact.Name, i.Seller.Contact.Phone = text, text, text, text, text
		if _, empty := elements(t, einvoice.Write(i)); empty > 0 {
			t.Errorf("%q: got %d empty elements, want none", text, empty)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("Zoë", "DE", "]]><a>")
	f.Fuzz(func(t *testing.T, name, country, reason string) {
		i := full()
		i.Seller.Name, i.Buyer.Address.Country, i.Charges[0].Reason = name, country, reason
		elements(t, einvoice.Write(i))
	})
}

func BenchmarkWrite(b *testing.B) {
	i := full()
	for b.Loop() {
		einvoice.Write(i)
	}
}
