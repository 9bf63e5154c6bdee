package audit_test

import (
	"testing"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestCancelsAreNoFault(t *testing.T) {
	t.Parallel()
	areNoFaults(t, []allowed{
		{"cancels: before it was begun, too late, and of nothing", func(c *clerk) {
			p := c.place(nil)
			late := c.confirm(c.place(nil))
			for _, at := range []order.Origin{p.Origin, late.Origin, {Offset: 70}} {
				c.append(c.topics.Replay, 1, wire.CancelRequest{Order: "ord_1_1", Origin: at, At: clock}.Record())
			}
			c.write(p, order.Cancelled)
			c.void(p, failure.Cancelled)
		}, audit.Report{Orders: audit.Tally{Accepted: 2, Confirmed: 1, Cancelled: 1}}},
	})
}
