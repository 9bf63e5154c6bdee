// Package mask hides personal data from principals that may see an order, but not who placed it.
//
// Hidden are names, companies, e-mail addresses, streets, postal codes, notes, VAT IDs, the references
// of the buyer and of payments, and the reasons of refunds. Initials, city, region and country stay: they help to find the
// cause of a failure. The shop's own number of the order stays, like its ID.
package mask

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Hidden is what a hidden text is replaced with.
const Hidden = "••"

// Order returns an order without personal data, owner and link token. It does not change its
// argument.
func Order(o order.Order) order.Order {
	o.Customer = order.Customer{
		Name: initials(o.Customer.Name), Company: initials(o.Customer.Company), Email: email(o.Customer.Email), VATID: Text(o.Customer.VATID),
	}
	o.ShipTo = address(o.ShipTo)
	if b := o.BillTo; b != nil {
		o.BillTo = &order.BillTo{Name: initials(b.Name), Company: initials(b.Company), VATID: Text(b.VATID), Address: address(b.Address)}
	}
	o.BuyerReference, o.PurchaseOrder = Text(o.BuyerReference), Text(o.PurchaseOrder)
	o.Note, o.Owner, o.LinkToken, o.Source = Text(o.Note), order.Actor{}, "", nil
	if o.Refund != nil {
		refund := *o.Refund
		refund.Reason = Text(refund.Reason)
		o.Refund = &refund
	}
	if c := o.VATCheck; c != nil {
		o.VATCheck = &order.VATCheck{ID: Text(c.ID), Result: c.Result, At: c.At, RequestID: Text(c.RequestID)}
	}
	if o.Payment != nil {
		o.Payment = new(Payment(*o.Payment))
	}
	return o
}

// Payment returns a payment without its reference, which can name who paid.
func Payment(p order.Payment) order.Payment {
	p.Reference = Text(p.Reference)
	return p
}

func address(a order.Address) order.Address {
	a.Line1, a.Line2, a.PostalCode = Text(a.Line1), Text(a.Line2), Text(a.PostalCode)
	return a
}

// Record returns key and value of a record of the topic orders, with the order masked. Fields that
// this version does not know are left out. All of a record that is no order is hidden: it can have
// personal data anywhere.
func Record(key, value []byte) (maskedKey, maskedValue []byte) {
	o, err := wire.ReadOrder(&kgo.Record{Key: key, Value: value})
	if err != nil {
		return []byte(Text(string(key))), []byte(Text(string(value)))
	}
	return key, wire.Order(Order(o)).Value
}

var linkToken = regexp.MustCompile(`("link_token"\s*:\s*)"[^"]*"`)

// LinkToken returns the value of a record with the link token of the order hidden: it gives access to
// the order without a sign-in.
func LinkToken(value []byte) []byte {
	return linkToken.ReplaceAll(value, []byte(`$1"`+Hidden+`"`))
}

// Text hides a whole text. An empty one stays empty.
func Text(text string) string {
	if text == "" {
		return ""
	}
	return Hidden
}

// initials keeps the first letter of each word.
func initials(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		words[i] = initial(w)
	}
	return strings.Join(words, " ")
}

// email keeps the first letter of the mailbox.
func email(address string) string {
	if address == "" {
		return ""
	}
	return initial(address) + "@" + Hidden
}

func initial(word string) string {
	first, _ := utf8.DecodeRuneInString(word)
	return string(first) + Hidden
}

// public are the JSON pointers of a new order that Order does not hide.
var public = []string{
	"/service", "/items", "/reference", "/ship_to/city", "/ship_to/region", "/ship_to/country",
	"/bill_to/city", "/bill_to/region", "/bill_to/country",
}

// Public reports whether the value at a JSON pointer into a new order is no personal data.
func Public(pointer string) bool {
	return slices.ContainsFunc(public, func(p string) bool { return pointer == p || strings.HasPrefix(pointer, p+"/") })
}
