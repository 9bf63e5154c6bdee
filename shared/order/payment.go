package order

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Payment is money that was received for an order or, with an amount below zero, paid back to the
// customer. Its reference identifies it within the order.
//
// The payment of an order that is to be paid on the invoice has the method ByInvoice and no other
// field: no money was received.
type Payment struct {
	Method    string
	Reference string    // of the payment provider or the bank
	PaidAt    time.Time // UTC, seconds
	Amount    Money     // below zero: paid back
}

// Back reports whether the money was paid back.
func (p Payment) Back() bool { return p.Amount.Minor < 0 }

// The methods of payment.
const (
	Card        = "card"
	PayPal      = "paypal"
	Transfer    = "transfer"
	DirectDebit = "direct-debit"
	Cash        = "cash"
	OtherMethod = "other"
	ByInvoice   = "invoice" // only of a payment that is part of an order
)

// Methods returns the methods by which money can be received.
func Methods() []string { return []string{Card, PayPal, Transfer, DirectDebit, Cash, OtherMethod} }

// Limits of payments.
const (
	MaxPayments   = 20          // of one order
	MaxPayment    = maxMinor    // cents, more than the total of the largest order
	MaxReference  = 64          // runes
	ClockSkew     = time.Minute // by which the clock of who reports a payment can be ahead
	firstPaidYear = 2000
)

// Same reports whether two payments with one reference are the same one. The time is not compared: a
// payment provider may send it with another precision.
func (p Payment) Same(q Payment) bool { return p.Method == q.Method && p.Amount == q.Amount }

// Validate returns the faults of a payment that was made by now, in either direction. The pointers begin with at.
func (p Payment) Validate(at string, now time.Time) []Invalid {
	var v checker
	amount := p
	if p.Back() {
		amount.Amount = p.Amount.Times(-1)
	}
	v.received(at, amount)
	if p.PaidAt.After(now.Add(ClockSkew)) {
		v.add(at+"/paid_at", "must not be in the future")
	}
	return v.found
}

// payment checks the payment that is part of an order. Other producers to the topic can send anything.
func (v *checker) payment(p *Payment) {
	switch {
	case p == nil:
	case p.Method != ByInvoice:
		v.received("/payment", *p)
	case p.Reference != "" || !p.PaidAt.IsZero() || p.Amount.Minor != 0:
		v.add("/payment", "must have no other field with method invoice: nothing is paid yet")
	}
}

func (v *checker) received(at string, p Payment) {
	if !slices.Contains(Methods(), p.Method) {
		v.add(at+"/method", "must be one of "+strings.Join(Methods(), ", "))
	}
	v.text(at+"/reference", p.Reference, 1, MaxReference)
	if p.Amount.Currency != EUR || p.Amount.Minor < 1 || p.Amount.Minor > MaxPayment {
		v.add(at+"/amount", fmt.Sprintf("must be from 0.01 to %s EUR", EUR.Cents(MaxPayment)))
	}
	if y := p.PaidAt.Year(); y < firstPaidYear || y > 9999 {
		v.add(at+"/paid_at", fmt.Sprintf("must be a time from the year %d on", firstPaidYear))
	}
}

// Receive adds a payment to what is known of an order, and returns the reason of the change to write:
// PaymentReceived or PaidBack; PaymentRefused if the order is a refund, has too many payments, or another
// one with that reference, or if more would be paid back than was received; or "" if the payment is known.
func (s *State) Receive(p Payment) (reason string) {
	at := slices.IndexFunc(s.Payments, func(known Payment) bool { return known.Reference == p.Reference })
	switch {
	case at >= 0 && s.Payments[at].Same(p):
		return ""
	case at >= 0 || s.Order.Refund != nil || len(s.Payments) >= MaxPayments || Received(s.Payments).Plus(p.Amount).Minor < 0:
		return PaymentRefused
	}
	s.Payments = append(slices.Clip(s.Payments), p)
	if p.Back() {
		return PaidBack
	}
	return PaymentReceived
}

// Received is the sum of payments: what was received, less what was paid back.
func Received(payments []Payment) Money {
	sum := EUR.Cents(0)
	for _, p := range payments {
		sum = sum.Plus(p.Amount)
	}
	return sum
}

// Stated returns the payments that the planned invoice states: those that were known when it was issued.
func (w *Work) Stated() []Payment {
	if w.Progress.Invoice == nil {
		return nil
	}
	return w.Payments[:min(w.Progress.Invoice.Payments, len(w.Payments))]
}

