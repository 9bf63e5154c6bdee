package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/telemetry"
)

// load is a number of orders to place.
type load struct{ orders, rate int }

// run places the orders that Place is asked for, until ctx is done.
func (b *breaker) run(ctx context.Context, customer *client.Client) error {
	for {
		select {
		case l := <-b.loads:
			if err := b.place(ctx, customer, l); err != nil && ctx.Err() == nil {
				b.log.LogAttrs(ctx, slog.LevelWarn, "the orders of \"Break it\" are not all placed", slog.String(telemetry.Error, err.Error()))
			}
			b.mu.Lock()
			b.placing = false
			b.mu.Unlock()
		case <-ctx.Done():
			return nil
		}
	}
}

// place places orders one after the other. One that is refused, as by backpressure, is counted.
func (b *breaker) place(ctx context.Context, customer *client.Client, l load) error {
	products, err := customer.Products(ctx)
	if err != nil || len(products) == 0 {
		return err
	}
	ticks := make(<-chan time.Time)
	if l.rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(l.rate))
		defer ticker.Stop()
		ticks = ticker.C
	}
	for n := range l.orders {
		_, err := customer.Place(ctx, sampleOrder(n, products), "", 0)
		p, refused := errors.AsType[*client.Problem](err)
		if refused = refused && p.Status < http.StatusInternalServerError; err != nil && !refused {
			return err
		}
		b.count(refused)
		if l.rate > 0 {
			select {
			case <-ticks:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (b *breaker) count(refused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused {
		b.last.Refused++
	} else {
		b.last.Placed++
	}
}

// sampleOrder is the order number n of some that people who do not exist place.
func sampleOrder(n int, products []client.Product) client.NewOrder {
	people := []client.NewOrder{
		{Customer: client.Customer{Name: "Ada Example", Email: "ada@example.com"}, ShipTo: client.Address{Line1: "1 Sample Street", City: "Berlin", PostalCode: "10115", Country: "DE"}},
		{Customer: client.Customer{Name: "Béla Minta", Email: "bela@example.com"}, ShipTo: client.Address{Line1: "2 Sample Street", City: "Paris", PostalCode: "75001", Country: "FR"}},
		{Customer: client.Customer{Name: "Carla Esempio", Email: "carla@example.com"}, ShipTo: client.Address{Line1: "3 Sample Street", City: "Wien", PostalCode: "1010", Country: "AT"}},
	}
	o := people[n%len(people)]
	o.Service = "standard"
	o.Items = []client.Item{{SKU: products[n%len(products)].SKU, Quantity: 1}}
	return o
}
