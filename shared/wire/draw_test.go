package wire_test

import (
	"encoding/json"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// text draws what customers write, and what JSON, HTML and terminals trip over.
func text(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 <>&\"'\\/{}[]:,ëŁ名محמ👩\u200d\u200f\ufffd\ufeff\U0010fffd")), 0, 20, -1).Draw(t, label)
}

func instant(t *rapid.T, label string) time.Time {
	return time.UnixMilli(rapid.Int64Range(946_684_800_000, 4_102_444_800_000).Draw(t, label)).UTC()
}

func euros(t *rapid.T, label string) order.Money {
	return order.EUR.Cents(rapid.Int64Range(-1e15, 1e15).Draw(t, label))
}

func count(t *rapid.T, label string, most int) int { return rapid.IntRange(0, most).Draw(t, label) }

// drawOrder draws an order without faults.
func drawOrder(t *rapid.T) order.Order {
	o := order.Order{
		ID:       order.ID(fmt.Sprintf("ord_%026d", rapid.Uint64().Draw(t, "id"))),
		PlacedAt: instant(t, "placed at"),
		Customer: order.Customer{Name: "x" + text(t, "name"), Email: "zoe@example.com", VATID: rapid.SampledFrom([]string{"", "ATU12345678"}).Draw(t, "VAT ID")},
		ShipTo:   order.Address{Line1: "x" + text(t, "line1"), Line2: text(t, "line2"), City: "x" + text(t, "city"), PostalCode: "10115", Country: "DE"},
		Service:  rapid.SampledFrom([]string{order.Standard, order.Express}).Draw(t, "service"),
		Note:     text(t, "note"),
		Cause:    drawCause(t),
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "lines") {
		o.Lines = append(o.Lines, order.Line{
			SKU: fmt.Sprintf("SKU-%d", i), Quantity: 1 + count(t, "quantity", order.MaxQuantity-1), Name: text(t, "product"),
			UnitPrice: order.EUR.Cents(int64(count(t, "price", order.MaxPrice))), Grams: count(t, "grams", order.MaxGrams),
			Size: [3]int{count(t, "length", order.MaxSide), 1, 2},
		})
	}
	if o.Owner = drawActor(t, "owner"); o.Owner == (order.Actor{}) && rapid.Bool().Draw(t, "of a guest") {
		o.LinkToken = rapid.StringMatching("[a-z2-7]{26}").Draw(t, "link token")
	}
	o.Gross = rapid.Bool().Draw(t, "gross")
	switch rapid.SampledFrom([]string{"", "a refund", "paid", "to be paid"}).Draw(t, "kind") {
	case "a refund":
		refund(t, &o)
	case "paid":
		o.Payment = new(drawPayment(t))
	case "to be paid":
		o.Payment = &order.Payment{Method: order.ByInvoice}
	}
	billing(t, &o)
	if o.Customer.VATID != "" {
		o.VATCheck = drawVATCheck(t)
	}
	return o
}

// drawPayment draws a payment that is valid.
func drawPayment(t *rapid.T) order.Payment {
	return order.Payment{
		Method: rapid.SampledFrom(order.Methods()).Draw(t, "method"), Reference: "x" + text(t, "reference"),
		PaidAt: instant(t, "paid at"), Amount: order.EUR.Cents(1 + rapid.Int64Range(0, order.MaxPayment-1).Draw(t, "paid")),
	}
}

// billing draws the numbers that people gave the order, and whom its invoice is addressed to.
func billing(t *rapid.T, o *order.Order) {
	for _, number := range []*string{&o.Reference, &o.BuyerReference, &o.PurchaseOrder} {
		*number = text(t, "number")
	}
	if rapid.Bool().Draw(t, "of a business") {
		o.Customer.Company = "x" + text(t, "company")
	}
	if rapid.Bool().Draw(t, "billed elsewhere") {
		o.BillTo = &order.BillTo{Name: text(t, "billed name"), Company: "x" + text(t, "billed company"), VATID: o.Customer.VATID, Address: o.ShipTo}
		o.BillTo.Address.Region = text(t, "billed region")
	}
}

