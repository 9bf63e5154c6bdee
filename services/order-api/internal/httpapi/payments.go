package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/order"
)

// payOrder records a payment. It answers 200 if the payment is recorded, else 202.
func (a *api) payOrder(c echo.Context) error {
	body, err := readJSON(c.Request())
	if err != nil {
		return err
	}
	s, p, known, err := a.pay(c, body)
	if err != nil {
		return err
	}
	h, status := c.Response().Header(), http.StatusAccepted
	if known {
		status = http.StatusOK
		h.Set("Idempotent-Replayed", "true")
	} else if wait, ok := preferredWait(c.Request().Header); ok {
		h.Set("Preference-Applied", fmt.Sprintf("wait=%d", int(wait.Seconds())))
		s = a.awaitOrder(c.Request().Context(), s, wait, func(s order.State) bool {
			reason := s.Receive(p)
			return reason == "" || reason == order.PaymentRefused
		})
		if known, err = desk.Recorded(s, p); err != nil {
			return err
		}
		if known {
			status = http.StatusOK
		}
	}
	refunds, err := a.view.Refunds(c.Request().Context(), s.Order.ID)
	if err != nil {
		return err
	}
	return c.JSON(status, toWhole(visitorOf(c).shown(s), refunds))
}

// pay asks the owner of the requested order to record what a body says. known: it is recorded already.
func (a *api) pay(c echo.Context, body []byte) (s order.State, p order.Payment, known bool, err error) {
	p, wrong, err := decodePayment(body)
	if err != nil {
		return s, p, false, err
	}
	if s, err = a.find(c); err != nil {
		return s, p, false, err
	}
	now := time.Now()
	paidBy(&p, now)
	if wrong = firstOf(append(wrong, p.Validate("", now)...)); len(wrong) > 0 {
		return s, p, false, invalidProblem(invalidPayment, wrong)
	}
	act := trail.Act{Kind: trail.Payment, Target: "order/" + c.Param("id"), Reason: p.Method + " " + p.Amount.String()}
	err = a.record(c, act, func() (err error) {
		s, known, err = a.desk.Pay(c.Request().Context(), s.Order.ID, p)
		return err
	})
	return s, p, known, err
}

// paidBy sets the time of a payment that has none to the present one. Payment by invoice has none. The
// reference, which identifies the payment, loses the spaces around it, as after copying it.
func paidBy(p *order.Payment, now time.Time) {
	p.Reference = strings.TrimSpace(p.Reference)
	if p.Method == order.ByInvoice {
		return
	}
	if p.PaidAt.IsZero() {
		p.PaidAt = now
	}
	p.PaidAt = p.PaidAt.UTC().Truncate(time.Second)
}

// placedPaid checks the payment that comes with a new order: only who may record payments can say that
// money was received.
func (v visitor) placedPaid(o *order.Order) ([]order.Invalid, error) {
	p, now := o.Payment, time.Now()
	if p == nil || p.Method == order.ByInvoice {
		return nil, nil
	}
	if !v.May(identity.RecordPayments) {
		return nil, &forbiddenError{identity.RecordPayments}
	}
	paidBy(p, now)
	return p.Validate("/payment", now), nil
}

// firstOf keeps the first fault of each field.
func firstOf(faults []order.Invalid) (first []order.Invalid) {
	seen := map[string]bool{}
	for _, f := range faults {
		if !seen[f.Pointer] {
			first = append(first, f)
		}
		seen[f.Pointer] = true
	}
	return first
}

// decodePayment reads the JSON of a payment like decodeOrder.
func decodePayment(body []byte) (p order.Payment, wrong []order.Invalid, err error) {
	d, err := newDecoder(body)
	if err != nil {
		return p, nil, err
	}
	kind := client.Received
	all := d.paymentFields(&p)
	all["kind"] = d.text(&kind)
	d.in(all)("")
	switch {
	case kind != client.Received && kind != client.PaidBack:
		d.add("/kind", "must be received or paid-back")
	case p.Amount.Minor < 0:
		d.add("/amount", "must be above 0.00: kind says whether it was received or paid back")
	case kind == client.PaidBack:
		p.Amount = p.Amount.Times(-1)
	}
	return p, d.wrong, nil
}

// payment reads the payment of a new order, which is money that was received.
func (d *decoder) payment(into *order.Payment) func(at string) { return d.in(d.paymentFields(into)) }

func (d *decoder) paymentFields(into *order.Payment) fields {
	return fields{
		"method": d.text(&into.Method), "reference": d.text(&into.Reference),
		"paid_at": d.moment(&into.PaidAt), "amount": d.money(&into.Amount),
	}
}

func (d *decoder) money(into *order.Money) func(at string) {
	return func(at string) {
		var amount, currency string
		before := len(d.wrong)
		d.object(at, fields{"amount": d.text(&amount), "currency": d.text(&currency)})
		if len(d.wrong) > before {
			return
		}
		m, err := order.EUR.Parse(amount)
		switch {
		case err != nil:
			d.add(at, `must have an amount such as "59.80"`)
		case currency != string(order.EUR):
			d.add(at, "must have the currency EUR")
		}
		*into = m
	}
}
