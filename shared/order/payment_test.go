package order_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

var paidAt = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func paid(reference string, cents int64) order.Payment {
	return order.Payment{Method: order.Card, Reference: reference, PaidAt: paidAt, Amount: order.EUR.Cents(cents)}
}

func TestPaymentsAreKnownByTheirReference(t *testing.T) {
	t.Parallel()
	s := valid().Begin(order.Origin{})
	otherMethod := paid("a", 100)
	otherMethod.Method = order.Transfer
	later := paid("a", 100)
	later.PaidAt = paidAt.Add(time.Hour)
	for _, row := range []struct {
		payment order.Payment
		want    string
	}{
		{paid("a", 100), order.PaymentReceived},
		{paid("a", 100), ""},
		{later, ""},
		{paid("a", 101), order.PaymentRefused},
		{otherMethod, order.PaymentRefused},
		{paid("b", 100), order.PaymentReceived},
	} {
		if got := s.Receive(row.payment); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.payment, got, row.want)
		}
	}
	if got := order.Received(s.Payments); got != order.EUR.Cents(200) {
		t.Errorf("received %s, want 2.00", got)
	}
	for n := range order.MaxPayments {
		s.Receive(paid(string(rune('0'+n)), 1))
	}
	if got := s.Receive(paid("one too many", 1)); got != order.PaymentRefused || len(s.Payments) != order.MaxPayments {
		t.Errorf("got %q and %d payments, want the limit %d", got, len(s.Payments), order.MaxPayments)
	}
	s = valid().Begin(order.Origin{})
	s.Order.Refund = &order.Refund{}
	if got := s.Receive(paid("a", 1)); got != order.PaymentRefused {
		t.Errorf("a refund is paid: got %q", got)
	}
}

func TestMoneyIsPaidBackOnceAndNeverMoreThanWasReceived(t *testing.T) {
	t.Parallel()
	s := valid().Begin(order.Origin{})
	for _, row := range []struct {
		payment order.Payment
		want    string
	}{
		{paid("re_0", -1), order.PaymentRefused}, // nothing was received
		{paid("pi_1", 100), order.PaymentReceived},
		{paid("re_1", -101), order.PaymentRefused},
		{paid("re_1", -60), order.PaidBack},
		{paid("re_1", -60), ""},
		{paid("re_1", 60), order.PaymentRefused},
		{paid("re_2", -41), order.PaymentRefused},
		{paid("re_2", -40), order.PaidBack},
		{paid("pi_2", 30), order.PaymentReceived},
	} {
		if got := s.Receive(row.payment); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.payment, got, row.want)
		}
	}
	b := s.Balance(nil)
	if b.Received.Minor != 130 || b.PaidBack.Minor != 100 || order.Received(s.Payments).Minor != 30 || b.State() != order.Prepaid {
		t.Errorf("got %s %+v", b.State(), b)
	}
}

// TestACreditNoteSaysWhatWasPaidBackBeforeIt refunds an order of 65.09 that was paid.
func TestACreditNoteSaysWhatWasPaidBackBeforeIt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		payments                []int64 // cents
		back, returned, reduces int64
	}{
		"nothing before":        {[]int64{6509}, 6509, 0, 0},
		"all before":            {[]int64{6509, -6509}, 0, 6509, 0},
		"a part before":         {[]int64{6509, -3000}, 3509, 3000, 0},
		"part-paid, and back":   {[]int64{3000, -3000}, 0, 3000, 3509},
		"what was overpaid":     {[]int64{7000, -491}, 6509, 0, 0},
		"overpaid, more before": {[]int64{7000, -500}, 6500, 9, 0},
		"not paid":              {nil, 0, 0, 6509},
	} {
		o := valid()
		o.Lines[0].Quantity, o.Lines[0].UnitPrice = 1, order.EUR.Cents(4980)
		s := invoiced(o, order.EUR.Cents(490), 1900)
		if got := s.Progress.Invoice.Total.Minor; got != 6509 {
			t.Fatalf("the total is %d cents", got)
		}
		for i, cents := range row.payments {
			s.Receive(paid(string(rune('a'+i)), cents))
		}
		r, wrong := s.Refund(nil, false, nil)
		if len(wrong) > 0 || len(r.Validate()) > 0 {
			t.Fatalf("%s: %v %v", name, wrong, r.Validate())
		}
		got := [3]int64{r.Refund.PayBack.Minor, r.Refund.Returned.Minor, r.Reduces().Minor}
		if want := [3]int64{row.back, row.returned, row.reduces}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if r.Refund.ReturnedAt.IsZero() != (row.returned == 0) || row.payments != nil && r.Refund.Method != order.Card {
			t.Errorf("%s: got %v, method %q", name, r.Refund.ReturnedAt, r.Refund.Method)
		}
	}
}

