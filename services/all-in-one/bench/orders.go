package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// sample is the n-th order, as the API appends it.
func sample(n int) order.Order {
	return order.Order{
		ID: order.ID(fmt.Sprintf("ord_bench%017d", n)), PlacedAt: time.Now().UTC(), Service: "standard",
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("customer-%d@example.com", n)},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines: []order.Line{
			{SKU: "BOTTLE-750", Quantity: 1 + n%3, Name: "Trinkflasche Edelstahl 750 ml", UnitPrice: order.EUR.Cents(2490), Grams: 420, Size: [3]int{270, 80, 80}},
			{SKU: "MUG-ENAMEL", Quantity: 1, Name: "Emaillebecher „Küste“, weiß", UnitPrice: order.EUR.Cents(950), Grams: 160, Size: [3]int{95, 110, 85}},
		},
	}
}

// request is the body of the request that places such an order.
func request() ([]byte, error) {
	o := sample(0)
	return json.Marshal(client.NewOrder{
		Customer: client.Customer{Name: o.Customer.Name, Email: o.Customer.Email},
		ShipTo:   client.Address{Line1: o.ShipTo.Line1, City: o.ShipTo.City, PostalCode: o.ShipTo.PostalCode, Country: o.ShipTo.Country},
		Service:  o.Service,
		Items:    []client.Item{{SKU: "BOTTLE-750", Quantity: 1}, {SKU: "MUG-ENAMEL", Quantity: 1}},
	})
}

// place appends n orders to the topic of orders, from a number on.
func (b *bench) place(ctx context.Context, set topic.Set, first, n int) error {
	return b.produce(ctx, set, n, func(i int) *kgo.Record { return wire.Order(sample(first + i)) })
}

// produce appends n records to the topic of orders.
func (b *bench) produce(ctx context.Context, set topic.Set, n int, record func(i int) *kgo.Record) error {
	// The client counts the delivery timeout from the time at which a record is buffered.
	cl, err := b.kafka.ConnectProducer(ctx, kgo.RecordDeliveryTimeout(2*time.Hour))
	if err != nil {
		return err
	}
	defer cl.Close()
	layout := kafka.Layout{Partitions: topic.Partitions}
	var failed kgo.FirstErrPromise
	for i := range n {
		r := record(i)
		r.Topic = set.Orders
		layout.Place(r)
		cl.Produce(ctx, r, failed.Promise())
	}
	return failed.Err()
}
