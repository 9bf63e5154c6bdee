package client

import (
	"strings"
	"time"
)

// NewOrder is an order to place. Its items need SKU and Quantity only; the API refuses their other
// fields.
type NewOrder struct {
	Customer Customer `json:"customer"`
	ShipTo   Address  `json:"ship_to"`
	BillTo   *BillTo  `json:"bill_to,omitempty"`
	Service  string   `json:"service"` // "standard" or "express"
	Items    []Item   `json:"items"`
	Note     string   `json:"note,omitempty"`
	Payment  *Payment `json:"payment,omitempty"` // what was paid, or the method "invoice" alone
	References
}

// References are the numbers that people gave an order. Each may be empty. All are printed on the
// invoice.
type References struct {
	Reference      string `json:"reference,omitempty"`       // the number of the shop
	BuyerReference string `json:"buyer_reference,omitempty"` // of the buyer, such as a department
	PurchaseOrder  string `json:"purchase_order,omitempty"`  // of the buyer
}

// BillTo is whom the invoice is addressed to, if not the customer at the address of the delivery. It
// has a name or a company.
type BillTo struct {
	Name    string `json:"name,omitempty"`
	Company string `json:"company,omitempty"`
	VATID   string `json:"vat_id,omitempty"` // as that of a Customer
	Address
}

// Order is the state of an order or of a refund, which is a separate order.
type Order struct {
	ID         string         `json:"id"`
	Status     string         `json:"status"`
	Rev        int64          `json:"rev"` // revision; increases by one with each change
	PlacedAt   time.Time      `json:"placed_at"`
	Customer   Customer       `json:"customer"`
	ShipTo     Address        `json:"ship_to"`
	BillTo     *BillTo        `json:"bill_to,omitempty"`
	Service    string         `json:"service"`
	Items      []Item         `json:"items"`
	Prices     string         `json:"prices,omitempty"` // gross: prices of items and shipping include VAT; empty: they are net
	Note       string         `json:"note,omitempty"`
	Payment    *Payment       `json:"payment,omitempty"`      // as placed with the order
	Payments   []Payment      `json:"payments,omitempty"`     // received so far
	Balance    *Balance       `json:"balance,omitempty"`      // only from Client.Order and Client.Pay; nil for a refund
	VATIDCheck *VATIDCheck    `json:"vat_id_check,omitempty"` // nil: VIES was not asked
	ItemsTotal Money          `json:"items_total"`            // see Prices; without shipping
	Shipping   *Shipping      `json:"shipping,omitempty"`     // from status working on, like Tax and Total; nil for a refund
	Tax        *Money         `json:"tax,omitempty"`          // for a refund from the beginning, like Total
	Total      *Money         `json:"total,omitempty"`        // gross
	Invoice    *Invoice       `json:"invoice,omitempty"`      // when it is issued; the credit note of a refund
	Timeline   []Change       `json:"timeline"`
	DeadLetter *DeadLetterRef `json:"dead_letter,omitempty"` // if the order is dead
	LinkToken  string         `json:"link_token,omitempty"`  // only from Place without a sign-in: gives access to the order
	Refund     *Refund        `json:"refund,omitempty"`      // if the order is a refund: its amounts are the refunded ones
	Refunds    []RefundRef    `json:"refunds,omitempty"`     // by number; only from Client.Order
	Replayed   bool           `json:"-"`                     // from Place and Refund: an earlier request with the same key placed it
	References
}

// NewRefund is what to refund of an order. Its items need SKU and Quantity only. The zero
// value refunds everything that is not refunded yet.
type NewRefund struct {
	Items    []Item `json:"items,omitempty"`
	Shipping bool   `json:"shipping,omitempty"`
	Reason   string `json:"reason,omitempty"` // printed on the credit note
}

