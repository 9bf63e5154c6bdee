package view

import (
	"cmp"
	"context"
	"slices"
	"time"

	"example.com/orders/shared/order"
)

// sampled is how many orders Samples looks at of each kind.
const sampled = 1_000

// Samples returns the orders of the newest 1,000 dead letters of a cause, and the newest 1,000 orders
// that are confirmed of those placed on the same days (UTC). Both are empty for a cause without orders.
func (v *View) Samples(ctx context.Context, cause string) (dead, confirmed []order.Order, err error) {
	var failed, others []Row
	err = v.ask(func() (err error) {
		if failed, err = v.cfg.Store.CauseOrders(ctx, cause, sampled); err != nil || len(failed) == 0 {
			return err
		}
		from, to := days(failed)
		others, err = v.cfg.Store.Orders(ctx, Filter{Status: order.Confirmed, From: from, To: to, Limit: sampled}, nil, Cursor{})
		return err
	})
	if err == nil {
		dead, err = v.ordersOf(failed)
	}
	if err == nil {
		confirmed, err = v.ordersOf(others)
	}
	return dead, confirmed, cmp.Or(err, v.life.complete())
}

// days are the days on which orders were placed: from the beginning of the first to the end of the last.
func days(rows []Row) (from, to time.Time) {
	older := func(a, b Row) int { return a.PlacedAt.Compare(b.PlacedAt) }
	const day = 24 * time.Hour
	return slices.MinFunc(rows, older).PlacedAt.Truncate(day), slices.MaxFunc(rows, older).PlacedAt.Truncate(day).Add(day)
}

func (v *View) ordersOf(rows []Row) (all []order.Order, err error) {
	for _, row := range rows {
		s, err := v.decode(row)
		if err != nil {
			return nil, err
		}
		all = append(all, s.Order)
	}
	return all, nil
}