// drawCause draws a cause that is not known, in whole or in part, or one that is.
func drawCause(t *rapid.T) (c order.Cause) {
	c.Trace = rapid.SampledFrom([]string{"", placedBy.Trace, asked.Trace}).Draw(t, "trace")
	c.Actor = drawActor(t, "actor")
	return c
}

// drawActor draws somebody who has signed in, or the zero actor.
func drawActor(t *rapid.T, label string) (a order.Actor) {
	if rapid.Bool().Draw(t, label+" is signed in") {
		a.Kind = rapid.SampledFrom([]order.ActorKind{order.ActorCustomer, order.ActorOperator, order.ActorService}).Draw(t, "kind of "+label)
		a.ID = rapid.StringMatching("[!-~]([ -~]{0,60})").Draw(t, label)
	}
	return a
}

// drawVATCheck draws what VIES said, or nil.
func drawVATCheck(t *rapid.T) *order.VATCheck {
	if rapid.Bool().Draw(t, "VAT ID is not checked") {
		return nil
	}
	result := rapid.SampledFrom([]string{order.VATValid, order.VATNotChecked}).Draw(t, "result of VIES")
	return &order.VATCheck{ID: "ATU12345678", Result: result, At: instant(t, "checked").Truncate(time.Second), RequestID: text(t, "request ID")}
}

// refund makes an order a refund.
func refund(t *rapid.T, o *order.Order) {
	net := order.EUR.Cents(1)
	o.Refund = &order.Refund{
		Of: o.ID, Number: 1 + count(t, "number", 9), Key: "ab", Reason: text(t, "reason"), Shipping: order.EUR.Cents(int64(count(t, "shipping", 1e6))),
		Tax: order.EUR.Cents(int64(count(t, "tax", 1e6))), Invoice: order.Invoice{
			Number: "INV-7KQ2MX-03-0000123", IssuedAt: instant(t, "invoiced"), VATTable: "2026-09-29", Language: "de", Dispatch: instant(t, "dispatched"),
			Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: net, Tax: net}}, Net: net, Tax: net, Total: net,
		},
	}
	if o.Gross {
		o.Refund.Net, o.Refund.Invoice.Included = o.Refund.Shipping, 1900
	}
	total := o.Refunded().Plus(o.Refund.Tax).Minor
	o.Refund.PayBack = order.EUR.Cents(rapid.Int64Range(0, total).Draw(t, "paid back"))
	if back := o.Refund.PayBack.Minor; rapid.Bool().Draw(t, "a part was paid back") {
		o.Refund.Returned = order.EUR.Cents(rapid.Int64Range(0, total-back).Draw(t, "returned"))
		o.Refund.ReturnedAt = instant(t, "returned at")
	}
	o.Refund.Method = rapid.SampledFrom([]string{"", order.Card}).Draw(t, "method")
	o.ID = o.ID.Refund(o.Refund.Number)
}