// Refund has the additional fields of an order that is a refund. Shipping is the refunded part of
// the shipping price.
type Refund struct {
	Of       string  `json:"of"`      // ID of the refunded order
	Number   int     `json:"number"`  // 1 for the first refund of that order
	Invoice  Invoice `json:"invoice"` // that the credit note corrects
	Reason   string  `json:"reason,omitempty"`
	Shipping Money   `json:"shipping"`
	// PayBack is the part of the total that is to be paid back, PaidBack that which was paid back before the
	// refund; the rest was not paid, and reduces what is due.
	PayBack      Money  `json:"pay_back"`
	PaidBack     Money  `json:"paid_back"`
	ClaimReduced Money  `json:"claim_reduced"`
	Method       string `json:"method,omitempty"` // how the order was paid, if that was in one way only
}

// VATIDCheck is what VIES, the VAT information system of the European Commission, said about the buyer's
// VAT ID when the order was placed.
type VATIDCheck struct {
	ID        string    `json:"id"`
	Result    string    `json:"result"` // valid, or not-checked if VIES gave no answer
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id,omitempty"` // with which VIES proves the check
}

// The kinds of payments.
const (
	Received = "received"
	PaidBack = "paid-back" // to the customer
)

// Payment is money that was received for an order, or paid back. Its reference identifies it within the
// order. An empty Kind is Received. A zero PaidAt in a request is the present time.
type Payment struct {
	Kind      string    `json:"kind,omitempty"`
	Method    string    `json:"method"` // card, paypal, transfer, direct-debit, cash or other
	Reference string    `json:"reference,omitempty"`
	PaidAt    time.Time `json:"paid_at,omitzero"`
	Amount    Money     `json:"amount,omitzero"`
}

// Balance compares what an order costs with what was received for it. Due and ToReturn are nil while the
// total is not known.
type Balance struct {
	State    string `json:"state"` // unpaid, prepaid, part-paid, paid, overpaid, return-due or nothing-due
	Received Money  `json:"received"`
	PaidBack Money  `json:"paid_back"`
	Credited Money  `json:"credited"` // by refunds
	Due      *Money `json:"due,omitempty"`
	ToReturn *Money `json:"to_return,omitempty"`
}

// RefundRef names a refund of an order.
type RefundRef struct {
	ID      string   `json:"id"`
	Number  int      `json:"number"`
	Status  string   `json:"status"`
	Total   Money    `json:"total"`             // gross
	Invoice *Invoice `json:"invoice,omitempty"` // the credit note, when it is issued
}

// Customer is the recipient of the invoice and of mails.
type Customer struct {
	Name    string `json:"name"`
	Company string `json:"company,omitempty"`
	Email   string `json:"email"`
	VATID   string `json:"vat_id,omitempty"` // of a business in the European Union
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

// Item is a line of an order. Name, UnitPrice and Net are set in responses. With gross prices UnitPrice
// includes VAT, Gross is the price of the line, and Net is set when the invoice is planned.
type Item struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	Name      string `json:"name,omitempty"`
	UnitPrice *Money `json:"unit_price,omitempty"`
	Gross     *Money `json:"gross,omitempty"`
	Net       *Money `json:"net,omitempty"`
}

// Money is an amount such as "59.80" of a currency such as "EUR".
type Money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Shipping is the shipping of an order. Amounts are net, or include VAT if the order or quote has gross
// prices.
type Shipping struct {
	Service string `json:"service"`
	Zone    string `json:"zone"`
	Carrier string `json:"carrier,omitempty"`
	Price   Money  `json:"price"` // includes all surcharges
	Days    struct {
		Min int `json:"min"`
		Max int `json:"max"`
	} `json:"days"`
	Fuel     *Money   `json:"fuel,omitempty"`     // surcharge for fuel
	Remote   *Money   `json:"remote,omitempty"`   // surcharge for a remote address
	Oversize *Money   `json:"oversize,omitempty"` // surcharge for long parcels
	Parcels  []Parcel `json:"parcels,omitempty"`
	Card     string   `json:"card,omitempty"` // version of the rate card
}

