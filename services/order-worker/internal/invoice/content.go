package invoice

import (
	"slices"
	"strconv"
	"strings"

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

// pages writes the texts of the pages of one document, in its language.
type pages struct {
	*translation
	home    *translation // in the language of the seller's country
	seller  Seller
	order   order.Order
	subject subject
	places  *address.Countries
	invoice order.Invoice // or credit note
	settlement
	amounts order.Statement
}

// content returns the texts of the pages, with the XML attached.
func (s *Step) content(w *order.Work) *document.Content {
	p := pages{s.translation(w), s.translations[locale.In(s.seller.Country)], s.seller, w.Order, subjectOf(w, s.zone), s.places, *w.Progress.Invoice, settlementOf(w, s.zone), w.Statement()}
	c := &document.Content{
		Title: p.Invoice, Number: p.invoice.Number, Issued: p.invoice.IssuedAt, Language: p.Language.String(),
		Sender: append([]string{s.seller.Name}, s.seller.address()...), Website: s.seller.Website,
		Recipient: p.recipient(), Facts: p.facts(), Delivery: p.delivery(), Subject: p.correction(),
		Columns:  p.columns(),
		Subtotal: p.subtotal, Forward: p.Forward, Brought: p.Brought,
		Totals: p.totals(), Terms: p.translation.terms(s.seller, p.invoice, p.settlement), Account: p.account(), Code: s.code(p.invoice, p.settlement), CodeAlt: p.CodeAlt,
		Notes: p.exemptions(), BoxNote: p.Box,
		Footer: p.footer(), Page: p.page,
		Attachment: einvoice.Write(s.data(w)),
	}
	p.rows(c)
	return c
}

// recipient is the name and address of the buyer. It has neither e-mail nor note: an operator may
// edit both when the order is replayed after its invoice was issued.
func (p *pages) recipient() []string { return p.postal(p.order.Buyer()) }

// delivery names where the goods went, if that is not the address of the invoice.
func (p *pages) delivery() string {
	if p.order.BillTo == nil || p.subject.corrects != nil {
		return ""
	}
	lines := slices.DeleteFunc(p.postal(p.order.Customer, p.order.ShipTo), empty)
	return fill(p.DeliverTo, "address", strings.Join(lines, ", "))
}

// postal is the lines of a name and address, in the sequence of the post of the country. The country is
// in the language of the document, and left out at home.
func (p *pages) postal(c order.Customer, a order.Address) []string {
	country := ""
	if a.Country != p.seller.Country {
		country = p.Language.Country(a.Country)
	}
	return append(append([]string{c.Company, c.Name}, p.places.Lines(a)...), country)
}

// facts identify the document.
func (p *pages) facts() [][2]string {
	buyer, _ := p.order.Buyer()
	label := p.BuyerVAT
	if buyer.VATState() == "" {
		label = p.TaxNumber
	}
	placed := ""
	if !p.subject.placed.IsZero() {
		placed = p.Language.Date(p.subject.placed)
	}
	supply := p.Unplanned
	if !p.subject.supplied.IsZero() {
		supply = p.Language.Date(p.subject.supplied)
	}
	return [][2]string{
		{p.words.Number, p.invoice.Number},
		{p.words.Date, p.Language.Date(p.invoice.IssuedAt)},
		{p.Supply, supply},
		{p.Order, p.order.Number()},
		{p.OrderDate, placed},
		{p.BuyerRef, p.order.BuyerReference},
		{p.Purchase, p.order.PurchaseOrder},
		{label, buyer.VATNumber()},
	}
}

// correction names the invoice that a credit note corrects, and the reason.
func (p *pages) correction() []string {
	i := p.subject.corrects
	if i == nil {
		return nil
	}
	texts := []string{fill(p.Corrects, "number", i.Number, "date", p.Language.Date(i.IssuedAt))}
	if p.subject.reason != "" {
		texts = append(texts, fill(p.Reason, "reason", p.subject.reason))
	}
	return texts
}

func (p *pages) columns() [6]string {
	if p.amounts.Gross {
		return [6]string{p.Pos, p.Item, p.Quantity, p.UnitGross, p.VAT, p.words.Gross}
	}
	return [6]string{p.Pos, p.Item, p.Quantity, p.Price, p.VAT, p.words.Net}
}

func (p *pages) rows(c *document.Content) {
	rate := p.Percent(p.invoice.Taxes[0].Rate)
	for i, l := range p.order.Lines {
		name, sku := l.Name, l.SKU
		if name == "" {
			name, sku = sku, ""
		}
		quantity := strconv.Itoa(l.Quantity) + noBreak + p.Piece
		stated := p.amounts.Lines[i].Stated
		price := p.Decimal(unitPrice(p.order, i, stated, pageDecimals))
		c.AddRow([6]string{strconv.Itoa(i + 1), name, quantity, price, rate, p.Money(stated)}, sku)
	}
	if s := p.subject.shipping; s != nil {
		price := p.Money(p.amounts.Shipping.Stated)
		c.AddRow([6]string{"", p.Shipping + ", " + p.service(s.Service), "1", price, rate, price}, p.shippingNote(s))
	}
}

// noBreak is a space at which a line does not end.
const noBreak = "\u00a0"

// shippingNote names the carrier and the surcharges that the price includes.
func (p *pages) shippingNote(s *order.Shipping) string {
	var parts, surcharges []string
	for _, part := range []struct {
		name   string
		amount order.Money
	}{{p.Fuel, s.Fuel}, {p.Remote, s.Remote}, {p.Oversize, s.Oversize}} {
		if part.amount.Minor != 0 {
			surcharges = append(surcharges, part.name+" "+p.Money(p.amounts.State(part.amount)))
		}
	}
	if s.Carrier != "" {
		parts = append(parts, s.Carrier)
	}
	if len(surcharges) > 0 {
		parts = append(parts, fill(p.Includes, "list", strings.Join(surcharges, " + ")))
	}
	return strings.Join(parts, " · ")
}

// subtotal is the amount of the first rows, which are lines: shipping is the last row.
func (p *pages) subtotal(rows int) string {
	sum := order.EUR.Cents(0)
	for _, l := range p.amounts.Lines[:rows] {
		sum = sum.Plus(l.Stated)
	}
	return p.Money(sum)
}

func (p *pages) totals() [][2]string {
	var totals [][2]string
	if !p.amounts.Gross {
		totals = [][2]string{{p.NetTotal, p.Money(p.invoice.Net)}}
	}
	for _, t := range p.invoice.Taxes {
		totals = append(totals, [2]string{p.taxLabel(t, p.amounts.Gross), p.Money(t.Tax)})
	}
	totals = append(totals, [2]string{p.Total, p.Money(p.invoice.Total)})
	return append(totals, p.received(p.settlement)...)
}

// account is where to pay to, if anything is due.
func (p *pages) account() [][2]string {
	if p.seller.IBAN == "" || p.due.Minor <= 0 {
		return nil
	}
	return [][2]string{
		{p.Account, p.seller.Name},
		{"IBAN", p.seller.IBAN},
		{"BIC", p.seller.BIC},
		{p.Reference, p.invoice.Number},
	}
}

// exemptions are the reasons why no VAT is charged, in the language of the document and in that of
// the seller, whose tax office reads it too. They follow from the planned category, not from the
// country: the VAT table may have changed since.
func (p *pages) exemptions() (reasons []string) {
	for _, t := range p.invoice.Taxes {
		for _, in := range []*translation{p.translation, p.home} {
			if reason, _ := in.exemption(t.Category); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	return reasons
}

// footer is the seller's data at the foot of every page.
func (p *pages) footer() [3][]string {
	s := p.seller
	return [3][]string{
		append(append([]string{s.Name}, s.address()...), p.Language.Country(s.Country)),
		{s.Email, s.Website, s.Register, p.managers(s)},
		{labelled(p.SellerVAT, s.VATID), labelled(p.TaxNumber, s.TaxNumber), labelled("IBAN", s.IBAN), labelled("BIC", s.BIC)},
	}
}

func (p *pages) page(page, pages int) string {
	return fill(p.Page, "page", strconv.Itoa(page), "pages", strconv.Itoa(pages))
}

// labelled returns label and value, or nothing if there is no value.
func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + " " + value
}
