package view

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// polled are records of a poll.
type polled struct {
	fetches kgo.Fetches
	entries entries
}

// poll waits for records, and reads those that count if all of them can be read.
func (v *View) poll(ctx context.Context) polled {
	ctx, stop := v.life.until(ctx)
	defer stop()
	fetches := v.gather.poll(ctx, v.cl)
	v.spin.Polled()
	return polled{fetches, v.projection.entries(fetches, func(ids []order.ID) map[order.ID]bool { return v.known(ctx, ids) })}
}

// ahead polls and reads a batch while the one before is written. The zero value has none. It is owned
// by the goroutine of tail.
type ahead struct {
	next chan polled // of the poll that was started; nil if there is none
	stop context.CancelFunc
}

// start starts a poll, unless there is one.
func (a *ahead) start(ctx context.Context, poll func(context.Context) polled) {
	if a.next != nil {
		return
	}
	ctx, a.stop = context.WithCancel(ctx)
	next := make(chan polled, 1)
	a.next = next
	go func() { next <- poll(ctx) }() // ends with stop
}

// take returns what the poll that was started returns, or another one.
func (a *ahead) take(ctx context.Context, poll func(context.Context) polled) polled {
	a.start(ctx, poll)
	p := <-a.next
	a.stop()
	a.next = nil
	return p
}

// drop ends the poll, and forgets its records. The caller tells the client where to read on.
func (a *ahead) drop() {
	if a.next != nil {
		a.stop()
		<-a.next
		a.next = nil
	}
}

// leaveOut ends the poll, and forgets its records of some partitions. They are read again from where
// the partitions are blocked.
func (a *ahead) leaveOut(blocked map[kafka.Partition]error) {
	if a.next == nil || len(blocked) == 0 {
		return
	}
	a.stop()
	p := <-a.next
	if p.fetches.NumRecords() == 0 && errors.Is(p.fetches.Err0(), context.Canceled) { // it has found nothing
		p = polled{}
	}
	for _, f := range p.fetches {
		for _, t := range f.Topics {
			for i := range t.Partitions {
				if blocked[kafka.Partition{Topic: t.Topic, Number: t.Partitions[i].Partition}] != nil {
					t.Partitions[i].Records = nil
				}
			}
		}
	}
	a.next <- p
}
