package einvoice

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// profile is EN 16931 without rules of a country (BT-24).
const profile = "urn:cen.eu:en16931:2017"

const (
	begin = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<rsm:CrossIndustryInvoice` +
		` xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"` +
		` xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"` +
		` xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">` + "\n"
	end = "</rsm:CrossIndustryInvoice>\n"

	qualified = "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"

	piece = "C62" // UN/ECE Recommendation 20: one
)

// Write returns the invoice as XML, with the elements in the order of the schema.
func Write(i *Invoice) []byte {
	w := &writer{}
	w.out.Grow(4096 + 1200*len(i.Lines))
	w.out.WriteString(begin)
	w.in("rsm:ExchangedDocumentContext", func() {
		w.in("ram:GuidelineSpecifiedDocumentContextParameter", func() { w.text("ram:ID", profile) })
	})
	w.in("rsm:ExchangedDocument", func() {
		w.text("ram:ID", i.Number)
		w.text("ram:TypeCode", i.Type)
		w.date("ram:IssueDateTime", i.Issued)
		if i.Note != "" {
			w.in("ram:IncludedNote", func() { w.text("ram:Content", i.Note) })
		}
	})
	w.in("rsm:SupplyChainTradeTransaction", func() {
		for _, l := range i.Lines {
			w.line(l)
		}
		w.agreement(i)
		w.delivery(i)
		w.settlement(i)
	})
	w.out.WriteString(end)
	return w.out.Bytes()
}

// writer writes elements. encoding/xml would take four times as long.
type writer struct{ out bytes.Buffer }

// in writes an element. content writes its children.
func (w *writer) in(name string, content func()) {
	w.open(name, "")
	content()
	w.close(name)
}

// open begins an element. attribute starts with a space.
func (w *writer) open(name, attribute string) {
	w.out.WriteByte('<')
	w.out.WriteString(name)
	w.out.WriteString(attribute)
	w.out.WriteByte('>')
}

func (w *writer) close(name string) {
	w.out.WriteString("</")
	w.out.WriteString(name)
	w.out.WriteByte('>')
}

// text writes an element with text. An empty text writes nothing: EN 16931 has no empty elements.
func (w *writer) text(name, text string) { w.marked(name, "", text) }

// marked is text with an attribute.
func (w *writer) marked(name, attribute, text string) {
	if text == "" {
		return
	}
	w.open(name, attribute)
	if strings.ContainsFunc(text, special) {
		_ = xml.EscapeText(&w.out, []byte(text)) // a Buffer returns no error
	} else {
		w.out.WriteString(text)
	}
	w.close(name)
}

// special reports whether a character may need escaping in XML. Most texts have none and are
// written without a copy.
func special(r rune) bool {
	return r < ' ' || r > '~' || r == '<' || r == '>' || r == '&' || r == '"' || r == '\''
}

func (w *writer) money(name string, m order.Money) { w.text(name, m.String()) }

func (w *writer) date(name string, day time.Time) {
	if day.IsZero() {
		return
	}
	w.in(name, func() { w.marked("udt:DateTimeString", ` format="102"`, day.Format("20060102")) })
}

func (w *writer) line(l Line) {
	w.in("ram:IncludedSupplyChainTradeLineItem", func() {
		w.in("ram:AssociatedDocumentLineDocument", func() { w.text("ram:LineID", l.ID) })
		w.in("ram:SpecifiedTradeProduct", func() {
			w.text("ram:SellerAssignedID", l.SKU)
			w.text("ram:Name", l.Name)
		})
		w.in("ram:SpecifiedLineTradeAgreement", func() {
			w.in("ram:NetPriceProductTradePrice", func() { w.text("ram:ChargeAmount", l.Price) })
		})
		w.in("ram:SpecifiedLineTradeDelivery", func() {
			w.marked("ram:BilledQuantity", ` unitCode="`+piece+`"`, strconv.Itoa(l.Quantity))
		})
		w.in("ram:SpecifiedLineTradeSettlement", func() {
			w.in("ram:ApplicableTradeTax", func() { w.rate(l.Rate) })
			w.in("ram:SpecifiedTradeSettlementLineMonetarySummation", func() { w.money("ram:LineTotalAmount", l.Net) })
		})
	})
	w.out.WriteByte('\n')
}

func (w *writer) rate(r Rate) {
	w.text("ram:TypeCode", "VAT")
	w.text("ram:CategoryCode", r.Category)
	w.text("ram:RateApplicablePercent", r.Percent)
}

func (w *writer) agreement(i *Invoice) {
	w.in("ram:ApplicableHeaderTradeAgreement", func() {
		w.text("ram:BuyerReference", i.BuyerReference)
		w.party("ram:SellerTradeParty", i.Seller)
		w.party("ram:BuyerTradeParty", i.Buyer)
		w.document("ram:SellerOrderReferencedDocument", i.Order)
		w.document("ram:BuyerOrderReferencedDocument", i.PurchaseOrder)
	})
}

// document names another document by its number, if it has one.
func (w *writer) document(name, number string) {
	if number != "" {
		w.in(name, func() { w.text("ram:IssuerAssignedID", number) })
	}
}

func (w *writer) contact(c Contact) {
	if c == (Contact{}) {
		return
	}
	w.in("ram:DefinedTradeContact", func() {
		w.text("ram:PersonName", c.Name)
		if c.Phone != "" {
			w.in("ram:TelephoneUniversalCommunication", func() { w.text("ram:CompleteNumber", c.Phone) })
		}
		if c.Email != "" {
			w.in("ram:EmailURIUniversalCommunication", func() { w.text("ram:URIID", c.Email) })
		}
	})
}

