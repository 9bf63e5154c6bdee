package wire

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// PaymentRequest asks the owner of an order to record a payment. Like a cancel request it is written to
// orders.replay, where it does not wait behind orders that are not begun.
type PaymentRequest struct {
	Order   order.ID
	Origin  order.Origin // Incarnation is empty in what was read
	StateAt int64        // offset in orders.status of the newest state that the API has seen; 0 if none
	Payment order.Payment
	Cause   order.Cause // who reports it
	At      time.Time
}

// Record is the request as it is written to the topic for replays.
func (p PaymentRequest) Record() *kgo.Record {
	id := string(p.Order)
	e := Envelope{
		Type: TypePayment, ID: id + "/payment/" + SHA256([]byte(p.Payment.Reference))[:16], Time: p.At, Cause: p.Cause, content: jsonType,
		Facts: []Fact{{hOrigin, decimal(p.Origin.Offset)}},
	}
	return e.Record([]byte(id), mustJSON(paymentRequest{schema, p.Order, p.Origin.Offset, p.StateAt, *fromPayment(&p.Payment)}), nil)
}

// ReadPaymentRequest reads a request. The partition of the origin is that of the record. A payment that is
// not valid is ErrUndecodable.
func ReadPaymentRequest(r *kgo.Record) (PaymentRequest, error) {
	var v paymentRequest
	if err := decode(r.Value, &v); err != nil {
		return PaymentRequest{}, err
	}
	if string(r.Key) != string(v.Order) || !wellFormed(v.Order) || min(v.Origin, v.StateAt) < 0 {
		return PaymentRequest{}, fmt.Errorf("%w: key %.40q has a payment of order %.40q at %d", ErrUndecodable, r.Key, v.Order, v.Origin)
	}
	p := *v.Payment.payment()
	at := Unstamp(Header(r, hTime))
	if wrong := p.Validate("/payment", at); len(wrong) > 0 {
		return PaymentRequest{}, &InvalidError{wrong}
	}
	return PaymentRequest{
		Order: v.Order, Origin: order.Origin{Partition: r.Partition, Offset: v.Origin}, StateAt: v.StateAt, Payment: p,
		Cause: causeOf(r.Headers), At: at,
	}, nil
}

type paymentRequest struct {
	Schema  int          `json:"schema"`
	Order   order.ID     `json:"order"`
	Origin  int64        `json:"origin"`
	StateAt int64        `json:"state_at,omitempty"`
	Payment paymentValue `json:"payment"`
}

type paymentValue struct {
	Method    string    `json:"method"`
	Reference string    `json:"reference,omitempty"`
	PaidAt    time.Time `json:"paid_at,omitzero"`
	Amount    money     `json:"amount,omitzero"`
}

func fromPayment(p *order.Payment) *paymentValue {
	if p == nil {
		return nil
	}
	return &paymentValue{p.Method, p.Reference, p.PaidAt, money(p.Amount)}
}

func (v *paymentValue) payment() *order.Payment {
	if v == nil {
		return nil
	}
	return &order.Payment{Method: v.Method, Reference: v.Reference, PaidAt: v.PaidAt.UTC(), Amount: order.Money(v.Amount)}
}

func fromPayments(all []order.Payment) (values []paymentValue) {
	for _, p := range all {
		values = append(values, *fromPayment(&p))
	}
	return values
}

func payments(values []paymentValue) (all []order.Payment) {
	for _, v := range values {
		all = append(all, *v.payment())
	}
	return all
}
