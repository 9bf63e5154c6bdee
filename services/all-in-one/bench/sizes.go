package main

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// sizedOrders is how many orders a turn of sizes places.
const sizedOrders = 2000

// sizes measures what an order costs Kafka. The bytes, by topic and before any compaction, are those of
// batches as they are on the disk of one replica, compressed by the producers. The CPU time is that of a
// broker with one replica of each topic, and an API and a worker as its clients.
func (b *bench) sizes(ctx context.Context) (rows []row, err error) {
	f, err := b.startFlow(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	var cheapest time.Duration
	for turn := range b.Turns {
		before := b.broker.allCPU()
		if err := f.placeMany(ctx, sizedOrders); err != nil {
			return nil, err
		}
		used := b.broker.allCPU() - before
		b.logf("  sizes: turn %d: %.2f ms CPU of Kafka for an order", turn+1, milliseconds(used)/sizedOrders)
		cheapest = shorter(cheapest, used)
	}
	cl, err := b.kafka.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	names, orders := []string{f.set.Orders, f.set.Status, f.set.Invoices}, float64(1+b.Turns*sizedOrders) // startFlow has placed one
	size := kafka.Sizes(ctx, cl, topic.Partitions, names...)
	for _, name := range names {
		rows = append(rows, figure("sizes: bytes of an order in orders"+strings.TrimPrefix(name, f.set.Orders), "%.0f B", float64(size[name])/orders))
	}
	return append(rows,
		figure("sizes: bytes of a mail", "%.0f B", f.sink.size()),
		figure("sizes: CPU of Kafka for an order", "%.2f ms", milliseconds(cheapest)/sizedOrders)), nil
}

// placeMany places orders, and waits until they are mailed.
func (f *flow) placeMany(ctx context.Context, orders int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for range orders {
		g.Go(func() error {
			_, err := f.place(ctx, time.Now())
			return err
		})
	}
	return g.Wait()
}
