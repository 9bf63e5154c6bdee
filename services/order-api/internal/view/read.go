package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Order returns an order by its ID, or ErrUnknown.
func (v *View) Order(ctx context.Context, id order.ID) (order.State, error) {
	s, _, err := v.Newest(ctx, id)
	return s, err
}

// Newest is Order with the offset of the state in orders.status; 0 while there is none.
func (v *View) Newest(ctx context.Context, id order.ID) (s order.State, at int64, err error) {
	var row *Row
	err = v.ask(func() (err error) {
		row, err = v.cfg.Store.Order(ctx, id)
		return err
	})
	if err == nil && row == nil {
		return s, 0, v.Unknown(id)
	}
	if err != nil {
		return s, 0, fmt.Errorf("order %.100q: %w", id, err)
	}
	s, err = v.decode(*row)
	return s, row.StateAt, err
}

// knownWithin is how long a request waits for something unknown: any instance may have created it just now.
const knownWithin = time.Second

// AwaitKnown asks for something until it is known: until the error of ask is not ErrUnknown. It asks after each
// change, for a second at most, and not after ctx is done or stopping is closed. The error is that of the last call
// of ask. A nil stopping is never closed.
func (v *View) AwaitKnown(ctx context.Context, changes, stopping <-chan struct{}, ask func() error) error {
	err := ask()
	if !errors.Is(err, ErrUnknown) {
		return err
	}
	defer v.gather.hurry()()
	late := time.NewTimer(knownWithin)
	defer late.Stop()
	for errors.Is(err, ErrUnknown) {
		select {
		case <-changes:
			err = ask()
			continue
		case <-late.C:
		case <-ctx.Done():
		case <-stopping:
		}
		return err
	}
	return err
}

// Unknown is the error of Order for an ID that the view does not know: ErrUnknown, or ErrStore while it
// is being rebuilt.
func (v *View) Unknown(id order.ID) error {
	return fmt.Errorf("order %.100q: %w", id, cmp.Or(v.life.complete(), ErrUnknown))
}

// Refunds returns the refunds of an order, by their numbers, without gaps. A refund that the view
// knows is not among them while it does not know one before: they are in partitions of their own.
func (v *View) Refunds(ctx context.Context, of order.ID) ([]order.State, error) {
	states, err := v.list(func() ([]Row, error) { return v.cfg.Store.Refunds(ctx, of) })
	slices.SortFunc(states, func(a, b order.State) int {
		return cmp.Compare(a.Order.Refund.Number, b.Order.Refund.Number)
	})
	for i, s := range states {
		if s.Order.Refund.Number != i+1 {
			return states[:i], err
		}
	}
	return states, err
}

// Orders returns a page of orders, newest first, and the cursor of the next page or "". Orders that
// are placed in between do not shift the pages.
func (v *View) Orders(ctx context.Context, f Filter) ([]order.State, string, error) {
	customer := words(f.Customer)
	return page(f.Cursor, f.Limit, func(after Cursor, limit int) ([]order.State, error) {
		if f.Customer != "" && len(customer) == 0 { // punctuation: no word begins so
			return nil, v.life.complete()
		}
		f.Limit = limit
		return v.list(func() ([]Row, error) { return v.cfg.Store.Orders(ctx, f, customer, after) })
	}, func(s order.State) Cursor { return Cursor{s.Order.PlacedAt, string(s.Order.ID)} })
}

