package client

import (
	"strings"
	"time"
)

// NewOrder is an order to place. Of its items SKU and Quantity count; prices come from the shop.
type NewOrder struct {
	Customer Customer `json:"customer"`
	ShipTo   Address  `json:"ship_to"`
	Service  string   `json:"service"` // "standard" or "express"
	Items    []Item   `json:"items"`
	Note     string   `json:"note,omitempty"`
}

// Order is an order as it stands; or a refund, which is an order of its own.
type Order struct {
	ID         string         `json:"id"`
	Status     string         `json:"status"`
	Rev        int64          `json:"rev"` // +1 a change
	PlacedAt   time.Time      `json:"placed_at"`
	Customer   Customer       `json:"customer"`
	ShipTo     Address        `json:"ship_to"`
	Service    string         `json:"service"`
	Items      []Item         `json:"items"`
	Note       string         `json:"note,omitempty"`
	ItemsTotal Money          `json:"items_total"`        // net, without shipping
	Shipping   *Shipping      `json:"shipping,omitempty"` // from status working on, like Tax and Total; never of a refund
	Tax        *Money         `json:"tax,omitempty"`      // of a refund at once, like Total
	Total      *Money         `json:"total,omitempty"`    // gross
	Invoice    *Invoice       `json:"invoice,omitempty"`  // once it is issued; the credit note of a refund
	Timeline   []Change       `json:"timeline"`
	DeadLetter *DeadLetterRef `json:"dead_letter,omitempty"` // of a dead order
	Refund     *Refund        `json:"refund,omitempty"`      // of a refund: its amounts are what is given back
	Refunds    []RefundRef    `json:"refunds,omitempty"`     // of an order that is asked for alone, by number
}

// NewRefund is what to refund of an order: of its items SKU and Quantity count. The zero value is all that is left.
type NewRefund struct {
	Items    []Item `json:"items,omitempty"`
	Shipping bool   `json:"shipping,omitempty"`
	Reason   string `json:"reason,omitempty"` // printed on the credit note
}

// Refund is what a refund has beside what every order has. Shipping is the net amount of it that is given back.
type Refund struct {
	Of       string  `json:"of"`      // ID of the order
	Number   int     `json:"number"`  // 1 for its first refund
	Invoice  Invoice `json:"invoice"` // that is corrected
	Reason   string  `json:"reason,omitempty"`
	Shipping Money   `json:"shipping"`
}

// RefundRef names a refund of an order.
type RefundRef struct {
	ID      string   `json:"id"`
	Number  int      `json:"number"`
	Status  string   `json:"status"`
	Total   Money    `json:"total"`             // gross
	Invoice *Invoice `json:"invoice,omitempty"` // its credit note, once that is issued
}

// Customer is who is mailed about an order.
type Customer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	VATID string `json:"vat_id,omitempty"` // of a business in the European Union
}

// Address is a postal address. Country is an ISO 3166-1 alpha-2 code in upper case.
type Address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country"`
}

// Item is a line of an order. Name, UnitPrice and Net are there once it is placed.
type Item struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	Name      string `json:"name,omitempty"`
	UnitPrice *Money `json:"unit_price,omitempty"`
	Net       *Money `json:"net,omitempty"`
}

// Money is an amount such as "59.80" of a currency such as "EUR".
type Money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Shipping is how an order is shipped, and for how much (net).
type Shipping struct {
	Service string `json:"service"`
	Zone    string `json:"zone"`
	Carrier string `json:"carrier,omitempty"` // of orders of an earlier version nobody knows it, nor what follows Days
	Price   Money  `json:"price"`             // with all surcharges
	Days    struct {
		Min int `json:"min"`
		Max int `json:"max"`
	} `json:"days"`
	Fuel     *Money   `json:"fuel,omitempty"`   // what part of Price is a percentage for fuel
	Remote   *Money   `json:"remote,omitempty"` // and for an address far from everything
	Oversize *Money   `json:"oversize,omitempty"`
	Parcels  []Parcel `json:"parcels,omitempty"`
	Card     string   `json:"card,omitempty"` // version of the rate card
}

