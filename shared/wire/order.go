package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

// Order is the record that places an order or a refund, keyed by its ID.
func Order(o order.Order) *kgo.Record {
	e := Envelope{Type: typePlaced, ID: string(o.ID), Time: o.PlacedAt, Cause: o.Cause, content: jsonType, schema: schemaOf(o)}
	if o.Refund != nil {
		e.Type = TypeRefund
	}
	return e.Record([]byte(o.ID), orderJSON(o), nil)
}

// CheckOrder returns why ReadOrder would refuse the record that Order made of an order, or nil. It does not decode the
// record: what ReadOrder does not refuse it reads as it was written.
func CheckOrder(o order.Order, r *kgo.Record) error {
	if err := checkSize(r); err != nil {
		return err
	}
	if _, err := valueOf(o).order(); err != nil {
		return err
	}
	return validate(o)
}

// ReadOrder reads a record of the topic orders. It alone decides what is an order, for all readers of
// that topic: a record that is none is ErrUndecodable, and becomes a dead letter. The order's Source
// is the record's value without its insignificant space, and its Cause is read from the headers.
func ReadOrder(r *kgo.Record) (order.Order, error) {
	if err := checkSize(r); err != nil {
		return order.Order{}, err
	}
	o, err := parseOrder(r.Value)
	if err != nil {
		return order.Order{}, err
	}
	if string(r.Key) != string(o.ID) {
		return order.Order{}, fmt.Errorf("%w: key %.40q is not the order's ID", ErrUndecodable, r.Key)
	}
	o.Cause = causeOf(r.Headers)
	if err := validate(o); err != nil {
		return order.Order{}, err
	}
	return o, nil
}

// checkSize is for records of the topic orders. Kafka limits the compressed size of a record: a larger value would not
// fit into the topics of the workers.
func checkSize(r *kgo.Record) error {
	if n := len(r.Value); n > topic.MaxOrder {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrUndecodable, n, topic.MaxOrder)
	}
	return nil
}

func validate(o order.Order) error {
	if wrong := o.Validate(); len(wrong) > 0 {
		return &InvalidError{wrong}
	}
	return nil
}

// InvalidError is an order with values that are not allowed. It is ErrUndecodable.
type InvalidError struct{ Faults []order.Invalid } // at least one

// Error names the first fault.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s: %s %s", ErrUndecodable, e.Faults[0].Pointer, e.Faults[0].Detail)
}

// Unwrap is called by package errors.
func (e *InvalidError) Unwrap() error { return ErrUndecodable }

type orderValue struct {
	Schema   int       `json:"schema"`
	ID       order.ID  `json:"id"`
	PlacedAt time.Time `json:"placed_at"`
	Customer customer  `json:"customer"`
	ShipTo   address   `json:"ship_to"`
	BillTo   *billTo   `json:"bill_to,omitempty"`
	Service  string    `json:"service"`
	Items    []line    `json:"items"`
	Prices   string    `json:"prices,omitempty"` // net or gross; empty: net
	Note     string    `json:"note,omitempty"`
	Owner    string    `json:"owner,omitempty"`
	Token    string    `json:"link_token,omitempty"`
	references
	Payment  *paymentValue `json:"payment,omitempty"`
	VATCheck *vatCheck     `json:"vat_id_check,omitempty"`
	Refund   *refund       `json:"refund,omitempty"`
}

func (v *orderValue) version() int { return v.Schema }

// references are the numbers that people gave an order.
type references struct {
	Reference      string `json:"reference,omitempty"`
	BuyerReference string `json:"buyer_reference,omitempty"`
	PurchaseOrder  string `json:"purchase_order,omitempty"`
}

type refund struct {
	Of       order.ID      `json:"of"`
	Number   int           `json:"number"`
	Key      string        `json:"key"`
	Reason   string        `json:"reason,omitempty"`
	Shipping money         `json:"shipping"`
	Tax      money         `json:"tax"`
	Net      money         `json:"net,omitzero"`
	Invoice  *invoiceValue `json:"invoice"`
	PayBack  money         `json:"pay_back,omitzero"`
	Method   string        `json:"method,omitempty"`
	Returned money         `json:"paid_back,omitzero"`
	At       time.Time     `json:"paid_back_at,omitzero"`
}