// drawProgress draws progress, of a newer version too.
func drawProgress(t *rapid.T) order.Progress {
	p := order.Progress{Others: drawExtra[order.Step](t, "gift", "finished_at")}
	for _, s := range []order.Step{order.StepShipping, order.StepInvoice, order.StepEmail, "gift"}[:count(t, "finished", 4)] {
		p.Finish(s)
	}
	if rapid.Bool().Draw(t, "shipped") {
		p.Shipping = &order.Shipping{
			Zone: text(t, "zone"), Service: order.Express, Price: euros(t, "price"), BillableGrams: count(t, "billable", 1e9), MinDays: 1, MaxDays: 2,
			Card: "sha256:0123456789ab", Carrier: text(t, "carrier"),
		}
		if rapid.Bool().Draw(t, "surcharged") {
			p.Shipping.Fuel, p.Shipping.Remote, p.Shipping.Oversize = euros(t, "fuel"), euros(t, "remote"), euros(t, "oversize")
		}
		for range count(t, "parcels", 3) {
			p.Shipping.Parcels = append(p.Shipping.Parcels, order.Parcel{
				Count: count(t, "equal", 100), Grams: count(t, "grams", 1e6), BillableGrams: count(t, "billable of one", 1e6), Size: [3]int{3, 2, 1},
				Content: []order.Content{{Line: count(t, "line", 200), Quantity: count(t, "quantity", 10_000)}},
			})
		}
		addTo(&p, t, order.StepShipping)
	}
	if rapid.Bool().Draw(t, "invoiced") {
		p.Invoice = &order.Invoice{
			Number: "INV-7KQ2MX-03-0000124", IssuedAt: instant(t, "issued"), VATTable: "2026-09-29", Language: rapid.SampledFrom([]string{"", "uk"}).Draw(t, "language"), Dispatch: instant(t, "dispatched"),
			Net: euros(t, "net"), Tax: euros(t, "tax"), Total: euros(t, "total"),
		}
		for range count(t, "taxes", 3) {
			p.Invoice.Taxes = append(p.Invoice.Taxes, order.Tax{
				Category: rapid.SampledFrom([]string{"", order.VATStandard, "newer"}).Draw(t, "category"),
				Rate:     count(t, "rate", 10_000), Net: euros(t, "net of rate"), Tax: euros(t, "tax of rate"),
			})
		}
		p.Invoice.Included = count(t, "included", 2700)
		p.Invoice.Payments = count(t, "stated", 3)
		p.Invoice.Announced = rapid.Int64Min(0).Draw(t, "announced")
		if rapid.Bool().Draw(t, "kept") {
			p.Invoice.Kept = &order.Kept{Offset: rapid.Int64Min(0).Draw(t, "offset"), SHA256: "ab", Bytes: count(t, "bytes", 1e6)}
		}
		addTo(&p, t, order.StepInvoice)
	}
	if rapid.Bool().Draw(t, "mailed") {
		p.Email = &order.Email{MessageID: "ord_1@example.com", Date: instant(t, "date"), Uncertain: count(t, "uncertain", 2)}
	}
	return p
}

// addTo adds a field of a newer version to the result of a step.
func addTo(p *order.Progress, t *rapid.T, s order.Step) {
	if added := drawExtra[string](t, "tracking", "colour"); added != nil {
		if p.Others == nil {
			p.Others = map[order.Step]json.RawMessage{}
		}
		p.Others[s], _ = json.Marshal(added)
	}
}

// drawExtra draws fields that this version does not know, or nil.
func drawExtra[K ~string](t *rapid.T, names ...K) map[K]json.RawMessage {
	values := []string{`null`, `1e3`, `"\u003c"`, `{"a":[{}]}`, `[1,{"b":2}]`, `"ë"`}
	var extra map[K]json.RawMessage
	for _, name := range names {
		if !rapid.Bool().Draw(t, "has "+string(name)) {
			continue
		}
		if extra == nil {
			extra = map[K]json.RawMessage{}
		}
		extra[name] = json.RawMessage(rapid.SampledFrom(values).Draw(t, string(name)))
	}
	return extra
}

// drawState draws a state that an owner may have written.
func drawState(t *rapid.T) order.State {
	o := drawOrder(t)
	s := o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: rapid.Int64Min(0).Draw(t, "origin")})
	s.Edit = count(t, "edit", 2)
	s.Payments = nil
	for range count(t, "payments", 3) {
		s.Payments = append(s.Payments, drawPayment(t))
	}
	s.Progress, s.Replays, s.Unknown = drawProgress(t), count(t, "replays", 9), drawExtra(t, "priority", "Region")
	for rev := range int64(count(t, "changes", 60)) {
		kafkatest.Force(&s, order.Change{
			Rev: rev + 1, At: instant(t, "at"), Status: rapid.SampledFrom([]order.Status{order.Working, order.Retrying, order.Dead, "newer"}).Draw(t, "status"),
			Step: order.StepEmail, Reason: "mail-busy", Replay: count(t, "replay", 3),
			Job:    rapid.SampledFrom([]string{"", "job_1"}).Draw(t, "job"),
			Worker: rapid.SampledFrom([]string{"", "vm-1/6527 1.8.1"}).Draw(t, "worker"),
		})
	}
	if rapid.Bool().Draw(t, "has a dead letter") {
		s.DeadLetter = &order.DeadLetter{ID: s.Origin.String(), Partition: 3, Offset: 7, Step: order.StepInvoice, Reason: "render-refused"}
	}
	return s
}
