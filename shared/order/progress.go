package order

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Step names one piece of work on an order.
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
	// Document is the issued invoice (PDF) while the order is in flight; nil until a step renders it or
	// it is loaded. It is stored in orders.invoices and never in orders.status.
	Document []byte
}

// Progress is what the steps of an order have settled and done so far. It travels with the order through every topic,
// so that work resumes at the step that failed. The zero value is an order that nobody has begun.
type Progress struct {
	Finished []Step // in the order in which they finished
	Shipping *Shipping
	Invoice  *Invoice
	Email    *Email
	// Others holds what a newer version wrote: by step, its whole result when this package does not know the step, else
	// the fields that it does not know; or nil.
	Others map[Step]json.RawMessage
}

// Has reports whether a step is finished.
func (p *Progress) Has(s Step) bool { return slices.Contains(p.Finished, s) }

// Finish marks a step as finished. Finishing a step twice is harmless.
func (p *Progress) Finish(s Step) {
	if !p.Has(s) {
		// Clip, so that the copy of a Progress keeps its own list.
		p.Finished = append(slices.Clip(p.Finished), s)
	}
}

// Shipping is what the shipping step settled.
type Shipping struct {
	Zone          string
	Service       string
	Price         Money // net, with all surcharges
	BillableGrams int   // of all parcels: the larger of weight and volumetric weight, rounded up by the card
	MinDays       int   // working days until delivery
	MaxDays       int
	Card          string // version of the rate card that priced it
	// What orders do not have that an earlier version settled.
	Carrier string
	Parcels []Parcel
	// Parts of Price beside what is asked for weight and size; zero is none.
	Fuel     Money // a percentage of the parcels' prices
	Remote   Money // for an address that is far from everything
	Oversize Money // for long parcels
}

// Parcel is how one parcel, or several that are equal, is packed.
type Parcel struct {
	Count         int
	Grams         int       // of one, without its carton
	BillableGrams int       // of one
	Size          [3]int    // longest side first, in millimetres
	Content       []Content // of one
}

// Content is how many units of a line are in a parcel.
type Content struct {
	Line     int // its place in Order.Lines
	Quantity int
}

// Invoice is what the invoice step settled: all that rendering depends on beside the order and its shipping. Of a refund it
// is the credit note.
type Invoice struct {
	Number   string
	IssuedAt time.Time // UTC, seconds
	VATTable string    // version of the VAT table
	Language string    // of labels, dates and numbers, by ISO 639: "de"; empty is English, as old versions wrote it
	Taxes    []Tax     // by rate, highest first
	Net      Money     // lines and shipping
	Tax      Money     // sum of Taxes
	Total    Money     // Net + Tax
	// Announced is an offset of orders.invoices: the issued document stands at or above it, if it does.
	Announced int64
	Kept      *Kept // where the issued document stands in orders.invoices; nil until it does
}

// Tax is the VAT of one rate.
type Tax struct {
	Category string // why the rate applies: VATStandard and so on; or empty, as old versions wrote it
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

// Kept points at an issued invoice in orders.invoices, in the partition of its order.
type Kept struct {
	Offset int64
	SHA256 string // of the document, in hex
	Bytes  int
}

// Email is what the email step settled and did.
type Email struct {
	MessageID string    // without angle brackets; the same on every attempt
	Date      time.Time // UTC, seconds; the same on every attempt
	Uncertain int       // how often nobody could know whether it had gone out: each may be one mail too many
}

// Origin is where an order stands in the topic orders. It names the order's dead letter and its
// invoice for ever.
type Origin struct {
	Incarnation string // six characters of the topic's ID: a topic made anew has another
	Partition   int32
	Offset      int64
}

// String is the origin as a dead letter ID: "3-124".
func (o Origin) String() string { return fmt.Sprintf("%d-%d", o.Partition, o.Offset) }

// InvoiceNumber is the number of the order's invoice: unique and the same on every attempt without a lock or a counter, because no two records share an offset. It is not gapless.
func (o Origin) InvoiceNumber() string { return o.number("INV") }

// CreditNoteNumber is the number of a refund's credit note, as unique as that of an invoice.
func (o Origin) CreditNoteNumber() string { return o.number("CRN") }

func (o Origin) number(series string) string {
	return fmt.Sprintf("%s-%s-%02d-%07d", series, o.Incarnation, o.Partition, o.Offset)
}
