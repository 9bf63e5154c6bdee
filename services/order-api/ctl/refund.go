package ctl

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// refund is the command that refunds an order.
type refund struct {
	ID       string        `arg:"" help:"ID of the order."`
	Items    []string      `arg:"" optional:"" name:"sku=quantity" help:"What to refund, such as BOTTLE-750=1. Without items and --shipping: all that is left."`
	Shipping bool          `help:"Refund what is left of the price of shipping, too."`
	Reason   string        `help:"Why; printed on the credit note."`
	Key      string        `help:"Idempotency key of the refund. Without it each run makes a new one."`
	Wait     time.Duration `help:"Wait this long for the refund (at most 60s), and fail when it is not confirmed then."`
}

// Run refunds an order, and prints the refund, which is an order of its own.
func (c *refund) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.Wait < 0 || c.Wait > time.Minute {
		return config.Usage(errors.New("--wait must be at most 60s"))
	}
	want, err := c.want()
	if err != nil {
		return err
	}
	key := cmp.Or(c.Key, rand.Text()) // one that no other has, so that the refund can be tried again
	if err := checkKey(key); err != nil {
		return err
	}
	var o client.Order
	err = patiently(ctx, func() (err error) {
		o, err = api.Refund(ctx, c.ID, want, key, c.Wait)
		return err
	})
	if err != nil {
		return c.explain(err, key)
	}
	if err := p.result(brief(o), o); err != nil {
		return err
	}
	return waited(o, c.Wait)
}

// want reads what is to be refunded.
func (c *refund) want() (client.NewRefund, error) {
	r := client.NewRefund{Shipping: c.Shipping, Reason: c.Reason}
	for _, item := range c.Items {
		sku, text, _ := strings.Cut(item, "=")
		quantity, err := strconv.Atoi(text)
		if err != nil || sku == "" {
			return r, config.Usage(fmt.Errorf("%q is not SKU=QUANTITY, such as BOTTLE-750=1", item))
		}
		r.Items = append(r.Items, client.Item{SKU: sku, Quantity: quantity})
	}
	return r, nil
}

// explain adds what a person can do about a refund of which nobody knows whether it was made, or which was refused.
func (c *refund) explain(err error, key string) error {
	p, refused := errors.AsType[*client.Problem](err)
	switch {
	case !refused || p.Status == http.StatusGatewayTimeout:
		return config.Hint(err, "it may be refunded: when the API is back, run the same command again with --key "+key)
	case p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity:
		return config.Hint(err, "see what it has, and what is refunded, with: ordersctl get "+c.ID)
	}
	return explain(err)
}
