package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// DeadLetter implements view.Store.
func (s *Store) DeadLetter(ctx context.Context, id string) (*view.DeadLetter, error) {
	return first(s.deadLetters(ctx, selectDeadLetters()+" WHERE id = ?", []any{id}))
}

// DeadLetters implements view.Store.
func (s *Store) DeadLetters(
	ctx context.Context, f view.DeadLetterFilter, after view.Cursor,
) ([]view.DeadLetter, error) {
	query, args := listDeadLetters(f, after)
	return s.deadLetters(ctx, query, args)
}

// listDeadLetters is the query of a filter.
func listDeadLetters(f view.DeadLetterFilter, after view.Cursor) (string, []any) {
	var w where
	if f.State != "" {
		w.add("state = ?", f.State)
	}
	if f.Step != "" {
		w.add("step = ?", f.Step)
	}
	if f.Reason != "" {
		w.add("reason = ?", f.Reason)
	}
	w.after(after, "(last_failed, id)")
	return selectDeadLetters() + w.String() + " ORDER BY last_failed DESC, id DESC LIMIT ?", append(w.args, f.Limit)
}

func (s *Store) deadLetters(ctx context.Context, query string, args []any) (all []view.DeadLetter, err error) {
	err = s.use(func(db *database) error {
		return db.each(ctx, func(scan scan) error {
			l, err := scanDeadLetter(scan)
			all = append(all, l)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading dead letters: %w", err)
	}
	return all, nil
}

// selectDeadLetters is each dead letter with its order, found by its origin: another order may have
// used the same key. If the key is not that of the order, which may be of a topic that was
// recreated since, it is the dead letter of something else. A dead letter is acknowledged before
// the status that says dead, so an order that has not reached the dead letter's rev yet is not past
// it; nor is one that was never begun.
func selectDeadLetters() string {
	const query = `WITH joined AS (
SELECT l.*, coalesce(o.id, '') AS order_id, coalesce(o.status, '') AS order_status, coalesce(o.rev, 0) AS order_rev,
  coalesce(o.state_at, 0) AS order_at,
  CASE WHEN o.id IS NULL AND e.id IS NOT NULL THEN 'closed'
    WHEN o.status IN (%s) AND o.rev >= l.rev THEN 'closed'
    WHEN o.status NOT IN ('dead', 'accepted') AND o.rev >= l.rev THEN 'replayed'
    WHEN l.gone THEN 'lost' ELSE 'open' END AS state
FROM dead_letters l LEFT JOIN orders o ON o.partition = l.partition AND o."offset" = l."offset" AND l.key IN ('', o.id)
LEFT JOIN erased e ON e.partition = l.partition AND e."offset" = l."offset")
SELECT partition, "offset", dlq_partition, dlq_offset, step, class, reason, message, attempts, first_failed,
  last_failed, worker, replays, rev, order_id, order_status, order_rev, order_at, state FROM joined`
	var ended []string
	for _, s := range order.Statuses() {
		if s.Final() && s != order.Dead {
			ended = append(ended, "'"+string(s)+"'")
		}
	}
	return fmt.Sprintf(query, strings.Join(ended, ", "))
}

func scanDeadLetter(scan scan) (view.DeadLetter, error) {
	var l view.DeadLetter
	var class string
	var first, last int64
	err := scan(&l.Origin.Partition, &l.Origin.Offset, &l.Partition, &l.Offset, &l.Step, &class, &l.Reason, &l.Message,
		&l.Attempts, &first, &last, &l.Worker, &l.Replays, &l.Rev, &l.Order, &l.OrderStatus, &l.OrderRev, &l.OrderAt, &l.State)
	l.Class = failure.ParseClass(class)
	l.FirstFailed, l.LastFailed = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return l, err
}
