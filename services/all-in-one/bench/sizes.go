package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// sizedOrders is how many orders the sizes of topics are the mean of.
const sizedOrders = 2000

// sizes measures how many bytes Kafka writes for an order, by topic, before any compaction: batches
// as they are on the disk of one replica, compressed by the producers.
func (b *bench) sizes(ctx context.Context) (rows []row, err error) {
	s, err := newSink(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer s.close()
	f, stop, err := b.startFlow(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stop()
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for range sizedOrders - 1 { // startFlow has placed one
		g.Go(func() error {
			_, err := f.place(within, time.Now())
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	cl, err := b.kafka.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	set := topic.Names(fmt.Sprint("bench-", b.prefixes))
	names := []string{set.Orders, set.Status, set.Invoices}
	size := kafka.Sizes(ctx, cl, topic.Partitions, names...)
	for _, name := range names {
		rows = append(rows, figure("sizes: bytes of an order in orders"+strings.TrimPrefix(name, set.Orders), "%.0f B", float64(size[name])/sizedOrders))
	}
	return append(rows, figure("sizes: bytes of a mail", "%.0f B", s.size())), nil
}
