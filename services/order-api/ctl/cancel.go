package ctl

import (
	"context"
	"fmt"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// cancelOrder is the command that cancels an order.
type cancelOrder struct {
	ID     string        `arg:"" help:"ID of the order."`
	Reason string        `help:"Why you cancel the order, for the audit trail."`
	Wait   time.Duration `help:"Wait this long for the worker to cancel the order; fail if it does not. Default: do not wait."`
}

// Run requests the cancellation of an order and, with --wait, follows it to the result. It is
// idempotent.
func (c *cancelOrder) Run(ctx context.Context, p *printer, api *client.Client) error {
	var o client.Order
	err := withRetry(ctx, func() (err error) {
		o, err = api.Cancel(ctx, c.ID, c.Reason)
		return err
	})
	if err != nil {
		return explain(err)
	}
	ended := func() error {
		return p.result(o.ID+" "+cancelled, map[string]string{"order": o.ID, "result": cancelled})
	}
	switch {
	case o.Status == cancelled:
		return ended()
	case c.Wait == 0:
		return p.result(o.ID+" cancel "+sent, map[string]string{"order": o.ID, "result": sent})
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	for change, err := range api.Watch(ctx, c.ID, o.Rev-1) {
		switch {
		case err != nil && ctx.Err() != nil:
			return config.Hint(fmt.Errorf("order %s: no answer after %s", c.ID, c.Wait), "follow it with: ordersctl watch "+c.ID)
		case err != nil:
			return explain(err)
		case change.Status == cancelled:
			return ended()
		case change.Reason == order.CancelRefused || final(change.Status) && change.Rev > o.Rev:
			return fmt.Errorf("order %s is %s: a worker had begun it before the cancel request", c.ID, change.Status)
		}
	}
	return config.Hint(fmt.Errorf("order %s: no answer", c.ID), "show it with: ordersctl get "+c.ID)
}
