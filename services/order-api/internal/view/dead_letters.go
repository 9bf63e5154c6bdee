package view

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// DeadLetterState is what has become of a dead letter. It follows from the order's status.
type DeadLetterState string

// The states of a dead letter.
const (
	Open     DeadLetterState = "open"     // nobody has dealt with it
	Lost     DeadLetterState = "lost"     // nobody has dealt with it, and its record is gone from the topic: the order's state may still do
	Replayed DeadLetterState = "replayed" // it was sent back and is being worked on
	Closed   DeadLetterState = "closed"   // its order has ended otherwise since, or was erased
)

// DeadLetter is the newest dead letter of an origin.
type DeadLetter struct {
	dlq.DeadLetter              // without Key, Value, Headers and Progress: those stay in the topic
	Partition      int32        // in the dead-letter topic: of the record itself, which may be a copy elsewhere than its origin
	Offset         int64        // in that partition
	Order          order.ID     // or empty: a record that is no order has no other trace than its dead letter
	OrderStatus    order.Status // empty without an order
	OrderRev       int64        // 0 without an order
	OrderAt        int64        // offset of the order's newest state in orders.status; 0 while there is none
	State          DeadLetterState
}

// Of reports whether a record with a key can be what failed: the key is that of the dead letter's
// order. A record that was too large for its dead letter has no key there, and one that is no order
// has any.
func (l *DeadLetter) Of(key []byte) bool {
	return l.Order == "" || len(key) == 0 || string(key) == string(l.Order)
}

// DeadLetterFilter says which dead letters to list. Its zero value is all of them.
type DeadLetterFilter struct {
	State  DeadLetterState // or empty
	Step   order.Step      // or empty
	Reason failure.Reason  // or empty
	Limit  int             // at least 1
	Cursor string          // where the page before ended; empty for the first
}

// DeadLetter returns a dead letter by its ID, or ErrUnknown.
func (v *View) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	deadLetters, _, err := v.deadLetters(ctx, "WHERE id = ?", []any{id}, 1)
	if err != nil {
		return DeadLetter{}, err
	}
	if len(deadLetters) == 0 {
		return DeadLetter{}, fmt.Errorf("dead letter %.100q: %w", id, cmp.Or(v.complete(), ErrUnknown))
	}
	return deadLetters[0], nil
}

// DeadLetters returns a page of dead letters, those that failed last first, and the cursor of the
// next page or "".
func (v *View) DeadLetters(ctx context.Context, f DeadLetterFilter) ([]DeadLetter, string, error) {
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
	if err := w.after(f.Cursor, "(last_failed, id)"); err != nil {
		return nil, "", err
	}
	deadLetters, next, err := v.deadLetters(ctx, w.String()+" ORDER BY last_failed DESC, id DESC LIMIT ?", append(w.args, f.Limit+1), f.Limit)
	return deadLetters, next, cmp.Or(err, v.complete())
}

// joined is each dead letter with its order, found by its origin: another order may have used the
// same key. If the key is not that of the order, which may be of a topic that was made again since,
// it is the dead letter of something else. A dead letter is acknowledged before the status that
// says dead, so an order that has not reached the dead letter's rev yet is not past it; nor is one
// that was never begun.
const joined = `WITH joined AS (
SELECT l.*, coalesce(o.id, '') AS order_id, coalesce(o.status, '') AS order_status, coalesce(o.rev, 0) AS order_rev,
  coalesce(o.state_at, 0) AS order_at,
  CASE WHEN o.id IS NULL AND e.id IS NOT NULL THEN 'closed'
    WHEN o.status IN ('confirmed', 'cancelled', 'discarded') AND o.rev >= l.rev THEN 'closed'
    WHEN o.status NOT IN ('dead', 'accepted') AND o.rev >= l.rev THEN 'replayed'
    WHEN l.gone THEN 'lost' ELSE 'open' END AS state
FROM dead_letters l LEFT JOIN orders o ON o.partition = l.partition AND o.origin = l.origin AND l.key IN ('', o.id)
LEFT JOIN erased e ON e.partition = l.partition AND e.origin = l.origin)
SELECT partition, origin, at_partition, "offset", step, class, reason, message, attempts, first_failed, last_failed, worker, replays, rev,
  order_id, order_status, order_rev, order_at, state FROM joined `

// deadLetters returns at most limit dead letters, and a cursor if there is one more.
func (v *View) deadLetters(ctx context.Context, tail string, args []any, limit int) (deadLetters []DeadLetter, next string, err error) {
	err = v.read(func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, joined+tail, args...)
		if err != nil {
			return fmt.Errorf("asking the view for dead letters: %w", err)
		}
		defer rows.Close()
		deadLetters, next, err = v.scanDeadLetters(rows, limit)
		return err
	})
	return deadLetters, next, err
}

func (v *View) scanDeadLetters(rows *sql.Rows, limit int) (deadLetters []DeadLetter, next string, err error) {
	for rows.Next() {
		l, err := v.scanDeadLetter(rows)
		if err != nil {
			return nil, "", err
		}
		if len(deadLetters) == limit {
			last := deadLetters[limit-1]
			return deadLetters, cursor(last.LastFailed, last.ID()), nil
		}
		deadLetters = append(deadLetters, l)
	}
	return deadLetters, "", rows.Err()
}

func (v *View) scanDeadLetter(rows *sql.Rows) (DeadLetter, error) {
	l := DeadLetter{DeadLetter: dlq.DeadLetter{Topic: v.cfg.Topics.Orders}}
	var class string
	var first, last int64
	err := rows.Scan(&l.Origin.Partition, &l.Origin.Offset, &l.Partition, &l.Offset, &l.Step, &class, &l.Reason, &l.Message, &l.Attempts,
		&first, &last, &l.Worker, &l.Replays, &l.Rev, &l.Order, &l.OrderStatus, &l.OrderRev, &l.OrderAt, &l.State)
	l.Class = failure.ParseClass(class)
	l.FirstFailed, l.LastFailed = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return l, err
}

// purge marks the dead letters whose records the dead-letter topic has dropped, when a log starts
// higher than the file has heard.
func (v *View) purge(ctx context.Context, starts map[source]int64) error {
	for s, start := range starts {
		if s.topic != v.cfg.Topics.DLQ || start <= v.purged[s] {
			continue
		}
		const mark = `UPDATE dead_letters SET gone = 1 WHERE at_partition = ? AND "offset" < ?`
		err := v.read(func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, mark, s.partition, start)
			return err
		})
		if err != nil {
			return fmt.Errorf("marking lost dead letters: %w", err)
		}
		v.purged[s] = start
	}
	return nil
}
