// Package order is the domain: an order as a customer placed it, its lifecycle, the steps of its
// processing, and its progress.
//
// It imports the standard library only and knows neither Kafka nor HTTP nor SMTP. Values are plain
// data: a copy of a struct is safe to use as long as its slices and pointers are not written through.
package order

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// ID identifies an order: "ord_" and 26 lower-case letters and digits, an HMAC or random. The API
// creates it, and it is never parsed.
type ID string

// Order is an order as it was placed, or as an operator edited it. It never changes otherwise.
type Order struct {
	ID       ID
	PlacedAt time.Time // UTC, milliseconds
	Customer Customer
	ShipTo   Address
	BillTo   *BillTo // nil: the customer at ShipTo
	Service  string  // Standard or Express
	Lines    []Line
	// Gross says that the prices of lines and shipping include VAT; else they are net. See Statement.
	Gross bool
	Note  string // or empty; never printed on the invoice
	// Reference is the number that the shop gave the order, BuyerReference and PurchaseOrder are those
	// that the buyer asked for on the invoice. Each may be empty, and none needs to be unique.
	Reference, BuyerReference, PurchaseOrder string
	// Payment is what was paid when the order was placed, or how it is to be paid; nil: nothing is said.
	Payment *Payment
	// VATCheck is what VIES said about the buyer's VAT ID when the order was placed; nil: it was not asked.
	VATCheck *VATCheck
	Refund   *Refund // nil for an order, set for a refund
	Cause    Cause   // who placed it; not part of Source
	// Owner is whose order it is: who placed it or, for a refund, whose order is refunded. It is zero for
	// the order of a guest, and for one of another program that names no owner.
	Owner Actor
	// LinkToken gives a guest access to the order: LinkTokenLength lower-case letters and digits that
	// cannot be guessed. It is empty for an order with an owner.
	LinkToken string
	// Source is the JSON that the order was read from, so that fields of a newer version survive; nil
	// for an order of this process.
	Source []byte
}

// LinkTokenLength is the length of a link token, in bytes: 128 bits in base32.
const LinkTokenLength = 26

// Customer places the order and receives the mail.
type Customer struct {
	Name    string
	Company string // or empty
	Email   string
	VATID   string // of a business in the European Union, such as DE123456789; or empty
}

// Address is a postal address. Line2, Region and PostalCode may be empty. Country is ISO 3166-1
// alpha-2 in upper case.
type Address struct {
	Line1, Line2, City, Region, PostalCode, Country string
}

// The shipping services.
const (
	Standard = "standard"
	Express  = "express"
)

// Line is one row of an order. A client sends SKU and Quantity. The other fields are copied from the
// catalogue when the order is placed, so that a later change of the catalogue has no effect.
type Line struct {
	SKU       string
	Quantity  int
	Name      string
	UnitPrice Money  // net, or with VAT if the order is Gross
	Grams     int    // of one unit, packed
	Size      [3]int // length, width and height in millimetres of one unit, packed
}

// Price is the price of the line: net, or with VAT if the order is Gross.
func (l Line) Price() Money { return l.UnitPrice.Times(l.Quantity) }

// ItemsTotal is the price of all lines, without shipping: net, or with VAT if the order is Gross.
func (o Order) ItemsTotal() Money {
	total := Money{Currency: EUR}
	for _, l := range o.Lines {
		total = total.Plus(l.Price())
	}
	return total
}

// BodyHash is the SHA-256, in hex, of the customer's request: two requests with the same hash ask for
// the same order. It leaves out ID, time, owner and the data of the catalogue.
func (o Order) BodyHash() string {
	c, a := o.Customer, o.ShipTo
	fields := []string{c.Name, c.Email, a.Line1, a.Line2, a.City, a.Region, a.PostalCode, a.Country, o.Service, o.Note}
	for _, l := range o.Lines {
		fields = append(fields, l.SKU, strconv.Itoa(l.Quantity))
	}
	if c.VATID != "" {
		// A line cannot end like this: it would not be a quantity.
		fields = append(fields, c.VATID)
	}
	if p := o.Payment; p != nil { // without the time: the reference identifies the payment
		fields = append(fields, "payment", p.Method, p.Reference, p.Amount.String())
	}
	fields = append(fields, o.billingFields()...)
	if r := o.Refund; r != nil {
		fields = append(fields, "refund", string(r.Of), strconv.Itoa(r.Number), r.Key, r.Reason, r.Shipping.String(), r.Tax.String(), r.Invoice.Number)
	}
	text := make([]byte, 0, 512) // more than most orders need
	for _, f := range fields {
		// The length before each field separates it from its neighbours.
		text = append(strconv.AppendInt(text, int64(len(f)), 10), ':')
		text = append(append(text, f...), ',')
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
