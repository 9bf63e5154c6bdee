package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// quote is the command that shows shipping prices.
type quote struct {
	File string `arg:"" help:"File with one order; - reads stdin. Customer and street may be missing."`
}

// Run prints the price of each service, and the parcels of the service in the order.
func (c *quote) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	o, err := c.read(stdin)
	if err != nil {
		return err
	}
	var q client.Quote
	err = withRetry(ctx, func() (err error) {
		q, err = api.Quote(ctx, o)
		return err
	})
	if err != nil {
		return explain(err)
	}
	var lines []string
	for _, s := range q.Services {
		lines = append(lines, offer(s, q.Prices))
		if s.Service == q.Service {
			lines = append(lines, details(s)...)
		}
	}
	return p.result(strings.Join(lines, "\n"), q)
}

// read reads one order. It ignores unknown fields; the API refuses them when the order is placed.
func (c *quote) read(stdin io.Reader) (o client.NewOrder, err error) {
	orders, _, err := readFile(c.File, stdin) // the encoding of names does not affect the price
	if err != nil {
		return o, err
	}
	if len(orders) != 1 {
		return o, config.Usage(fmt.Errorf("a quote requires exactly one order, got %d", len(orders)))
	}
	if orders[0].Err != nil {
		return o, orders[0].Err
	}
	if err := json.Unmarshal(orders[0].Body, &o); err != nil {
		return o, fmt.Errorf("%s:%d: %w", c.File, orders[0].Line, err)
	}
	o.Customer = client.Customer{} // does not affect the price
	return o, nil
}

// offer formats the price of a service as one line.
func offer(s client.Shipping, prices string) string {
	vat := ""
	if prices != "" {
		vat = " incl. VAT"
	}
	return fmt.Sprintf("%s %s %s%s, %s to %s in %d-%d days", s.Service, s.Price.Amount, s.Price.Currency, vat, s.Carrier, s.Zone, s.Days.Min, s.Days.Max)
}

// details formats the surcharges and the contents of each parcel.
func details(s client.Shipping) (lines []string) {
	for _, part := range []struct {
		amount *client.Money
		what   string
	}{{s.Fuel, "fuel"}, {s.Remote, "a remote place"}, {s.Oversize, "long parcels"}} {
		if part.amount != nil {
			lines = append(lines, fmt.Sprintf("  of it %s for %s", part.amount.Amount, part.what))
		}
	}
	for _, parcel := range s.Parcels {
		line := fmt.Sprintf("  %d × %d g, %d × %d × %d mm:", parcel.Count, parcel.Grams, parcel.SizeMM[0], parcel.SizeMM[1], parcel.SizeMM[2])
		for _, item := range parcel.Items {
			line += fmt.Sprintf(" %d × %s", item.Quantity, item.SKU)
		}
		lines = append(lines, line)
	}
	return lines
}