type customer struct {
	Name    string `json:"name"`
	Company string `json:"company,omitempty"`
	Email   string `json:"email"`
	VATID   string `json:"vat_id,omitempty"`
}

type billTo struct {
	Name    string `json:"name,omitempty"`
	Company string `json:"company,omitempty"`
	VATID   string `json:"vat_id,omitempty"`
	address
}

type vatCheck struct {
	ID        string    `json:"id"`
	Result    string    `json:"result"`
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id,omitempty"`
}

type address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country"`
}

type line struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	Name      string `json:"name"`
	UnitPrice money  `json:"unit_price"`
	Grams     int    `json:"weight_g"`
	SizeMM    [3]int `json:"size_mm"`
}

// money is an amount on the wire: {"amount": "59.80", "currency": "EUR"}.
type money order.Money

type moneyValue struct {
	Amount   string         `json:"amount"`
	Currency order.Currency `json:"currency"`
}

// MarshalJSON writes the amount as a decimal string. Neither it nor a currency needs escapes.
func (m money) MarshalJSON() ([]byte, error) {
	return []byte(beforeAmount + order.Money(m).String() + beforeCurrency + string(m.Currency) + afterCurrency), nil
}

// What MarshalJSON writes around an amount and its currency.
const (
	beforeAmount   = `{"amount":"`
	beforeCurrency = `","currency":"`
	afterCurrency  = `"}`
)

// UnmarshalJSON refuses any amount that is not in euros, except zero without a currency.
func (m *money) UnmarshalJSON(data []byte) error {
	text, amountFirst := strings.CutPrefix(string(data), beforeAmount)
	text, inEuros := strings.CutSuffix(text, beforeCurrency+string(order.EUR)+afterCurrency)
	// An amount that can be parsed has digits alone: nothing else is in the JSON.
	if amount, err := order.EUR.Parse(text); amountFirst && inEuros && err == nil {
		*m = money(amount)
		return nil
	}
	var v moneyValue
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	if v.Currency != order.EUR && v != (moneyValue{Amount: order.Money{}.String()}) {
		return fmt.Errorf("currency %.8q", v.Currency)
	}
	amount, err := v.Currency.Parse(v.Amount)
	*m = money(amount)
	return err
}

// orderJSON encodes an order. One that was decoded keeps its bytes, and with them the fields that this version does not know.
func orderJSON(o order.Order) []byte {
	if o.Source != nil {
		return o.Source
	}
	return mustJSON(valueOf(o))
}

func valueOf(o order.Order) *orderValue {
	v := &orderValue{
		Schema: schemaOf(o), ID: o.ID, PlacedAt: o.PlacedAt, Service: o.Service, Note: o.Note,
		Customer: customer(o.Customer), ShipTo: address(o.ShipTo),
		Owner: o.Owner.String(), Token: o.LinkToken, Payment: fromPayment(o.Payment),
		references: references{o.Reference, o.BuyerReference, o.PurchaseOrder},
	}
	if o.Gross {
		v.Prices = order.Prices(true)
	}
	if b := o.BillTo; b != nil {
		v.BillTo = &billTo{b.Name, b.Company, b.VATID, address(b.Address)}
	}
	if c := o.VATCheck; c != nil {
		v.VATCheck = new(vatCheck(*c))
	}
	for _, l := range o.Lines {
		v.Items = append(v.Items, line{l.SKU, l.Quantity, l.Name, money(l.UnitPrice), l.Grams, l.Size})
	}
	if r := o.Refund; r != nil {
		v.Refund = &refund{
			r.Of, r.Number, r.Key, r.Reason, money(r.Shipping), money(r.Tax), money(r.Net), fromInvoice(&r.Invoice), money(r.PayBack), r.Method,
			money(r.Returned), r.ReturnedAt,
		}
	}
	return v
}

