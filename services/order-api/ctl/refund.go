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
	Items    []string      `arg:"" optional:"" name:"sku=quantity" help:"Items to refund, such as BOTTLE-750=1. Without items and without --shipping: everything that is not refunded yet."`
	Shipping bool          `help:"Also refund the shipping price, as far as it is not refunded yet."`
	Reason   string        `help:"Reason, printed on the credit note and written to the audit trail."`
	Key      string        `help:"Idempotency key of the refund. Default: a new key for each run."`
	Wait     time.Duration `help:"Wait this long for the refund to be confirmed, at most 60s; fail if it is not. Default: do not wait."`
}

// Run refunds an order and prints the refund, which is a separate order.
func (c *refund) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.Wait < 0 || c.Wait > time.Minute {
		return config.Usage(errors.New("--wait must be from 0s to 60s"))
	}
	want, err := c.want()
	if err != nil {
		return err
	}
	key := cmp.Or(c.Key, rand.Text()) // a random key, so that the request can be retried
	if err := checkKey(key); err != nil {
		return err
	}
	var o client.Order
	err = withRetry(ctx, func() (err error) {
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

// want parses the arguments.
func (c *refund) want() (client.NewRefund, error) {
	r := client.NewRefund{Shipping: c.Shipping, Reason: c.Reason}
	for _, item := range c.Items {
		sku, text, _ := strings.Cut(item, "=")
		quantity, err := strconv.Atoi(text)
		if err != nil || sku == "" {
			return r, config.Usage(fmt.Errorf("%q: must be SKU=QUANTITY, such as BOTTLE-750=1", item))
		}
		r.Items = append(r.Items, client.Item{SKU: sku, Quantity: quantity})
	}
	return r, nil
}

// explain adds a hint to the error of a refund that was refused or whose outcome is unknown.
func (c *refund) explain(err error, key string) error {
	p, refused := errors.AsType[*client.Problem](err)
	switch {
	case !refused || p.Status == http.StatusGatewayTimeout:
		return config.Hint(err, "the refund may have been made: when the API is reachable again, repeat the command with --key "+key)
	case p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity:
		return config.Hint(err, "show the order and its refunds with: ordersctl get "+c.ID)
	}
	return explain(err)
}
