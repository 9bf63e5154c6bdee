// Package order is the domain: an order as a customer placed it, the steps it goes through, and the progress it has made.
//
// It imports the standard library only, knows neither Kafka nor HTTP nor SMTP, and every other package speaks its words.
// Values are plain data: copying a struct is safe as long as nobody writes through its slices and pointers.
package order

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// ID identifies an order: "ord_" and 26 lower-case letters and digits, an HMAC or random. It is minted by the API and never parsed by anyone.
type ID string

// Order is an order as it was placed. It never changes afterwards.
type Order struct {
	ID       ID
	PlacedAt time.Time // UTC, milliseconds
	Customer Customer
	ShipTo   Address
	Service  string // Standard or Express
	Lines    []Line
	Note     string  // or empty; never printed on the invoice
	Refund   *Refund // or nil: nothing is refunded, it is ordered
	Cause    Cause   // who placed it; not part of Source
	// Source is the JSON that the order was read from, so that fields of a newer version survive; nil for an order made here.
	Source []byte
}

// Customer is who placed the order and is mailed about it.
type Customer struct {
	Name  string
	Email string
	VATID string // of a business in the European Union, such as DE123456789; or empty
}

// Address is a postal address. Line2, Region and PostalCode may be empty; Country is ISO 3166-1 alpha-2 in upper case.
type Address struct {
	Line1, Line2, City, Region, PostalCode, Country string
}

// The services a customer can ask for.
const (
	Standard = "standard"
	Express  = "express"
)

// Line is one row of an order. A client sends SKU and Quantity; the rest is taken from the catalogue when the order is
// placed, so that a later change of the catalogue changes nothing.
type Line struct {
	SKU       string
	Quantity  int
	Name      string
	UnitPrice Money  // net
	Grams     int    // of one unit, packed
	Size      [3]int // length, width and height in millimetres of one unit, packed
}

// Net is what the line costs without VAT.
func (l Line) Net() Money { return l.UnitPrice.Times(l.Quantity) }

// ItemsTotal is the net price of all lines, without shipping.
func (o Order) ItemsTotal() Money {
	total := Money{Currency: EUR}
	for _, l := range o.Lines {
		total = total.Plus(l.Net())
	}
	return total
}

// BodyHash is the SHA-256, in hex, of what the customer asked for: two placements with the same hash are the same
// order. ID, time and all that the catalogue adds are left out.
func (o Order) BodyHash() string {
	c, a := o.Customer, o.ShipTo
	fields := []string{c.Name, c.Email, a.Line1, a.Line2, a.City, a.Region, a.PostalCode, a.Country, o.Service, o.Note}
	for _, l := range o.Lines {
		fields = append(fields, l.SKU, strconv.Itoa(l.Quantity))
	}
	if c.VATID != "" {
		// Last and only if there is one, so that orders without one keep their hash. No line ends like this: it would be no quantity.
		fields = append(fields, c.VATID)
	}
	if r := o.Refund; r != nil {
		fields = append(fields, "refund", string(r.Of), strconv.Itoa(r.Number), r.Key, r.Reason, r.Shipping.String(), r.Tax.String(), r.Invoice.Number)
	}
	h := sha256.New()
	for _, f := range fields {
		// The length before each field keeps text from moving over to its neighbour.
		fmt.Fprintf(h, "%d:%s,", len(f), f)
	}
	return hex.EncodeToString(h.Sum(nil))
}
