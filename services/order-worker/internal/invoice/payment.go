package invoice

import (
	"strings"
	"time"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/order"
)

// settlement is what was paid before a document, and what it asks for.
type settlement struct {
	payments []order.Payment // that the invoice states; nil for a credit note
	before   order.Money     // what was settled before: paid or, by a credit note, paid back or a claim that falls away
	due      order.Money     // of an invoice: still to be paid, or below zero if too much was paid
	payBack  order.Money     // of a credit note
	returned order.Payment   // of a credit note: what was paid back before it
	reduces  order.Money     // of a credit note: the claim that falls away
	method   string          // of all payments, or empty
}

// settlementOf has the payments at the time of a zone.
func settlementOf(w *order.Work, zone *time.Location) settlement {
	if r := w.Order.Refund; r != nil {
		return settlement{
			before: w.Order.Reduces().Plus(r.Returned), payBack: r.PayBack, reduces: w.Order.Reduces(), method: r.Method,
			returned: order.Payment{PaidAt: r.ReturnedAt.In(zone), Amount: r.Returned},
		}
	}
	var s settlement
	s.payments, s.due = w.Settled(zone)
	s.before = order.Received(s.payments)
	for i, p := range s.payments {
		if s.method = p.Method; p.Method != s.payments[0].Method && i > 0 {
			s.method = ""
			break
		}
	}
	return s
}

// received are the rows below the total: what was paid, and what is left.
func (t *translation) received(s settlement) (rows [][2]string) {
	if len(s.payments) == 0 {
		return nil
	}
	for _, p := range s.payments {
		text := t.Paid
		if p.Back() {
			text = t.PaidBack
		}
		label := fill(text, "method", t.method(p.Method), "date", t.Language.Date(p.PaidAt))
		rows = append(rows, [2]string{label, t.Money(p.Amount.Times(-1))})
	}
	if s.due.Minor < 0 {
		return append(rows, [2]string{t.OverpaidBy, t.Money(s.due.Times(-1))})
	}
	return append(rows, [2]string{t.AmountDue, t.Money(s.due)})
}

// terms says until when to pay, that nothing is to be paid, or what is paid back.
func (t *translation) terms(seller Seller, i order.Invoice, s settlement) string {
	var texts []string
	switch {
	case s.payments == nil && (s.payBack.Minor != 0 || s.before.Minor != 0):
		texts = t.credited(s)
	case s.due.Minor < 0:
		texts = []string{fill(t.Overpaid, "amount", t.Money(s.due.Times(-1)))}
	case s.due.Minor == 0:
		texts = []string{t.NothingDue}
	case seller.PaymentDays == 0:
		texts = []string{t.AtOnce}
	default:
		texts = []string{fill(t.Due, "date", t.Language.Date(seller.due(i)))}
	}
	if s.due.Minor > 0 && seller.IBAN == "" {
		texts = append(texts, fill(t.Ask, "email", seller.Email))
	}
	return strings.Join(texts, " ")
}

// credited says what a credit note pays back, and which part of the claim falls away.
func (t *translation) credited(s settlement) (texts []string) {
	if s.payBack.Minor != 0 {
		texts = append(texts, fill(t.PayBack, "amount", t.Money(s.payBack), "method", t.way(s.method)))
	}
	if s.returned.Amount.Minor != 0 {
		texts = append(texts, fill(t.Returned, "amount", t.Money(s.returned.Amount), "date", t.Language.Date(s.returned.PaidAt)))
	}
	if s.reduces.Minor != 0 {
		texts = append(texts, fill(t.ClaimReduced, "amount", t.Money(s.reduces)))
	}
	return texts
}

// way is how money is paid back that was paid by a method.
func (t *translation) way(method string) string {
	switch method {
	case order.Card, order.PayPal, order.Transfer, order.Cash:
		return t.method(method)
	}
	return t.AsPaid
}

func (t *translation) method(name string) string {
	switch name {
	case order.Card:
		return t.Card
	case order.PayPal:
		return t.PayPal
	case order.Transfer:
		return t.Transfer
	case order.DirectDebit:
		return t.DirectDebit
	case order.Cash:
		return t.Cash
	}
	return t.OtherMethod
}

// means sets the means of payment of an invoice: the account to pay to, or how it was paid.
func (s *Step) means(data *einvoice.Invoice, paid settlement) {
	switch {
	case paid.due.Minor > 0 && s.seller.IBAN != "":
		data.Means, data.IBAN, data.BIC = einvoice.CreditTransfer, s.seller.account(), s.seller.BIC
	case paid.due.Minor <= 0 && len(paid.payments) > 0:
		data.Means = meansOf(paid.method)
	}
	if paid.due.Minor > 0 {
		data.Due = s.seller.due(order.Invoice{IssuedAt: data.Issued})
	}
}

func meansOf(method string) string {
	switch method {
	case order.Card:
		return einvoice.BankCard
	case order.PayPal:
		return einvoice.OnlineService
	case order.Transfer:
		return einvoice.BankAccount
	case order.DirectDebit:
		return einvoice.DirectDebit
	case order.Cash:
		return einvoice.Cash
	}
	return einvoice.Undefined
}