// Settled returns the payments that the invoice of a planned order states, with their times in a zone, and what it
// asks for beyond them: below zero if too much was paid.
func (w *Work) Settled(zone *time.Location) (paid []Payment, due Money) {
	paid = slices.Clone(w.Stated())
	for i, p := range paid {
		paid[i].PaidAt = p.PaidAt.In(zone)
	}
	return paid, w.Progress.Invoice.Total.Plus(Received(paid).Times(-1))
}

// Balance compares what an order costs with what was received for it. All amounts are gross, in euros,
// and not negative.
type Balance struct {
	Total    Money // of the invoice; 0 if the order is cancelled
	Credited Money // by its refunds, dead ones too
	Received Money
	PaidBack Money
	Known    bool // the total is known; before that, only Received and PaidBack are
}

// Balance returns the balance of an order with its refunds.
func (s *State) Balance(refunds []Order) Balance {
	b := s.balance(refunds)
	if !s.Progress.Issued() && s.Status == Cancelled {
		b.Total, b.Known = EUR.Cents(0), true
	}
	return b
}

func (w *Work) balance(refunds []Order) Balance {
	b := Balance{Total: EUR.Cents(0), Credited: EUR.Cents(0), Received: EUR.Cents(0), PaidBack: EUR.Cents(0)}
	for _, p := range w.Payments {
		if p.Back() {
			b.PaidBack = b.PaidBack.Plus(p.Amount.Times(-1))
		} else {
			b.Received = b.Received.Plus(p.Amount)
		}
	}
	if i := w.Progress.Invoice; i != nil {
		b.Total, b.Known = i.Total, true
	}
	for _, r := range refunds {
		b.Credited = b.Credited.Plus(r.Refunded()).Plus(r.Refund.Tax)
	}
	return b
}

// Due is what is still to be paid.
func (b Balance) Due() Money { return b.open(1) }

// Return is what was received and is still to be paid back.
func (b Balance) Return() Money { return b.open(-1) }

func (b Balance) open(sign int64) Money {
	left := b.Total.Minor - b.Credited.Minor - b.Received.Minor + b.PaidBack.Minor
	return EUR.Cents(max(0, sign*left))
}

// The states of payment.
const (
	Unpaid     = "unpaid"
	Prepaid    = "prepaid" // money was received before the total was known
	PartPaid   = "part-paid"
	Paid       = "paid"
	Overpaid   = "overpaid"    // more was received than the invoice asks for
	ReturnDue  = "return-due"  // money is to be paid back, because the order was cancelled or refunded
	NothingDue = "nothing-due" // nothing was received, or all was paid back, and nothing is to be paid
)

// State names the balance.
func (b Balance) State() string {
	received := b.Received.Minor > b.PaidBack.Minor
	switch {
	case !b.Known && received:
		return Prepaid
	case !b.Known || !received && b.Due().Minor > 0:
		return Unpaid
	case b.Due().Minor > 0:
		return PartPaid
	case b.Return().Minor > 0 && b.Total.Minor > 0 && b.Credited.Minor == 0:
		return Overpaid
	case b.Return().Minor > 0:
		return ReturnDue
	case received:
		return Paid
	}
	return NothingDue
}

// payBack decides, when a refund is made, how much of it is paid back, how much of that was paid back
// before, and by which method if there is one for all payments. The rest reduces what is still due.
func (r *Refund) payBack(payments []Payment, before Balance, total Money) {
	r.PayBack = before.more(total)
	before.PaidBack = EUR.Cents(0)
	r.Returned = before.more(total).Plus(r.PayBack.Times(-1))
	methods := map[string]bool{}
	for _, p := range payments {
		switch {
		case !p.Back():
			methods[p.Method] = true
			r.Method = p.Method
		case r.Returned.Minor > 0:
			r.ReturnedAt = p.PaidAt
		}
	}
	if len(methods) > 1 {
		r.Method = ""
	}
}

// more is by how much a further refund raises what is to be paid back.
func (b Balance) more(refund Money) Money {
	after := b
	after.Credited = b.Credited.Plus(refund)
	return after.Return().Plus(b.Return().Times(-1))
}

// Reduces is the part of a refund that is not paid back: a claim that falls away.
func (o Order) Reduces() Money {
	return o.Refunded().Plus(o.Refund.Tax).Plus(o.Refund.PayBack.Times(-1)).Plus(o.Refund.Returned.Times(-1))
}
