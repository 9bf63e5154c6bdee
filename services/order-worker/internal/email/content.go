package email

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// content is what templates can say. All of it is text of one line that is ready to print: amounts with their currency,
// in the buyer's language, and the customer's words without what could disturb a line. deploy/README.md lists the fields,
// because shops write templates of their own.
type content struct {
	Language string // of the mail: en, de, …
	Seller   string
	Name     string // of the customer
	Order    string // its ID; of a refund, that of the order that is refunded
	Invoice  string // its number, or that of the credit note
	Corrects string // of a refund: the number of the invoice; else empty
	Reason   string // of a refund, or empty
	Link     string // to the order in the shop, or empty
	Lines    []item
	Shipping delivery
	Taxes    []tax
	Total    string
	Address  []string // what follows the name
}

type item struct {
	Quantity  int
	Name, Net string
}

// delivery is empty but for price and service where an older version settled no more, and in a refund; all of it is where a
// refund gives nothing of it back.
type delivery struct {
	Service, Carrier, Price string
	Days                    string // working days until delivery: "2–4", "1", or empty
	MaxDays                 int    // for the word that goes with Days
}

type tax struct{ Rate, Net, Tax string }

// content tells an order in one language.
func (s *Step) content(w *order.State, l locale.Language) content {
	p := &w.Progress
	c := content{
		Language: l.String(), Seller: line(s.signature()), Name: line(w.Order.Customer.Name),
		Order: line(string(w.Order.ID)), Invoice: p.Invoice.Number,
		Total: amount(l, p.Invoice.Total), Address: address(w.Order.ShipTo, l),
	}
	if r := w.Order.Refund; r != nil {
		c.Order, c.Corrects, c.Reason = line(string(r.Of)), line(r.Invoice.Number), line(r.Reason)
	}
	if shipping, _ := w.Shipping(); shipping != nil {
		c.Shipping = delivery{
			Service: line(shipping.Service), Carrier: line(shipping.Carrier), Price: amount(l, shipping.Price),
			Days: days(shipping), MaxDays: shipping.MaxDays,
		}
	}
	if s.shop != nil {
		c.Link = s.shop.JoinPath("orders", c.Order).String()
	}
	for _, ordered := range w.Order.Lines {
		c.Lines = append(c.Lines, item{ordered.Quantity, line(ordered.Name), amount(l, ordered.Net())})
	}
	for _, t := range p.Invoice.Taxes {
		c.Taxes = append(c.Taxes, tax{l.Percent(t.Rate), amount(l, t.Net), amount(l, t.Tax)})
	}
	return c
}

// amount is as the invoice has it, and its currency. It never breaks over lines.
func amount(l locale.Language, m order.Money) string {
	return l.Money(m) + "\u00a0" + string(m.Currency)
}

// signature is the seller's name, or the address where there is none.
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

// address leaves out what an address does not have.
func address(a order.Address, l locale.Language) (lines []string) {
	for _, text := range []string{a.Line1, a.Line2, strings.TrimSpace(a.PostalCode + " " + a.City), a.Region, l.Country(a.Country)} {
		if text != "" {
			lines = append(lines, line(text))
		}
	}
	return lines
}

// longest is as long as the text of an order may be, in runes.
const longest = 200

// line makes one line of a text, on which nothing pretends to stand elsewhere: orders that were edited or came around the
// API may hold what Validate forbids.
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
			// They turn the order of what follows them, beyond the end of the name. Marks, which do not, stay.
			return -1
		}
		return r
	}, string(runes))
}
