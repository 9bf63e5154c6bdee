package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

// restart measures how long after its start a program mails an order: a worker with a backlog of orders
// that are not begun, a worker that has to restore the states of as many finished orders, and all-in-one
// with an empty directory.
func (b *bench) restart(ctx context.Context) ([]row, error) {
	waiting, err := b.backlog(ctx)
	if err != nil {
		return nil, err
	}
	restored, err := b.restored(ctx)
	if err != nil {
		return nil, err
	}
	var confirmed time.Duration
	for turn := range b.Turns {
		took, err := b.confirmed(ctx, fmt.Sprint("all-in-one-", turn))
		if err != nil {
			return nil, err
		}
		b.logf("  all-in-one: first confirmation after %s", took)
		confirmed = shorter(confirmed, took)
	}
	return []row{
		figure(fmt.Sprintf("restart: worker to its first mail, %d orders waiting", b.Backlog), "%.2f s", waiting.Seconds()),
		figure(fmt.Sprintf("restart: worker to its first mail, %d states to restore", b.Backlog*(len(statuses)-1)), "%.2f s", restored.Seconds()),
		below("restart: all-in-one to its first confirmation", "%.2f s", confirmed.Seconds(), 0.3),
	}, nil
}

// backlog starts a worker when no order has been begun.
func (b *bench) backlog(ctx context.Context) (time.Duration, error) {
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return 0, err
	}
	b.logf("restart: writing %d orders", b.Backlog)
	if err := b.place(ctx, set, 0, b.Backlog); err != nil {
		return 0, err
	}
	return b.firstMail(ctx, prefix)
}

// restored starts a worker when all orders but the last are finished. It has no marks of an earlier
// owner, so it reads all states.
func (b *bench) restored(ctx context.Context) (time.Duration, error) {
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return 0, err
	}
	b.logf("restart: writing %d orders and their states", b.Backlog)
	if err := b.finished(ctx, set, b.Backlog); err != nil {
		return 0, err
	}
	if err := b.commit(ctx, prefix, set); err != nil {
		return 0, err
	}
	if err := b.place(ctx, set, b.Backlog, 1); err != nil {
		return 0, err
	}
	return b.firstMail(ctx, prefix)
}

// commit commits the end of all partitions of orders for a group.
func (b *bench) commit(ctx context.Context, group string, set topic.Set) error {
	cl, err := b.kafka.Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	ends, err := admin.ListEndOffsets(ctx, set.Orders)
	if err != nil {
		return err
	}
	return admin.CommitAllOffsets(ctx, group, ends.Offsets())
}

// firstMail starts a worker, and returns how long after that its first mail arrives.
func (b *bench) firstMail(ctx context.Context, prefix string) (time.Duration, error) {
	s, err := newSink(ctx, 0)
	if err != nil {
		return 0, err
	}
	defer s.close()
	mailed := make(chan time.Time, 1)
	s.mark(1, func(at time.Time) { mailed <- at })
	began := time.Now()
	worker, err := b.consumer(ctx, "order-worker", prefix, s, workerSlots)
	if err != nil {
		return 0, err
	}
	defer worker.stop()
	select {
	case at := <-mailed:
		b.logf("  order-worker: first mail after %s", at.Sub(began))
		return at.Sub(began), nil
	case <-worker.done:
		return 0, fmt.Errorf("%s exited", worker.name)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// confirmed starts all-in-one with an empty directory, and places an order as soon as the API listens.
func (b *bench) confirmed(ctx context.Context, data string) (time.Duration, error) {
	body, err := request()
	if err != nil {
		return 0, err
	}
	began, anyPort := time.Now(), "127.0.0.1:0"
	demo, err := b.start(ctx, "all-in-one", "http://"+address(b.Port+apiPort), b.program("all-in-one"), "--data", filepath.Join(b.dir, data),
		"--http", address(b.Port+apiPort), "--brokers", anyPort, "--inbox", anyPort, "--smtp", anyPort)
	if err != nil {
		return 0, err
	}
	defer demo.stop()
	o, err := client.New("http://"+address(b.Port+apiPort), nil).PlaceJSON(ctx, body, "", time.Minute)
	if err == nil && o.Status != string(order.Confirmed) {
		err = fmt.Errorf("the order is %s, not confirmed", o.Status)
	}
	return time.Since(began), err
}
