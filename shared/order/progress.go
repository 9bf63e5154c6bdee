package order

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Step names a step of the processing of an order.
type Step string

// The steps.
const (
	StepShipping Step = "shipping"
	StepInvoice  Step = "invoice"
	StepEmail    Step = "email"
)

// Steps returns every step, in the order in which workers do them. Other lists of steps are derived
// from it, or a test compares them with it.
func Steps() []Step { return []Step{StepShipping, StepInvoice, StepEmail} }

// Work is the part of an order's state that steps see: the order as it was placed, and how far it is.
type Work struct {
	Order    Order
	Origin   Origin
	Progress Progress
	Payments []Payment // received so far, in the order in which they were recorded; never shortened
	// Document is the issued invoice (PDF) while the order is in flight; nil until a step renders it or
	// it is loaded. It is stored in orders.invoices and never in orders.status.
	Document []byte
}

// Progress is the results of an order's steps so far. Every record that carries an order holds it, so
// that processing resumes at the step that failed. The zero value is an order that is not begun.
type Progress struct {
	Finished []Step // in the order in which they finished
	Shipping *Shipping
	Invoice  *Invoice
	Email    *Email
	// Others holds JSON by step: the result of a step without a field here, or the fields of a result
	// that this version does not know; or nil.
	Others map[Step]json.RawMessage
}

// Issued reports whether the invoice is stored: from then on it is the invoice, and never made again.
func (p *Progress) Issued() bool { return p.Invoice != nil && p.Invoice.Kept != nil }

// Has reports whether a step is finished.
func (p *Progress) Has(s Step) bool { return slices.Contains(p.Finished, s) }

// Finish adds a step to the finished ones, unless it is there already.
func (p *Progress) Finish(s Step) {
	if !p.Has(s) {
		// Clip, so that the copy of a Progress keeps its own list.
		p.Finished = append(slices.Clip(p.Finished), s)
	}
}

// Shipping is the result of the shipping step.
type Shipping struct {
	Zone          string
	Service       string
	Price         Money // with all surcharges; net, or with VAT if the order is Gross
	BillableGrams int   // of all parcels: the larger of weight and volumetric weight, rounded up by the card
	MinDays       int   // working days until delivery
	MaxDays       int
	Card          string // version of the rate card that priced it
	Carrier       string
	Parcels       []Parcel
	// Surcharges, included in Price; zero is none.
	Fuel     Money // a percentage of the parcels' prices
	Remote   Money // for a remote address
	Oversize Money // for long parcels
}

// Parcel is the packing of one parcel, or of several equal ones.
type Parcel struct {
	Count         int
	Grams         int       // of one, without its carton
	BillableGrams int       // of one
	Size          [3]int    // longest side first, in millimetres
	Content       []Content // of one
}

// Content is a number of units of a line in a parcel.
type Content struct {
	Line     int // index in Order.Lines
	Quantity int
}

// Invoice is the result of the invoice step: everything that the document depends on, apart from the
// order and its shipping. For a refund it is the credit note.
type Invoice struct {
	Number   string
	IssuedAt time.Time // seconds, in the time zone of the seller: its day is that of the document
	Dispatch time.Time // the day when the goods are dispatched, as planned then, in that zone too; zero: none was planned
	VATTable string    // version of the VAT table
	Language string    // of labels, dates and numbers, by ISO 639: "de"; empty is English
	Taxes    []Tax     // by rate, highest first
	Net      Money     // lines and shipping
	Tax      Money     // sum of Taxes
	Total    Money     // Net + Tax
	Payments int       // how many of the order's payments the document states: the first ones
	// Included is the rate of the VAT in the prices of a Gross order, in hundredths of a percent: the rate
	// that is charged or, if none is, that of the seller's home. It is 0 for net prices.
	Included int
	// Announced is the lowest offset of orders.invoices at which the issued document can be.
	Announced int64
	Kept      *Kept // the issued document; nil before it is stored
}

// Tax is the VAT of one rate.
type Tax struct {
	Category string // why the rate applies, such as VATStandard; or empty
	Rate     int    // hundredths of a percent: 1900 is 19 %
	Net      Money
	Tax      Money
}

// The categories of VAT that a shop of goods needs, by their codes in EN 16931 (UNTDID 5305).
const (
	VATStandard       = "S"
	VATIntraCommunity = "K" // goods sent to a business in another member state
	VATExport         = "G" // goods sent out of the European Union
)

// Kept points to an issued invoice in orders.invoices, in the partition of its order.
type Kept struct {
	Offset int64
	SHA256 string // of the document, in hex
	Bytes  int
}

// Email is the result of the email step.
type Email struct {
	MessageID string    // without angle brackets; the same on every attempt
	Date      time.Time // UTC, seconds; the same on every attempt
	Uncertain int       // attempts whose outcome is unknown: each may be an additional mail
}

// Origin is the position of an order's record in the topic orders. It identifies the order's dead
// letter and its invoice.
type Origin struct {
	Incarnation string // six characters of the topic's ID: another if the topic is created again
	Partition   int32
	Offset      int64
}

// String is the origin as a dead letter ID: "3-124".
func (o Origin) String() string { return fmt.Sprintf("%d-%d", o.Partition, o.Offset) }

// InvoiceNumber is the number of the order's invoice. It is unique, and the same on every attempt,
// without a lock or a counter: no two records have the same offset. The numbers have gaps.
func (o Origin) InvoiceNumber() string { return o.number("INV") }

// CreditNoteNumber is the number of a refund's credit note. It is unique, as InvoiceNumber is.
func (o Origin) CreditNoteNumber() string { return o.number("CRN") }

func (o Origin) number(series string) string {
	return fmt.Sprintf("%s-%s-%02d-%07d", series, o.Incarnation, o.Partition, o.Offset)
}
