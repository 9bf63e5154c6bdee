package httpapi

import (
	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// The bodies of list responses. Their elements are types of package client, so that both ends use
// the same JSON.
type (
	orderPage struct {
		Orders []client.Order `json:"orders"`
		Next   string         `json:"next,omitempty"`
	}
	deadLetterPage struct {
		DeadLetters []client.DeadLetter `json:"dead_letters"`
		Next        string              `json:"next,omitempty"`
	}
	actPage struct {
		Acts []client.Act `json:"acts"`
		Next string       `json:"next,omitempty"`
	}
	productPage struct {
		Prices   string           `json:"prices,omitempty"` // gross; or empty: net
		Products []client.Product `json:"products"`
	}
)

// each converts the elements of a list. The result is never nil, so that its JSON is [] and not
// null.
func each[From, To any](list []From, convert func(From) To) []To {
	all := make([]To, len(list))
	for i, from := range list {
		all[i] = convert(from)
	}
	return all
}

func toOrder(s order.State) client.Order {
	o := s.Order
	answer := client.Order{
		ID: string(o.ID), Status: string(s.Status), Rev: s.Rev, PlacedAt: o.PlacedAt,
		Payments: each(s.Payments, toPayment),
		Customer: client.Customer(o.Customer), ShipTo: client.Address(o.ShipTo), BillTo: toBillTo(o.BillTo), Service: o.Service, Note: o.Note,
		References: client.References{Reference: o.Reference, BuyerReference: o.BuyerReference, PurchaseOrder: o.PurchaseOrder},
		ItemsTotal: toMoney(o.ItemsTotal()), Items: toItems(s), Prices: toPrices(o.Gross), Timeline: each(s.Timeline, toChange),
	}
	if r := o.Refund; r != nil {
		answer.Refund, answer.Tax, answer.Total = toRefund(o), new(toMoney(r.Tax)), new(toMoney(o.Refunded().Plus(r.Tax)))
	} else if p := s.Progress.Shipping; p != nil {
		answer.Shipping = new(toShipping(p, o.Lines))
	}
	if i := s.Progress.Invoice; i != nil {
		answer.Tax, answer.Total = new(toMoney(i.Tax)), new(toMoney(i.Total))
		if i.Kept != nil {
			answer.Invoice = toInvoice(o.ID, i)
		}
	}
	if o.VATCheck != nil {
		answer.VATIDCheck = new(client.VATIDCheck(*o.VATCheck))
	}
	if o.Payment != nil {
		answer.Payment = new(toPayment(*o.Payment))
	}
	if l := s.DeadLetter; l != nil && s.Status == order.Dead {
		answer.DeadLetter = &client.DeadLetterRef{ID: l.ID, Step: string(l.Step), Reason: l.Reason, Discarded: s.Discarded}
	}
	return answer
}

// toWhole is an order with its refunds and its balance.
func toWhole(s order.State, refunds []order.State) client.Order {
	answer := toOrder(s)
	answer.Refunds = each(refunds, toRefundRef)
	if s.Order.Refund == nil {
		answer.Balance = toBalance(s.Balance(each(refunds, func(r order.State) order.Order { return r.Order })))
	}
	return answer
}

func toBalance(b order.Balance) *client.Balance {
	answer := &client.Balance{State: b.State(), Received: toMoney(b.Received), PaidBack: toMoney(b.PaidBack), Credited: toMoney(b.Credited)}
	if b.Known {
		answer.Due, answer.ToReturn = new(toMoney(b.Due())), new(toMoney(b.Return()))
	}
	return answer
}

func toPayment(p order.Payment) client.Payment {
	answer := client.Payment{Method: p.Method, Reference: p.Reference, PaidAt: p.PaidAt}
	if p.Method != order.ByInvoice {
		answer.Amount = toMoney(p.Amount)
	}
	if p.Back() {
		answer.Kind, answer.Amount = client.PaidBack, toMoney(p.Amount.Times(-1))
	}
	return answer
}

func toBillTo(b *order.BillTo) *client.BillTo {
	if b == nil {
		return nil
	}
	return &client.BillTo{Name: b.Name, Company: b.Company, VATID: b.VATID, Address: client.Address(b.Address)}
}

func toInvoice(id order.ID, i *order.Invoice) *client.Invoice {
	return &client.Invoice{Number: i.Number, URL: "/v1/orders/" + string(id) + "/invoice.pdf"}
}

func toRefund(o order.Order) *client.Refund {
	r := o.Refund
	return &client.Refund{
		Of: string(r.Of), Number: r.Number, Invoice: *toInvoice(r.Of, &r.Invoice), Reason: r.Reason, Shipping: toMoney(r.Shipping),
		PayBack: toMoney(r.PayBack), PaidBack: toMoney(r.Returned), ClaimReduced: toMoney(o.Reduces()), Method: r.Method,
	}
}

// toRefundRef is the entry of a refund in its order.
func toRefundRef(s order.State) client.RefundRef {
	o := toOrder(s)
	return client.RefundRef{ID: o.ID, Number: o.Refund.Number, Status: o.Status, Total: *o.Total, Invoice: o.Invoice}
}

// toShipping also resolves the lines in the parcels. It skips line numbers that the order does not
// have: an order may be written to the topic by another program.
func toShipping(s *order.Shipping, lines []order.Line) client.Shipping {
	answer := client.Shipping{Service: s.Service, Zone: s.Zone, Carrier: s.Carrier, Price: toMoney(s.Price), Card: s.Card}
	answer.Days.Min, answer.Days.Max = s.MinDays, s.MaxDays
	answer.Fuel, answer.Remote, answer.Oversize = nonZero(s.Fuel), nonZero(s.Remote), nonZero(s.Oversize)
	for _, p := range s.Parcels {
		parcel := client.Parcel{Count: p.Count, Grams: p.Grams, BillableGrams: p.BillableGrams, SizeMM: p.Size, Items: []client.Item{}}
		for _, c := range p.Content {
			if c.Line >= 0 && c.Line < len(lines) {
				parcel.Items = append(parcel.Items, client.Item{SKU: lines[c.Line].SKU, Quantity: c.Quantity})
			}
		}
		answer.Parcels = append(answer.Parcels, parcel)
	}
	return answer
}

// toItems are the lines of an order. With gross prices, the net amounts are known when the document is
// planned.
func toItems(s order.State) []client.Item {
	amounts, items := s.Statement(), []client.Item{}
	for i, l := range s.Order.Lines {
		item := client.Item{SKU: l.SKU, Quantity: l.Quantity, Name: l.Name, UnitPrice: new(toMoney(l.UnitPrice))}
		if s.Order.Gross {
			item.Gross = new(toMoney(l.Price()))
		}
		if !s.Order.Gross || s.Order.Refund != nil || s.Progress.Invoice != nil {
			item.Net = new(toMoney(amounts.Lines[i].Net))
		}
		items = append(items, item)
	}
	return items
}

// toPrices says that prices are gross. Net prices have no word.
func toPrices(gross bool) string {
	if !gross {
		return ""
	}
	return order.Prices(gross)
}

func toChange(c order.Change) client.Change {
	return client.Change{Rev: c.Rev, At: c.At, Status: string(c.Status), Step: string(c.Step), Reason: c.Reason, Replay: c.Replay}
}

func toMoney(m order.Money) client.Money {
	return client.Money{Amount: m.String(), Currency: string(m.Currency)}
}

func nonZero(m order.Money) *client.Money {
	if m.Minor == 0 {
		return nil
	}
	return new(toMoney(m))
}

func toProduct(p catalogue.Product) client.Product {
	return client.Product{
		SKU: p.SKU, Name: p.Name, Description: p.Description, Price: toMoney(p.Price), Grams: p.Grams,
		SizeMM: p.Size,
	}
}

func toAct(a wire.Act) client.Act {
	return client.Act{
		ID: a.ID, At: a.At, Actor: a.Cause.Actor.String(), Act: a.Kind, Target: a.Target, Reason: a.Reason, Outcome: string(a.Outcome),
		Problem: a.Problem, Address: a.Address, Count: a.Count,
	}
}