func TestAnOrderIsPlacedPaid(t *testing.T) {
	t.Parallel()
	o := valid()
	o.Payment = new(paid("a", 100))
	s := o.Begin(order.Origin{})
	if got := s.Receive(paid("a", 100)); got != "" {
		t.Errorf("the payment is received again: %q", got)
	}
	o.Payment = &order.Payment{Method: order.ByInvoice}
	if got := o.Begin(order.Origin{}).Payments; len(got) != 0 || len(o.Validate()) > 0 {
		t.Errorf("got %v and %v for an order on invoice, want none", got, o.Validate())
	}
}

func TestPaymentsAreValidated(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*order.Payment){
		"/payment/method":    func(p *order.Payment) { p.Method = order.ByInvoice },
		"/payment/reference": func(p *order.Payment) { p.Reference = " " },
		"/payment/amount":    func(p *order.Payment) { p.Amount.Minor = 0 },
		"/payment/paid_at":   func(p *order.Payment) { p.PaidAt = paidAt.Add(2 * order.ClockSkew) },
	} {
		p := paid("a", 100)
		if faults := p.Validate("/payment", paidAt); len(faults) > 0 {
			t.Errorf("got %v, want no faults", faults)
		}
		change(&p)
		if faults := p.Validate("/payment", paidAt); len(faults) != 1 || faults[0].Pointer != want {
			t.Errorf("got %v, want one fault of %s", faults, want)
		}
	}
	o := valid()
	o.Payment = &order.Payment{Method: order.ByInvoice, Amount: order.EUR.Cents(1)}
	if faults := o.Validate(); len(faults) != 1 || faults[0].Pointer != "/payment" {
		t.Errorf("got %v, want a fault of an order on invoice with an amount", faults)
	}
}

func TestStatesOfPayment(t *testing.T) {
	t.Parallel()
	euros := order.EUR.Cents
	for want, rows := range map[string][]order.Balance{
		order.Unpaid:     {{}, {Known: true, Total: euros(100)}, {Known: true, Total: euros(100), Credited: euros(40)}},
		order.Prepaid:    {{Received: euros(1)}},
		order.PartPaid:   {{Known: true, Total: euros(100), Received: euros(99)}},
		order.Paid:       {{Known: true, Total: euros(100), Received: euros(100)}, {Known: true, Total: euros(100), Credited: euros(40), Received: euros(60)}},
		order.Overpaid:   {{Known: true, Total: euros(100), Received: euros(101)}},
		order.ReturnDue:  {{Known: true, Received: euros(1)}, {Known: true, Total: euros(100), Credited: euros(1), Received: euros(100)}},
		order.NothingDue: {{Known: true}, {Known: true, Received: euros(1), PaidBack: euros(1)}, {Known: true, Total: euros(100), Credited: euros(100)}},
	} {
		for _, b := range rows {
			if got := b.State(); got != want {
				t.Errorf("%+v: got %s, want %s", b, got, want)
			}
		}
	}
}

// TestRefundsAndPaymentsAddUp pays and refunds in any sequence.
func TestRefundsAndPaymentsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := valid()
		o.Lines[0].Quantity = 5
		s := invoiced(o, order.EUR.Cents(490), rapid.SampledFrom([]int{0, 700, 1900, 2550}).Draw(t, "rate"))
		total := s.Progress.Invoice.Total.Minor
		var refunds []order.Order
		for n := range rapid.IntRange(0, 8).Draw(t, "acts") {
			if rapid.Bool().Draw(t, "pays") {
				s.Receive(paid(string(rune('a'+n)), rapid.Int64Range(-total, total).Draw(t, "cents")))
				continue
			}
			before := s.Balance(refunds)
			r, wrong := s.Refund(asked(o, 1), false, refunds)
			if len(wrong) > 0 {
				continue // nothing is left
			}
			if faults := r.Validate(); len(faults) > 0 {
				t.Fatalf("refund: %v", faults)
			}
			refunds = append(refunds, r)
			after := s.Balance(refunds)
			if back := after.Return().Minor - before.Return().Minor; back != r.Refund.PayBack.Minor {
				t.Fatalf("the credit note pays back %s, the balance %d cents", r.Refund.PayBack, back)
			}
			if less := before.Due().Minor - after.Due().Minor; less != r.Reduces().Plus(r.Refund.Returned).Minor {
				t.Fatalf("the credit note reduces the claim by %s, and %s is paid back already; the balance by %d cents", r.Reduces(), r.Refund.Returned, less)
			}
		}
		b := s.Balance(refunds)
		if got := b.Received.Plus(b.PaidBack.Times(-1)).Plus(b.Credited).Plus(b.Due()).Plus(b.Return().Times(-1)).Minor; got != total {
			t.Fatalf("%+v adds up to %d cents, want the total %d", b, got, total)
		}
	})
}
