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

// LetterState is what has become of a letter. It follows from the order's status.
type LetterState string

// The states of a letter.
const (
	Open     LetterState = "open"     // nobody has dealt with it
	Lost     LetterState = "lost"     // nobody has dealt with it, and its record is gone from the topic: the order's state may still do
	Replayed LetterState = "replayed" // it was sent back and is being worked on
	Closed   LetterState = "closed"   // its order has ended otherwise since, or was erased
)

// Letter is the newest letter of an origin.
type Letter struct {
	dlq.Letter               // without Key, Value, Headers and Progress: those stay in the topic
	Partition   int32        // in the dead-letter topic: of the record itself, which may be a copy elsewhere than its origin
	Offset      int64        // in that partition
	Order       order.ID     // or empty: a record that is no order has no other trace than its letter
	OrderStatus order.Status // empty without an order
	OrderRev    int64        // 0 without an order
	OrderAt     int64        // offset of the order's newest state in orders.status; 0 while there is none
	State       LetterState
}

// Of reports whether a record with a key can be what failed: the key is that of the letter's order. A record that was too
// large for its letter has no key there, and one that is no order has any.
func (l *Letter) Of(key []byte) bool {
	return l.Order == "" || len(key) == 0 || string(key) == string(l.Order)
}

// LetterFilter says which letters to list. Its zero value is all of them.
type LetterFilter struct {
	State  LetterState    // or empty
	Step   order.Step     // or empty
	Reason failure.Reason // or empty
	Limit  int            // at least 1
	Cursor string         // where the page before ended; empty for the first
}

// Letter returns a letter by its ID, or ErrUnknown.
func (v *View) Letter(ctx context.Context, id string) (Letter, error) {
	letters, _, err := v.letters(ctx, "WHERE id = ?", []any{id}, 1)
	if err != nil {
		return Letter{}, err
	}
	if len(letters) == 0 {
		return Letter{}, fmt.Errorf("letter %.100q: %w", id, cmp.Or(v.complete(), ErrUnknown))
	}
	return letters[0], nil
}

// Letters returns a page of letters, those that failed last first, and the cursor of the next page or "".
func (v *View) Letters(ctx context.Context, f LetterFilter) ([]Letter, string, error) {
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
	letters, next, err := v.letters(ctx, w.String()+" ORDER BY last_failed DESC, id DESC LIMIT ?", append(w.args, f.Limit+1), f.Limit)
	return letters, next, cmp.Or(err, v.complete())
}

// joined is each letter with its order, found by its origin: another order may have used the same key. If the key is not
// that of the order, which may be of a topic that was made again since, it is the letter of something else. A letter is
// acknowledged before the status that says dead, so an order that has not reached the letter's rev yet is not past it;
// nor is one that was never begun.
const joined = `WITH joined AS (
SELECT l.*, coalesce(o.id, '') AS order_id, coalesce(o.status, '') AS order_status, coalesce(o.rev, 0) AS order_rev,
  coalesce(o.state_at, 0) AS order_at,
  CASE WHEN o.id IS NULL AND e.id IS NOT NULL THEN 'closed'
    WHEN o.status IN ('confirmed', 'cancelled', 'discarded') AND o.rev >= l.rev THEN 'closed'
    WHEN o.status NOT IN ('dead', 'accepted') AND o.rev >= l.rev THEN 'replayed'
    WHEN l.gone THEN 'lost' ELSE 'open' END AS state
FROM letters l LEFT JOIN orders o ON o.partition = l.partition AND o.origin = l.origin AND l.key IN ('', o.id)
LEFT JOIN erased e ON e.partition = l.partition AND e.origin = l.origin)
SELECT partition, origin, at_partition, "offset", step, class, reason, message, attempts, first_failed, last_failed, worker, replays, rev,
  order_id, order_status, order_rev, order_at, state FROM joined `

// letters returns at most limit letters, and a cursor if there is one more.
func (v *View) letters(ctx context.Context, tail string, args []any, limit int) (letters []Letter, next string, err error) {
	err = v.read(func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, joined+tail, args...)
		if err != nil {
			return fmt.Errorf("asking the view for letters: %w", err)
		}
		defer rows.Close()
		letters, next, err = v.scanLetters(rows, limit)
		return err
	})
	return letters, next, err
}

func (v *View) scanLetters(rows *sql.Rows, limit int) (letters []Letter, next string, err error) {
	for rows.Next() {
		l, err := v.scanLetter(rows)
		if err != nil {
			return nil, "", err
		}
		if len(letters) == limit {
			last := letters[limit-1]
			return letters, cursor(last.LastFailed, last.ID()), nil
		}
		letters = append(letters, l)
	}
	return letters, "", rows.Err()
}

func (v *View) scanLetter(rows *sql.Rows) (Letter, error) {
	l := Letter{Letter: dlq.Letter{Topic: v.cfg.Topics.Orders}}
	var class string
	var first, last int64
	err := rows.Scan(&l.Origin.Partition, &l.Origin.Offset, &l.Partition, &l.Offset, &l.Step, &class, &l.Reason, &l.Message, &l.Attempts,
		&first, &last, &l.Worker, &l.Replays, &l.Rev, &l.Order, &l.OrderStatus, &l.OrderRev, &l.OrderAt, &l.State)
	l.Class = failure.ParseClass(class)
	l.FirstFailed, l.LastFailed = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return l, err
}

// purge marks the letters whose records the dead-letter topic has dropped, when a log starts higher than the file has heard.
func (v *View) purge(ctx context.Context, starts map[source]int64) error {
	for s, start := range starts {
		if s.topic != v.cfg.Topics.DLQ || start <= v.purged[s] {
			continue
		}
		const mark = `UPDATE letters SET gone = 1 WHERE at_partition = ? AND "offset" < ?`
		err := v.read(func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, mark, s.partition, start)
			return err
		})
		if err != nil {
			return fmt.Errorf("marking lost letters: %w", err)
		}
		v.purged[s] = start
	}
	return nil
}
