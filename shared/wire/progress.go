package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"example.com/orders/shared/order"
)

type progressValue struct {
	Finished []order.Step   `json:"finished,omitempty"`
	Shipping *shippingValue `json:"shipping,omitempty"`
	Invoice  *invoiceValue  `json:"invoice,omitempty"`
	Email    *emailValue    `json:"email,omitempty"`
}

type shippingValue struct {
	Zone          string `json:"zone"`
	Service       string `json:"service"`
	Price         money  `json:"price"`
	BillableGrams int    `json:"billable_g"`
	MinDays       int    `json:"min_days"`
	MaxDays       int    `json:"max_days"`
	Card          string `json:"card"`

	Carrier  string        `json:"carrier,omitempty"`
	Parcels  []parcelValue `json:"parcels,omitempty"`
	Fuel     money         `json:"fuel,omitzero"`
	Remote   money         `json:"remote,omitzero"`
	Oversize money         `json:"oversize,omitzero"`
}

// parcelValue is short, because an order can have a hundred parcels in every state of it.
type parcelValue struct {
	Count         int      `json:"n"`
	Grams         int      `json:"g"`
	BillableGrams int      `json:"billable_g"`
	Size          [3]int   `json:"mm"`
	Content       [][2]int `json:"content"` // line and quantity
}

type invoiceValue struct {
	Number    string     `json:"number"`
	IssuedAt  time.Time  `json:"issued_at"`
	Dispatch  time.Time  `json:"dispatch,omitzero"`
	VATTable  string     `json:"vat_table"`
	Language  string     `json:"language,omitempty"`
	Taxes     []taxValue `json:"taxes"`
	Net       money      `json:"net"`
	Tax       money      `json:"tax"`
	Total     money      `json:"total"`
	Payments  int        `json:"payments,omitempty"`
	Included  int        `json:"included,omitempty"`
	Announced int64      `json:"announced,omitempty"`
	Kept      *keptValue `json:"kept,omitempty"`
}

type taxValue struct {
	Category string `json:"category,omitempty"`
	Rate     int    `json:"rate"`
	Net      money  `json:"net"`
	Tax      money  `json:"tax"`
}

