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

// quote is the command that says what shipping would cost.
type quote struct {
	File string `arg:"" help:"File with one order, or - for stdin. Its customer and street do not matter."`
}

// Run prints what each service costs, and the parcels of the one that is asked for.
func (c *quote) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	o, err := c.read(stdin)
	if err != nil {
		return err
	}
	var q client.Quote
	err = patiently(ctx, func() (err error) {
		q, err = api.Quote(ctx, o)
		return err
	})
	if err != nil {
		return explain(err)
	}
	var lines []string
	for _, s := range q.Services {
		lines = append(lines, offer(s))
		if s.Service == q.Service {
			lines = append(lines, details(s)...)
		}
	}
	return p.result(strings.Join(lines, "\n"), q)
}

// read reads an order, of which fields that nobody knows are left to whoever places it.
func (c *quote) read(stdin io.Reader) (o client.NewOrder, err error) {
	orders, err := readFile(c.File, stdin)
	if err != nil {
		return o, err
	}
	if len(orders) != 1 {
		return o, config.Usage(fmt.Errorf("a quote is for one order, and there are %d", len(orders)))
	}
	if orders[0].Err != nil {
		return o, orders[0].Err
	}
	if err := json.Unmarshal(orders[0].Body, &o); err != nil {
		return o, fmt.Errorf("%s:%d: %w", c.File, orders[0].Line, err)
	}
	o.Customer = client.Customer{} // who it is for changes no price
	return o, nil
}

// offer is a way of shipping in a line.
func offer(s client.Shipping) string {
	return fmt.Sprintf("%s %s %s, %s to %s in %d-%d days", s.Service, s.Price.Amount, s.Price.Currency, s.Carrier, s.Zone, s.Days.Min, s.Days.Max)
}

// details is what is asked for beside weight and size, and what goes into which parcel.
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