// Counts returns how many orders and refunds have each status that is not final, or is dead, and when the
// oldest of them was placed: zero if there is none.
func (v *View) Counts(ctx context.Context) (counts map[order.Status]int, oldest map[order.Status]time.Time, err error) {
	counts, oldest = map[order.Status]int{}, map[order.Status]time.Time{}
	err = v.ask(func() (err error) {
		for _, s := range order.Statuses() {
			if s.Final() && s != order.Dead {
				continue
			}
			if counts[s], oldest[s], err = v.cfg.Store.Count(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	return counts, oldest, cmp.Or(err, v.life.complete())
}

// Count returns how many orders and refunds have a status.
func (v *View) Count(ctx context.Context, status order.Status) (n int, err error) {
	err = v.ask(func() error {
		n, _, err = v.cfg.Store.Count(ctx, status)
		return err
	})
	return n, err
}

// Acts returns a page of the audit trail, newest first, and the cursor of the next page or "".
func (v *View) Acts(ctx context.Context, f ActFilter) (all []wire.Act, next string, err error) {
	return page(f.Cursor, f.Limit, func(after Cursor, limit int) ([]wire.Act, error) {
		f.Limit = limit
		err := v.ask(func() (err error) {
			all, err = v.cfg.Store.Acts(ctx, f, after)
			return err
		})
		return all, cmp.Or(err, v.life.complete())
	}, func(a wire.Act) Cursor { return Cursor{a.At, a.ID} })
}

// Fresh returns nil when the view is at most MaxAge old, apart from blocked partitions. It waits
// for that until ctx is done, and is ErrBehind then.
func (v *View) Fresh(ctx context.Context) error { return v.freshness.waitFresh(ctx) }

// Applied returns nil when the record at an offset of orders is applied. It waits for that until
// ctx is done, and is ErrBehind then.
func (v *View) Applied(ctx context.Context, partition int32, offset int64) error {
	defer v.gather.hurry()()
	return v.freshness.waitApplied(ctx, kafka.Partition{Topic: v.cfg.Topics.Orders, Number: partition}, offset)
}

// Document returns the invoice that was issued for an order, byte by byte, from the topic that
// keeps it. It is ErrUnknown for an order whose invoice is not issued, ErrGone when it is not where
// the order's state says, and ErrAway when Kafka does not answer.
func (v *View) Document(ctx context.Context, s order.State) ([]byte, error) {
	if !s.Progress.Issued() {
		return nil, fmt.Errorf("invoice of %s: %w", s.Order.ID, ErrUnknown)
	}
	r, err := v.Record(ctx, v.cfg.Topics.Invoices, s.Origin.Partition, s.Progress.Invoice.Kept.Offset)
	if err != nil {
		return nil, err
	}
	document, err := wire.Issued(r, &s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return document, nil
}

// Record reads from a topic what the store only points at. It is ErrGone when there is no record
// any more, and ErrAway when Kafka does not answer in time. The caller compares it with what was
// asked for: a recreated topic has other records.
func (v *View) Record(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r, err := v.records.One(ctx, topic, partition, offset)
	if err != nil && !errors.Is(err, ErrGone) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return r, err
}

// maxGap is how many records are read and dropped between two that are wanted, rather than read by
// themselves.
const maxGap = 50

// reads is how many requests of a reader are in flight.
const reads = 8

// Records is Record for many records of a topic, at offsets by partition. It reads those that are near each other together, and
// calls found with each, one at a time, in any sequence. It leaves out those that it cannot read.
func (v *View) Records(ctx context.Context, topic string, wanted map[int32][]int64, found func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var mu sync.Mutex
	g := new(errgroup.Group)
	g.SetLimit(reads)
	for partition, offsets := range wanted {
		for _, run := range runs(offsets) {
			g.Go(func() error {
				return v.records.Read(ctx, topic, partition, run[0], run[len(run)-1]+1, func(r *kgo.Record) error {
					if _, ok := slices.BinarySearch(run, r.Offset); ok {
						mu.Lock()
						defer mu.Unlock()
						found(r)
					}
					return nil
				})
			})
		}
	}
	return g.Wait()
}

// runs are some offsets, sorted, in parts that are read together.
func runs(offsets []int64) (all [][]int64) {
	for _, at := range slices.Sorted(slices.Values(offsets)) {
		if n := len(all); n > 0 && at-all[n-1][len(all[n-1])-1] <= maxGap {
			all[n-1] = append(all[n-1], at)
			continue
		}
		all = append(all, []int64{at})
	}
	return all
}

// readTimeout is how long a reader waits for Kafka.
const readTimeout = 3 * time.Second

// list asks for rows. With ErrStore it returns what the store has while it is being rebuilt.
func (v *View) list(find func() ([]Row, error)) (states []order.State, err error) {
	err = v.ask(func() error {
		rows, err := find()
		if err != nil {
			return err
		}
		for _, row := range rows {
			s, err := v.decode(row)
			if err != nil {
				return err
			}
			states = append(states, s)
		}
		return nil
	})
	return states, cmp.Or(err, v.life.complete())
}

// ask asks the store. While that cannot answer the error is ErrStore; a store that turns out to be
// damaged is rebuilt.
func (v *View) ask(question func() error) error {
	if v.life.is(opening) { // it may have what topics contained that are deleted
		return ErrStore
	}
	err := question()
	if errors.Is(err, ErrDamaged) {
		v.life.to(damaged, err)
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return err
}

// decode reads a row as the records that it was made from: the order as placed, and its newest
// state once it is begun.
func (v *View) decode(row Row) (order.State, error) {
	r := &kgo.Record{Key: []byte(row.ID), Partition: row.Partition, Offset: row.Offset, Value: row.Value}
	if row.Begun {
		s, err := wire.ReadState(r)
		s.Discarded = row.Discarded
		return s, err
	}
	o, err := wire.ReadOrder(r)
	if err != nil {
		return order.State{}, err
	}
	return o.Begin(order.Origin{Incarnation: v.cfg.Incarnation, Partition: r.Partition, Offset: r.Offset}), nil
}