func parseOrder(data []byte) (order.Order, error) {
	var v orderValue
	if err := decode(data, &v); err != nil {
		return order.Order{}, err
	}
	if err := foreign(data); err != nil {
		return order.Order{}, err
	}
	o, err := v.order()
	if err != nil {
		return order.Order{}, err
	}
	o.Source = compact(data)
	return o, nil
}

// order converts a value. Its error is ErrUndecodable.
func (v *orderValue) order() (order.Order, error) {
	if !v.identified() {
		return order.Order{}, fmt.Errorf("%w: id %.40q", ErrUndecodable, v.ID)
	}
	gross, ok := order.ParsePrices(v.Prices)
	if !ok || gross && v.Schema < inclVAT { // a worker of that version would add VAT
		return order.Order{}, fmt.Errorf("%w: prices %.40q with schema %d", ErrUndecodable, v.Prices, v.Schema)
	}
	o := order.Order{
		ID: v.ID, PlacedAt: v.PlacedAt.UTC(), Service: v.Service, Note: v.Note,
		Customer: order.Customer(v.Customer), ShipTo: order.Address(v.ShipTo),
		Owner: parseActor(v.Owner), LinkToken: linkToken(v.Token),
		Payment: v.Payment.payment(), Gross: gross,
		Reference: v.Reference, BuyerReference: v.BuyerReference, PurchaseOrder: v.PurchaseOrder,
	}
	if b := v.BillTo; b != nil {
		o.BillTo = &order.BillTo{Name: b.Name, Company: b.Company, VATID: b.VATID, Address: order.Address(b.address)}
	}
	if c := v.VATCheck; c != nil {
		o.VATCheck = &order.VATCheck{ID: c.ID, Result: c.Result, At: c.At.UTC(), RequestID: c.RequestID}
	}
	// In UTC, a time at the edge of the years that JSON can hold may lie beyond it.
	if year := o.PlacedAt.Year(); year < 0 || year > 9999 {
		return order.Order{}, fmt.Errorf("%w: placed in the year %d", ErrUndecodable, year)
	}
	for _, l := range v.Items {
		if l.UnitPrice.Currency != order.EUR {
			return order.Order{}, fmt.Errorf("%w: line of %.40q has no price", ErrUndecodable, l.SKU)
		}
		o.Lines = append(o.Lines, order.Line{
			SKU: l.SKU, Quantity: l.Quantity, Name: l.Name, UnitPrice: order.Money(l.UnitPrice), Grams: l.Grams, Size: l.SizeMM,
		})
	}
	if r := v.Refund; r != nil {
		o.Refund = &order.Refund{
			Of: r.Of, Number: r.Number, Key: r.Key, Reason: r.Reason,
			Shipping: order.Money(r.Shipping), Tax: order.Money(r.Tax), Net: order.Money(r.Net), Invoice: *r.Invoice.invoice(),
			PayBack: order.Money(r.PayBack), Method: r.Method, Returned: order.Money(r.Returned), ReturnedAt: r.At.UTC(),
		}
	}
	return o, nil
}

// identified reports whether an order has a usable ID. The ID of a refund is made from the ID of its order.
func (v *orderValue) identified() bool {
	if r := v.Refund; r != nil {
		return r.Invoice != nil && wellFormed(r.Of) && v.ID == r.Of.Refund(r.Number)
	}
	return wellFormed(v.ID)
}

// wellFormed reports whether an ID can be used in a URL, in a header of a mail and in a log line.
func wellFormed(id order.ID) bool {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(string(id), func(r rune) bool { return !plain(r) })
}

const maxID = 100

// linkToken returns a token that cannot be guessed, or "": a short one of another program would give
// everyone access to the order.
func linkToken(text string) string {
	if len(text) != order.LinkTokenLength || !wellFormed(order.ID(text)) {
		return ""
	}
	return text
}

// compact removes insignificant space from valid JSON, as in a state.
func compact(data []byte) []byte {
	b := bytes.NewBuffer(make([]byte, 0, len(data)))
	_ = json.Compact(b, data) // decode has read it
	return b.Bytes()
}