func (w *writer) party(name string, p Party) {
	w.in(name, func() {
		w.text("ram:ID", p.ID)
		w.text("ram:Name", p.Name)
		w.text("ram:Description", p.Legal)
		w.contact(p.Contact)
		w.in("ram:PostalTradeAddress", func() {
			w.text("ram:PostcodeCode", p.Address.PostalCode)
			w.text("ram:LineOne", p.Address.Line1)
			w.text("ram:LineTwo", p.Address.Line2)
			w.text("ram:LineThree", p.Address.Line3)
			w.text("ram:CityName", p.Address.City)
			w.text("ram:CountryID", p.Address.Country)
			w.text("ram:CountrySubDivisionName", p.Address.Region)
		})
		if p.Email != "" {
			w.in("ram:URIUniversalCommunication", func() { w.marked("ram:URIID", ` schemeID="EM"`, p.Email) })
		}
		w.registration("FC", p.TaxNumber)
		w.registration("VA", p.VATID)
	})
}

func (w *writer) registration(scheme, number string) {
	if number != "" {
		w.in("ram:SpecifiedTaxRegistration", func() { w.marked("ram:ID", ` schemeID="`+scheme+`"`, number) })
	}
}

func (w *writer) delivery(i *Invoice) {
	w.in("ram:ApplicableHeaderTradeDelivery", func() {
		w.party("ram:ShipToTradeParty", i.ShipTo)
		if !i.Supplied.IsZero() {
			w.in("ram:ActualDeliverySupplyChainEvent", func() { w.date("ram:OccurrenceDateTime", i.Supplied) })
		}
	})
}

func (w *writer) settlement(i *Invoice) {
	w.in("ram:ApplicableHeaderTradeSettlement", func() {
		w.text("ram:PaymentReference", i.Number) // BT-83
		w.text("ram:InvoiceCurrencyCode", string(i.Currency))
		w.means(i)
		for _, t := range i.Taxes {
			w.tax(t)
		}
		if !i.From.IsZero() {
			w.in("ram:BillingSpecifiedPeriod", func() { w.date("ram:StartDateTime", i.From) })
		}
		for _, c := range i.Charges {
			w.charge(c)
		}
		w.in("ram:SpecifiedTradePaymentTerms", func() {
			w.text("ram:Description", i.Terms)
			w.date("ram:DueDateDateTime", i.Due)
		})
		w.in("ram:SpecifiedTradeSettlementHeaderMonetarySummation", func() {
			w.money("ram:LineTotalAmount", i.Items)
			w.money("ram:ChargeTotalAmount", i.Charged)
			w.money("ram:TaxBasisTotalAmount", i.Net)
			w.marked("ram:TaxTotalAmount", ` currencyID="`+string(i.Currency)+`"`, i.Tax.String())
			w.money("ram:GrandTotalAmount", i.Total)
			if i.Paid.Minor != 0 {
				w.money("ram:TotalPrepaidAmount", i.Paid)
			}
			w.money("ram:DuePayableAmount", i.Total.Plus(i.Paid.Times(-1)))
		})
		w.corrects(i.Corrects)
	})
}

// corrects writes the invoice that a credit note corrects. Only its date needs the namespace qdt,
// which is declared there.
func (w *writer) corrects(d Document) {
	if d.Number == "" {
		return
	}
	w.in("ram:InvoiceReferencedDocument", func() {
		w.text("ram:IssuerAssignedID", d.Number)
		w.in("ram:FormattedIssueDateTime", func() {
			w.marked("qdt:DateTimeString", ` xmlns:qdt="`+qualified+`" format="102"`, d.Issued.Format("20060102"))
		})
	})
}

// means writes the means of payment (BG-16).
func (w *writer) means(i *Invoice) {
	if i.Means == "" {
		return
	}
	w.in("ram:SpecifiedTradeSettlementPaymentMeans", func() {
		w.text("ram:TypeCode", i.Means)
		if i.IBAN != "" {
			w.in("ram:PayeePartyCreditorFinancialAccount", func() { w.text("ram:IBANID", i.IBAN) })
		}
		if i.BIC != "" {
			w.in("ram:PayeeSpecifiedCreditorFinancialInstitution", func() { w.text("ram:BICID", i.BIC) })
		}
	})
}

func (w *writer) tax(t Tax) {
	w.in("ram:ApplicableTradeTax", func() {
		w.money("ram:CalculatedAmount", t.Tax)
		w.text("ram:TypeCode", "VAT")
		w.text("ram:ExemptionReason", t.Exemption)
		w.money("ram:BasisAmount", t.Net)
		w.text("ram:CategoryCode", t.Rate.Category)
		w.text("ram:ExemptionReasonCode", t.ExemptionCode)
		w.text("ram:RateApplicablePercent", t.Rate.Percent)
	})
}

func (w *writer) charge(c Charge) {
	w.in("ram:SpecifiedTradeAllowanceCharge", func() {
		w.in("ram:ChargeIndicator", func() { w.text("udt:Indicator", "true") })
		w.money("ram:ActualAmount", c.Net)
		w.text("ram:ReasonCode", c.Code)
		w.text("ram:Reason", c.Reason)
		w.in("ram:CategoryTradeTax", func() { w.rate(c.Rate) })
	})
}
