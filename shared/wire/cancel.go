package wire

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// CancelRequest asks the owner of an order to cancel it. It is written to orders.replay and not to
// orders, where it would wait behind its order and all others that are not begun.
type CancelRequest struct {
	Order  order.ID
	Origin order.Origin // Incarnation is empty in what was read
	Cause  order.Cause  // who asks
	At     time.Time
}

// Record is the request as it is written to the topic for replays.
func (c CancelRequest) Record() *kgo.Record {
	id := string(c.Order)
	e := Envelope{
		Type: TypeCancel, ID: id + "/cancel", Time: c.At, Cause: c.Cause, content: jsonType,
		Facts: []Fact{{hOrigin, decimal(c.Origin.Offset)}},
	}
	return e.Record([]byte(id), mustJSON(cancelValue{schema, c.Order, c.Origin.Offset}), nil)
}

// ReadCancelRequest reads a request. The partition of the origin is that of the record.
func ReadCancelRequest(r *kgo.Record) (CancelRequest, error) {
	var v cancelValue
	if err := decode(r.Value, &v); err != nil {
		return CancelRequest{}, err
	}
	if string(r.Key) != string(v.Order) || !wellFormed(v.Order) || v.Origin < 0 {
		return CancelRequest{}, fmt.Errorf("%w: key %.40q cancels order %.40q at %d", ErrUndecodable, r.Key, v.Order, v.Origin)
	}
	return CancelRequest{
		Order: v.Order, Origin: order.Origin{Partition: r.Partition, Offset: v.Origin},
		Cause: causeOf(r.Headers), At: Unstamp(Header(r, hTime)),
	}, nil
}

type cancelValue struct {
	Schema int      `json:"schema"`
	Order  order.ID `json:"order"`
	Origin int64    `json:"origin"`
}
