package wire

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Cancel is the record that asks the owner of an order to cancel it. It stands in orders.replay, beside what operators ask
// for, and not in orders: there it would stand behind its order, and behind all others that wait to be begun.
func Cancel(id order.ID, origin order.Origin, at time.Time) *kgo.Record {
	value := mustJSON(cancelValue{schema, id, origin.Offset})
	return record(TypeCancel, string(id), string(id)+"/cancel", at, value, "origin", decimal(origin.Offset))
}

// ReadCancel reads which order is to be cancelled, and its offset in the topic orders, in the partition of the record.
func ReadCancel(r *kgo.Record) (id order.ID, origin int64, err error) {
	var v cancelValue
	if err := decode(r.Value, &v); err != nil {
		return "", 0, err
	}
	if string(r.Key) != string(v.Order) || !wellFormed(v.Order) || v.Origin < 0 {
		return "", 0, fmt.Errorf("%w: key %.40q cancels order %.40q at %d", ErrUndecodable, r.Key, v.Order, v.Origin)
	}
	return v.Order, v.Origin, nil
}

type cancelValue struct {
	Schema int      `json:"schema"`
	Order  order.ID `json:"order"`
	Origin int64    `json:"origin"`
}