type keptValue struct {
	Offset int64  `json:"offset"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

type emailValue struct {
	MessageID string    `json:"message_id"`
	Date      time.Time `json:"date"`
	Uncertain int       `json:"uncertain,omitempty"`
}

// Progress encodes an order's progress, as in a state and in the headers of derived records.
func Progress(p order.Progress) []byte { return merge(mustJSON(fromProgress(p)), p.Others) }

// ReadProgress decodes what Progress wrote. No data is the progress of an order that was not begun.
func ReadProgress(data []byte) (order.Progress, error) {
	if len(data) == 0 {
		return order.Progress{}, nil
	}
	var v progressValue
	if err := parse(data, &v); err != nil {
		return order.Progress{}, fmt.Errorf("progress: %w", err)
	}
	if err := foreign(data); err != nil {
		return order.Progress{}, fmt.Errorf("progress: %w", err)
	}
	p := v.progress()
	p.Others = v.others(data)
	return p, nil
}

// others returns what a newer version has added to the results that this one knows, and its own results.
func (v progressValue) others(data []byte) map[order.Step]json.RawMessage {
	found := unknown[order.Step](data, reflect.TypeFor[progressValue]())
	results := map[order.Step]json.RawMessage{}
	if familiar(data, reflect.TypeFor[progressValue]()) {
		for name, result := range fields(data) {
			results[order.Step(name)] = result
		}
	} else {
		_ = json.Unmarshal(data, &results) // ReadProgress has read it
	}
	for _, known := range []struct {
		step   order.Step
		there  bool
		fields reflect.Type
	}{
		{order.StepShipping, v.Shipping != nil, reflect.TypeFor[shippingValue]()},
		{order.StepInvoice, v.Invoice != nil, reflect.TypeFor[invoiceValue]()},
		{order.StepEmail, v.Email != nil, reflect.TypeFor[emailValue]()},
	} {
		if !known.there {
			continue
		}
		added := unknown[string](results[known.step], known.fields)
		if added == nil {
			continue
		}
		if found == nil {
			found = map[order.Step]json.RawMessage{}
		}
		found[known.step] = mustJSON(added)
	}
	return found
}

func fromProgress(p order.Progress) progressValue {
	v := progressValue{Finished: p.Finished}
	if s := p.Shipping; s != nil {
		v.Shipping = fromShipping(s)
	}
	if i := p.Invoice; i != nil {
		v.Invoice = fromInvoice(i)
	}
	v.Email = (*emailValue)(p.Email)
	return v
}

func (v progressValue) progress() order.Progress {
	p := order.Progress{Finished: v.Finished}
	if s := v.Shipping; s != nil {
		p.Shipping = s.shipping()
	}
	if i := v.Invoice; i != nil {
		p.Invoice = i.invoice()
	}
	p.Email = (*order.Email)(v.Email)
	return p
}

func fromInvoice(i *order.Invoice) *invoiceValue {
	v := &invoiceValue{
		Number: i.Number, IssuedAt: i.IssuedAt, Dispatch: i.Dispatch, VATTable: i.VATTable, Language: i.Language,
		Net: money(i.Net), Tax: money(i.Tax), Total: money(i.Total), Payments: i.Payments, Included: i.Included, Announced: i.Announced, Kept: (*keptValue)(i.Kept),
	}
	for _, t := range i.Taxes {
		v.Taxes = append(v.Taxes, taxValue{t.Category, t.Rate, money(t.Net), money(t.Tax)})
	}
	return v
}

func (v *invoiceValue) invoice() *order.Invoice {
	i := &order.Invoice{
		Number: v.Number, IssuedAt: v.IssuedAt, Dispatch: v.Dispatch, VATTable: v.VATTable, Language: v.Language,
		Net: order.Money(v.Net), Tax: order.Money(v.Tax), Total: order.Money(v.Total), Payments: max(0, v.Payments), Included: max(0, v.Included), Announced: v.Announced, Kept: (*order.Kept)(v.Kept),
	}
	for _, t := range v.Taxes {
		i.Taxes = append(i.Taxes, order.Tax{Category: t.Category, Rate: t.Rate, Net: order.Money(t.Net), Tax: order.Money(t.Tax)})
	}
	return i
}

func fromShipping(s *order.Shipping) *shippingValue {
	v := &shippingValue{
		Zone: s.Zone, Service: s.Service, Price: money(s.Price), BillableGrams: s.BillableGrams,
		MinDays: s.MinDays, MaxDays: s.MaxDays, Card: s.Card, Carrier: s.Carrier,
		Fuel: money(s.Fuel), Remote: money(s.Remote), Oversize: money(s.Oversize),
	}
	for _, p := range s.Parcels {
		content := [][2]int{}
		for _, c := range p.Content {
			content = append(content, [2]int{c.Line, c.Quantity})
		}
		v.Parcels = append(v.Parcels, parcelValue{p.Count, p.Grams, p.BillableGrams, p.Size, content})
	}
	return v
}

func (v *shippingValue) shipping() *order.Shipping {
	s := &order.Shipping{
		Zone: v.Zone, Service: v.Service, Price: order.Money(v.Price), BillableGrams: v.BillableGrams,
		MinDays: v.MinDays, MaxDays: v.MaxDays, Card: v.Card, Carrier: v.Carrier,
		Fuel: order.Money(v.Fuel), Remote: order.Money(v.Remote), Oversize: order.Money(v.Oversize),
	}
	for _, p := range v.Parcels {
		parcel := order.Parcel{Count: p.Count, Grams: p.Grams, BillableGrams: p.BillableGrams, Size: p.Size}
		for _, c := range p.Content {
			parcel.Content = append(parcel.Content, order.Content{Line: c[0], Quantity: c[1]})
		}
		s.Parcels = append(s.Parcels, parcel)
	}
	return s
}