// Parcel is how one parcel, or Count equal ones, is packed. Of its items SKU and Quantity are there.
type Parcel struct {
	Count         int    `json:"count"`
	Grams         int    `json:"weight_g"`
	BillableGrams int    `json:"billable_g"`
	SizeMM        [3]int `json:"size_mm"` // longest side first
	Items         []Item `json:"items"`
}

// Quote is how an order would be shipped if it were placed now. Services has one entry for each service that can be asked
// for, cheapest first; Service is the one that was.
type Quote struct {
	ItemsTotal Money      `json:"items_total"` // net, without shipping
	Service    string     `json:"service"`
	Services   []Shipping `json:"services"`
}

// Invoice names an issued invoice. URL is relative to that of the API.
type Invoice struct {
	Number string `json:"number"`
	URL    string `json:"url"`
}

// Change is one change of an order: an entry of its timeline, and what Watch yields.
type Change struct {
	Rev    int64     `json:"rev"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	Step   string    `json:"step,omitempty"`   // that failed or is waited for
	Reason string    `json:"reason,omitempty"` // why
	Replay int       `json:"replay,omitempty"` // number of the replay that made the change
}

// DeadLetterRef names the dead letter of a dead order.
type DeadLetterRef struct {
	ID     string `json:"id"`
	Step   string `json:"step,omitempty"`
	Reason string `json:"reason"`
}

// DeadLetter is what stands in the dead-letter topic for an order that failed.
type DeadLetter struct {
	ID          string    `json:"id"`
	State       string    `json:"state"`           // open, lost, replayed, closed
	Order       string    `json:"order,omitempty"` // its ID; none for a record that is no order
	Step        string    `json:"step,omitempty"`  // that failed
	Class       string    `json:"class"`
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	Attempts    int       `json:"attempts"`
	FirstFailed time.Time `json:"first_failed"`
	LastFailed  time.Time `json:"last_failed"`
	Worker      string    `json:"worker"`
	Replays     int       `json:"replays"`          // how often it was sent back
	Partition   int32     `json:"partition"`        // of its record in the dead-letter topic
	Offset      int64     `json:"offset"`           // there
	Record      *Record   `json:"record,omitempty"` // of a single dead letter only
}

// Record is the record that failed. Key and Value are text as it is, or base64 when they are not UTF-8.
type Record struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Encoding string `json:"encoding"` // "utf-8" or "base64"
}

// Product is one thing that can be ordered. Price is net.
type Product struct {
	SKU         string `json:"sku"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Price       Money  `json:"price"`
	Grams       int    `json:"weight_g"`
	SizeMM      [3]int `json:"size_mm"` // length, width, height
}

// Problem is an answer that says what is wrong, by RFC 9457. It is the error of every method that the API refuses.
type Problem struct {
	Type   string       `json:"type"` // stable: what programs go by
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
	Order  string       `json:"order,omitempty"` // the ID of an order whose result is unknown, or whose dead letter is gone
}

// FieldError is what is wrong with one field. Pointer is a JSON pointer (RFC 6901) into the request.
type FieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Error is the detail, or the title where there is none, and a line for each field.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimSpace(e.Pointer+" "+e.Detail) // of the whole the pointer is empty
	}
	return text
}

// OrderQuery says which orders to list. Zero values are left out.
type OrderQuery struct {
	Kind     string // "refund" for refunds instead of orders
	Status   string
	Customer string // part of a name or an e-mail address
	From, To time.Time
	Limit    int
	Cursor   string
}

// DeadLetterQuery says which dead letters to list. Zero values are left out.
type DeadLetterQuery struct {
	State  string
	Step   string
	Reason string
	Limit  int
	Cursor string
}
