package view

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Order returns an order as it stands, or ErrUnknown.
func (v *View) Order(ctx context.Context, id order.ID) (order.State, error) {
	states, _, err := v.orders(ctx, "WHERE id = ?", []any{id}, 1)
	if err != nil {
		return order.State{}, err
	}
	if len(states) == 0 {
		return order.State{}, fmt.Errorf("order %.100q: %w", id, cmp.Or(v.complete(), ErrUnknown))
	}
	return states[0], nil
}

// Refunds returns the refunds of an order as they stand, by their numbers, without gaps. A refund that the view knows is not
// among them while it does not know one before: they stand in partitions of their own.
func (v *View) Refunds(ctx context.Context, of order.ID) ([]order.State, error) {
	states, _, err := v.orders(ctx, "WHERE refund_of = ? AND refund_of <> ''", []any{of}, math.MaxInt)
	err = cmp.Or(err, v.complete())
	slices.SortFunc(states, func(a, b order.State) int { return cmp.Compare(a.Order.Refund.Number, b.Order.Refund.Number) })
	for i, s := range states {
		if s.Order.Refund.Number != i+1 {
			return states[:i], err
		}
	}
	return states, err
}

// Filter says which orders to list. Its zero value is all of them.
type Filter struct {
	Refunds  bool         // the refunds instead of the orders
	Status   order.Status // or empty
	Customer string       // the beginnings of words of a name or an e-mail address, in any case and sequence; or empty
	From, To time.Time    // placed at From or later, and before To; zero is open
	Limit    int          // at least 1
	Cursor   string       // where the page before ended; empty for the first
}

// Orders returns a page of orders, newest first, and the cursor of the next page or "". Orders that are placed in between do not shift the pages.
func (v *View) Orders(ctx context.Context, f Filter) ([]order.State, string, error) {
	w, err := v.chosen(ctx, f)
	if err != nil {
		return nil, "", err
	}
	states, next, err := v.orders(ctx, w.String()+newestFirst, append(w.args, f.Limit+1), f.Limit)
	return states, next, cmp.Or(err, v.complete())
}

const newestFirst = " ORDER BY placed_at DESC, id DESC LIMIT ?"

// chosen is the condition of a filter. Where few orders can be meant, a plus sign keeps SQLite from taking the index of a column that
// all of them may share.
func (v *View) chosen(ctx context.Context, f Filter) (w where, err error) {
	few, err := v.ofCustomer(ctx, &w, f.Customer)
	if err != nil {
		return w, err
	}
	plus := ""
	if few {
		plus = "+"
	}
	if f.Refunds {
		w.add(plus + "refund_of <> ''")
	} else {
		w.add(plus + "refund_of = ''")
	}
	if f.Status != "" {
		w.add(plus+"status = ?", f.Status)
	}
	if !f.From.IsZero() {
		w.add(plus+"placed_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		w.add(plus+"placed_at < ?", f.To.UnixMilli())
	}
	return w, w.after(f.Cursor, "("+plus+"placed_at, id)")
}

// Document returns the invoice that was issued for an order, byte by byte, from the topic that keeps it. It is ErrUnknown
// for an order whose invoice is not issued, ErrGone when it is not where the order's state says, and ErrAway when Kafka does
// not answer.
func (v *View) Document(ctx context.Context, s order.State) ([]byte, error) {
	if s.Progress.Invoice == nil || s.Progress.Invoice.Kept == nil {
		return nil, fmt.Errorf("invoice of %s: %w", s.Order.ID, ErrUnknown)
	}
	kept := s.Progress.Invoice.Kept
	r, err := v.Record(ctx, v.cfg.Topics.Invoices, s.Origin.Partition, kept.Offset)
	if err != nil {
		return nil, err
	}
	document, err := wire.Issued(r, &s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return document, nil
}

// Record reads from a topic what the view only points at. It is ErrGone when there is no record any more, and ErrAway when Kafka
// does not answer in time. Whoever reads it compares it with what was asked for.
func (v *View) Record(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	r, err := v.records.One(ctx, topic, partition, offset)
	if err != nil && !errors.Is(err, ErrGone) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return r, err
}

// readWithin is how long a reader waits for Kafka: whoever asks would rather ask again.
const readWithin = 3 * time.Second

// orders returns at most limit orders, and a cursor if there is one more.
func (v *View) orders(ctx context.Context, tail string, args []any, limit int) (states []order.State, next string, err error) {
	err = v.read(func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT id, partition, origin, begun, value FROM orders "+tail, args...)
		if err != nil {
			return fmt.Errorf("asking the view for orders: %w", err)
		}
		defer rows.Close()
		states, next, err = v.scanAll(rows, limit)
		return err
	})
	return states, next, err
}

func (v *View) scanAll(rows *sql.Rows, limit int) (states []order.State, next string, err error) {
	for rows.Next() {
		s, err := v.scan(rows)
		if err != nil {
			return nil, "", err
		}
		if len(states) == limit {
			last := states[limit-1].Order
			return states, cursor(last.PlacedAt, string(last.ID)), nil
		}
		states = append(states, s)
	}
	return states, "", rows.Err()
}

// scan reads a row as the records it was made from: the order as placed, and its newest state once it is begun.
func (v *View) scan(rows *sql.Rows) (order.State, error) {
	var r kgo.Record
	var begun bool
	if err := rows.Scan(&r.Key, &r.Partition, &r.Offset, &begun, &r.Value); err != nil {
		return order.State{}, err
	}
	if begun {
		return wire.ReadState(&r)
	}
	o, err := wire.ReadOrder(&r)
	if err != nil {
		return order.State{}, err
	}
	return o.Begin(order.Origin{Incarnation: v.cfg.Incarnation, Partition: r.Partition, Offset: r.Offset}), nil
}

// where collects the conditions of a query.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// after continues behind a cursor. Pages go down by time and then by ID.
func (w *where) after(text, columns string) error {
	if text == "" {
		return nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	millis, id, ok := strings.Cut(string(plain), " ")
	at, err2 := strconv.ParseInt(millis, 10, 64)
	if errors.Join(err, err2) != nil || !ok {
		return ErrCursor
	}
	w.add(columns+" < (?, ?)", at, id)
	return nil
}

// String is the WHERE clause, or nothing.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conditions, " AND ")
}

// cursor names the last row of a page, for after.
func cursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", at.UnixMilli(), id))
}
