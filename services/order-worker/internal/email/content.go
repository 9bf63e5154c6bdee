package email

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// content is the data of templates. Each text is one line: amounts have their currency and the
// format of the language, and text of the customer is cleaned by line. deploy/README.md lists the
// fields for operators who write templates.
type content struct {
	Language string // of the mail: en, de, …
	Seller   string
	Name     string // of the customer
	Order    string // number of the order, or of the refunded one: that of the shop, or the ID
	// Reference is the number of the shop, or empty.
	Reference string
	Invoice   string // number of the invoice or the credit note
	Corrects  string // for a refund: number of the invoice; else empty
	Reason    string // of the refund, or empty
	Link      string // URL of the order in the shop, with the token of a guest; or empty
	Gross     bool   // the prices of lines and shipping include VAT; else they are net
	Lines     []item // the first of them
	More      int    // how many more lines the invoice has
	Shipping  delivery
	Taxes     []tax
	Taxed     bool // VAT is charged
	Total     string
	Paid      []paid   // before the invoice; empty for a refund
	Due       string   // still to be paid, or empty; empty for a refund
	Overpaid  string   // to be paid back, or empty; empty for a refund
	PayBack   string   // to be paid back by a refund, or empty
	Returned  string   // the part of a refund that was paid back before; or empty
	Reduces   string   // the part of a refund that is not paid back, because it was not paid; or empty
	Address   []string // name and address of the delivery; for a refund, of the buyer
	Contact   string   // e-mail address for questions, or empty
	Phone     string   // for questions, or empty
	Imprint   []string // of the seller
	Notes     []string // what other steps tell the customer, in the words step-NAME

	results map[order.Step]any // JSON values by step, for Notes
}

type item struct {
	Quantity    int
	Name, Price string
}

// delivery has only service and price in a refund, and is empty if the refund has no shipping.
type delivery struct {
	Service, Carrier string
	Price            string // or the word free
	Days             string // working days until delivery: "2–4", "1", or empty
	MaxDays          int    // for the plural form after Days

	free bool
}

type tax struct {
	Rate, Net, Tax string
	Exempt         string // why no VAT is charged: export, intra-community, other; else empty
	Included       bool   // the prices include Tax; else it is added to them
}

// maxLines is how many lines of the order a mail shows. Gmail cuts a mail of more than 102 KB, and
// lines have names of up to 200 characters.
const maxLines = 40

// paid is a payment. Its amount is below zero, and its method a word of package order.
type paid struct {
	Method       string
	Back         bool // it was paid back
	Date, Amount string
}

// content returns the data of an order for the templates of a language.
func (s *Step) content(w *order.Work, l locale.Language) content {
	p, amounts := &w.Progress, w.Statement()
	c := content{
		Gross:    amounts.Gross,
		Language: l.String(), Seller: line(s.signature()), Name: line(w.Order.Customer.Name),
		Order: line(w.Order.Number()), Reference: line(w.Order.Reference), Invoice: p.Invoice.Number,
		Total: amount(l, p.Invoice.Total), Address: s.address(w.Order.Customer, w.Order.ShipTo, l),
		Contact: s.contact, Phone: s.phone, Imprint: s.imprint,
	}
	id := w.Order.ID
	if r := w.Order.Refund; r != nil {
		buyer, at := w.Order.Buyer()
		id, c.Corrects, c.Reason, c.Address = r.Of, line(r.Invoice.Number), line(r.Reason), s.address(buyer, at, l)
	}
	if shipping, _ := w.Shipping(); shipping != nil {
		c.Shipping = delivery{
			Service: line(shipping.Service), Carrier: line(shipping.Carrier), Price: amount(l, amounts.Shipping.Stated),
			Days: days(shipping), MaxDays: shipping.MaxDays, free: shipping.Price.Minor == 0,
		}
	}
	if s.shop != nil {
		link := s.shop.JoinPath("orders", line(string(id)))
		if token := w.Order.LinkToken; token != "" {
			link.RawQuery = url.Values{"token": {token}}.Encode()
		}
		c.Link = link.String()
	}
	shown := min(maxLines, len(w.Order.Lines))
	c.More = len(w.Order.Lines) - shown
	for i, ordered := range w.Order.Lines[:shown] {
		c.Lines = append(c.Lines, item{ordered.Quantity, line(ordered.Name), amount(l, amounts.Lines[i].Stated)})
	}
	for _, t := range p.Invoice.Taxes {
		c.Taxes = append(c.Taxes, tax{l.Percent(t.Rate), amount(l, t.Net), amount(l, t.Tax), exempt(t), amounts.Gross})
		c.Taxed = c.Taxed || t.Rate > 0
	}
	c.settle(w, l, s.zone)
	c.results = results(p)
	return c
}

// settle says what was paid and is to be paid, as the attached document does.
func (c *content) settle(w *order.Work, l locale.Language, zone *time.Location) {
	some := func(m order.Money) string {
		if m.Minor <= 0 {
			return ""
		}
		return amount(l, m)
	}
	if r := w.Order.Refund; r != nil {
		c.PayBack, c.Returned, c.Reduces = some(r.PayBack), some(r.Returned), some(w.Order.Reduces())
		return
	}
	payments, due := w.Settled(zone)
	for _, p := range payments {
		c.Paid = append(c.Paid, paid{p.Method, p.Back(), l.Date(p.PaidAt), amount(l, p.Amount.Times(-1))})
	}
	c.Due, c.Overpaid = some(due), some(due.Times(-1))
}

// results returns the results of steps that have no field of their own in the progress.
func results(p *order.Progress) map[order.Step]any {
	found := make(map[order.Step]any)
	for step, text := range p.Others {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // prints numbers as they are
		var result any
		if err := d.Decode(&result); err == nil {
			found[step] = result
		}
	}
	return found
}

// amount formats an amount as on the invoice, with its currency after a no-break space.
func amount(l locale.Language, m order.Money) string {
	return l.Money(m) + "\u00a0" + string(m.Currency)
}

func exempt(t order.Tax) string {
	switch {
	case t.Rate > 0:
		return ""
	case t.Category == order.VATExport:
		return "export"
	case t.Category == order.VATIntraCommunity:
		return "intra-community"
	default:
		return "other"
	}
}

// signature returns the name of the sender, or its address if there is no name.
func (s *Step) signature() string {
	if s.from.Name != "" {
		return s.from.Name
	}
	return s.from.Address
}

func days(s *order.Shipping) string {
	switch {
	case s.MaxDays == 0:
		return ""
	case s.MinDays == s.MaxDays:
		return strconv.Itoa(s.MaxDays)
	default:
		return fmt.Sprintf("%d–%d", s.MinDays, s.MaxDays)
	}
}

// address returns the lines of a name and address that are not empty.
// The country is left out at home.
func (s *Step) address(c order.Customer, a order.Address, l locale.Language) (lines []string) {
	all := append([]string{c.Company, c.Name}, s.places.Lines(a)...)
	if a.Country != s.home {
		all = append(all, l.Country(a.Country))
	}
	for _, text := range all {
		if text != "" {
			lines = append(lines, line(text))
		}
	}
	return lines
}

// longest is the maximum length of a text of an order, in runes.
const longest = 200

// line makes a text one line without control characters. Orders that an operator edited, or that
// another producer wrote, may hold characters that Validate forbids.
func line(text string) string {
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	if len(runes) > longest {
		runes = append(runes[:longest-1:longest-1], '…')
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			// Bidirectional embeddings and isolates would reorder the text after the name. Marks do
			// not, and stay.
			return -1
		}
		return r
	}, string(runes))
}
