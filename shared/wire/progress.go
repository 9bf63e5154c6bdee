package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

type progressValue struct {
	Finished []order.Step   `json:"finished,omitempty"`
	Shipping *shippingValue `json:"shipping,omitempty"`
	Invoice  *invoiceValue  `json:"invoice,omitempty"`
	Email    *emailValue    `json:"email,omitempty"`

	others map[order.Step]json.RawMessage
}

type shippingValue struct {
	Zone          string        `json:"zone"`
	Service       order.Service `json:"service"`
	Price         money         `json:"price"`
	BillableGrams int           `json:"billable_g"`
	MinDays       int           `json:"min_days"`
	MaxDays       int           `json:"max_days"`
	Card          string        `json:"card"`
}

type invoiceValue struct {
	Number   string     `json:"number"`
	IssuedAt time.Time  `json:"issued_at"`
	VATTable string     `json:"vat_table"`
	Taxes    []taxValue `json:"taxes"`
	Net      money      `json:"net"`
	Tax      money      `json:"tax"`
	Total    money      `json:"total"`
	Kept     *keptValue `json:"kept,omitempty"`
}

type taxValue struct {
	Rate int   `json:"rate"`
	Net  money `json:"net"`
	Tax  money `json:"tax"`
}

type keptValue struct {
	Offset int64  `json:"offset"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

type emailValue struct {
	MessageID string    `json:"message_id"`
	Date      time.Time `json:"date"`
}

// plainProgress is progressValue without its methods.
type plainProgress progressValue

// MarshalJSON writes the known steps and, beside them, those that only other versions know.
func (v progressValue) MarshalJSON() ([]byte, error) {
	extra := make(map[string]json.RawMessage, len(v.others))
	for step, result := range v.others {
		extra[string(step)] = result
	}
	return merge(mustJSON(plainProgress(v)), extra), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *progressValue) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*plainProgress)(v)); err != nil {
		return err
	}
	for name, result := range unknown(data, plainProgress{}) {
		if v.others == nil {
			v.others = map[order.Step]json.RawMessage{}
		}
		v.others[order.Step(name)] = result
	}
	return nil
}

func fromProgress(p order.Progress) progressValue {
	v := progressValue{Finished: p.Finished, others: p.Others}
	if s := p.Shipping; s != nil {
		v.Shipping = &shippingValue{s.Zone, s.Service, money(s.Price), s.BillableGrams, s.MinDays, s.MaxDays, s.Card}
	}
	if i := p.Invoice; i != nil {
		v.Invoice = &invoiceValue{
			Number: i.Number, IssuedAt: i.IssuedAt, VATTable: i.VATTable,
			Net: money(i.Net), Tax: money(i.Tax), Total: money(i.Total), Kept: (*keptValue)(i.Kept),
		}
		for _, t := range i.Taxes {
			v.Invoice.Taxes = append(v.Invoice.Taxes, taxValue{t.Rate, money(t.Net), money(t.Tax)})
		}
	}
	v.Email = (*emailValue)(p.Email)
	return v
}

func (v progressValue) progress() order.Progress {
	p := order.Progress{Finished: v.Finished, Others: v.others}
	if s := v.Shipping; s != nil {
		p.Shipping = &order.Shipping{
			Zone: s.Zone, Service: s.Service, Price: order.Money(s.Price), BillableGrams: s.BillableGrams,
			MinDays: s.MinDays, MaxDays: s.MaxDays, Card: s.Card,
		}
	}
	if i := v.Invoice; i != nil {
		p.Invoice = &order.Invoice{
			Number: i.Number, IssuedAt: i.IssuedAt, VATTable: i.VATTable,
			Net: order.Money(i.Net), Tax: order.Money(i.Tax), Total: order.Money(i.Total), Kept: (*order.Kept)(i.Kept),
		}
		for _, t := range i.Taxes {
			p.Invoice.Taxes = append(p.Invoice.Taxes, order.Tax{Rate: t.Rate, Net: order.Money(t.Net), Tax: order.Money(t.Tax)})
		}
	}
	p.Email = (*order.Email)(v.Email)
	return p
}

// unknown returns the fields of a JSON object that a struct has no tag for, or nil.
func unknown(data []byte, known any) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil
	}
	for f := range reflect.TypeOf(known).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(all, name)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// merge adds fields to a JSON object; a field that it has already stays.
func merge(object []byte, extra map[string]json.RawMessage) []byte {
	if len(extra) == 0 {
		return object
	}
	all := make(map[string]json.RawMessage, len(extra))
	for name, value := range extra {
		all[name] = value
	}
	if err := json.Unmarshal(object, &all); err != nil {
		panic("wire: " + err.Error())
	}
	return mustJSON(all)
}