// Parcel is the content of one parcel, or of Count identical ones. Its items have SKU and Quantity
// only.
type Parcel struct {
	Count         int    `json:"count"`
	Grams         int    `json:"weight_g"`
	BillableGrams int    `json:"billable_g"`
	SizeMM        [3]int `json:"size_mm"` // longest side first
	Items         []Item `json:"items"`
}

// Quote is the shipping of an order if it were placed now. Services has an entry for each available
// service, cheapest first; Service is the requested one.
type Quote struct {
	Prices     string     `json:"prices,omitempty"` // gross: all amounts include VAT; empty: they are net
	ItemsTotal Money      `json:"items_total"`      // without shipping
	Service    string     `json:"service"`
	Services   []Shipping `json:"services"`
}

// Invoice names an issued invoice. URL is relative to the base URL of the API.
type Invoice struct {
	Number string `json:"number"`
	URL    string `json:"url"`
}

// Change is an entry of the timeline of an order, also yielded by Watch.
type Change struct {
	Rev    int64     `json:"rev"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	Step   string    `json:"step,omitempty"`   // that failed or waits
	Reason string    `json:"reason,omitempty"` // why it failed or waits, or the result of a request that changed nothing
	Replay int       `json:"replay,omitempty"` // number of the replay that made the change
}

// DeadLetterRef names the dead letter of a dead order.
type DeadLetterRef struct {
	ID        string `json:"id"`
	Step      string `json:"step,omitempty"`
	Reason    string `json:"reason"`
	Discarded bool   `json:"discarded,omitempty"` // an operator has decided not to replay it
}

// Act is an entry of the audit trail.
type Act struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`      // when it began
	Actor   string    `json:"actor"`   // such as "operator:ann"; empty for somebody who has not signed in
	Act     string    `json:"act"`     // such as "refund"
	Target  string    `json:"target"`  // such as "order/ord_1"
	Outcome string    `json:"outcome"` // done, refused or unknown
	Reason  string    `json:"reason,omitempty"`
	Problem string    `json:"problem,omitempty"` // kind of the problem that a refused act was answered with
	Address string    `json:"address,omitempty"` // network of the client
	Count   int       `json:"count"`             // how many attempts the entry summarises, at least 1
}

// Product is a product of the catalogue. Price is net.
type Product struct {
	SKU         string `json:"sku"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Price       Money  `json:"price"`
	Grams       int    `json:"weight_g"`
	SizeMM      [3]int `json:"size_mm"` // length, width, height
}

// Problem is an error response of the API (RFC 9457). Methods of Client return it as an error.
type Problem struct {
	Type   string       `json:"type"` // stable; programs compare it
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
	Order  string       `json:"order,omitempty"` // ID of the order whose outcome is unknown, or whose dead letter was deleted
	// Version is the newest version of an edited order; only of /problems/edit-conflict.
	Version int `json:"version,omitempty"`
}

// FieldError is a fault of one field. Pointer is a JSON pointer (RFC 6901) into the request.
type FieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Error returns the detail, or the title if there is none, and a line for each field error.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimSpace(e.Pointer+" "+e.Detail) // the pointer to the whole body is empty
	}
	return text
}

// APIKey is an API key without its secret.
type APIKey struct {
	ID        string    `json:"id"`
	Principal string    `json:"principal"` // whom it signs in; owns the orders
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role"`
	State     string    `json:"state"` // "active", "expired" or "revoked"
	Created   time.Time `json:"created,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Revoked   time.Time `json:"revoked,omitzero"`
	LastUsed  time.Time `json:"last_used,omitzero"` // zero: not since the start of the API; only from Client.APIKeys
}

// OrderQuery selects orders. Zero values select all.
type OrderQuery struct {
	Kind     string // "refund" for refunds instead of orders
	Status   string
	Customer string // beginnings of words in names, companies or the e-mail address
	From, To time.Time
	Limit    int
	Cursor   string

	Reference string // the number of the shop, as a whole
}

// ActQuery selects acts. Zero values select all.
type ActQuery struct {
	Actor    string
	Act      string
	Target   string
	Outcome  string
	From, To time.Time
	Limit    int
	Cursor   string
}
