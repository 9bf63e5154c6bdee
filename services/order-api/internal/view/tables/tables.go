// Package tables has the SQL of the read model of package view: the queries that answer from its
// tables, and the statements that change them. Packages sqlite and postgres run it.
//
// It is written for SQLite. Package postgres translates the few words that PostgreSQL spells
// differently, so each statement is in both dialects but for those. Parameters are ? or, where one is
// used twice, ?1, ?2 and so on. A plus sign before a column keeps SQLite from using its index.
package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// Scan reads the columns of a row.
type Scan = func(into ...any) error

// Reader runs queries.
type Reader interface {
	// Each calls row for each row that a query finds. It does not run another query meanwhile.
	Each(ctx context.Context, row func(Scan) error, query string, args ...any) error
}

// Writer is a transaction that writes. It need not run a statement before it is asked for a row, or
// committed.
type Writer interface {
	Reader
	Exec(ctx context.Context, statement string, args ...any) error
	// Scan reads the one row that a statement finds. It reports false if there is none.
	Scan(ctx context.Context, statement string, args []any, into ...any) (bool, error)
}

// Rows are what a query finds. The drivers of both databases have them.
type Rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
}

// Each calls row for each row, until one fails. It does not close the rows.
func Each(rows Rows, row func(Scan) error) error {
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Tables has the methods of view.Store that read. Stores embed it.
type Tables struct {
	use func(do func(Reader) error) error
}

// New makes the methods for a store. They call use, which calls do with the store when it is open,
// and returns an error of view.Store.
func New(use func(do func(Reader) error) error) Tables {
	return Tables{use}
}

// Counts is how many orders and refunds have a status, as far as changes add to that.
type Counts map[order.Status]int

// Apply makes all changes of a batch and stores its positions.
func Apply(ctx context.Context, w Writer, b view.Batch) error {
	counts := Counts{}
	if err := Change(ctx, w, b.Changes, counts); err != nil {
		return err
	}
	return Finish(ctx, w, b.Positions, counts)
}

// Change makes some changes of a batch, and adds what they add to counts.
func Change(ctx context.Context, w Writer, changes []view.Change, counts Counts) error {
	tx := transaction{w, counts}
	for _, c := range changes {
		if err := tx.apply(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Finish stores the positions of a batch, and what all its changes have added to counts.
func Finish(ctx context.Context, w Writer, positions map[kafka.Partition]view.Position, counts Counts) error {
	for status, n := range counts {
		if n == 0 {
			continue
		}
		if err := w.Exec(ctx, addCount, status, n); err != nil {
			return err
		}
	}
	for p, at := range positions {
		if err := w.Exec(ctx, putPosition, p.Topic, p.Number, at.Next, at.Epoch, at.Claim, at.Stale); err != nil {
			return err
		}
	}
	return nil
}

// Trim is that of view.Store.
func Trim(ctx context.Context, w Writer, foreign string, partition int32, below int64) error {
	return w.Exec(ctx, `UPDATE dead_letters SET gone = true, state = CASE WHEN state IN ('open', 'parked') THEN 'lost' ELSE state END
WHERE "foreign" = ? AND dlq_partition = ? AND dlq_offset < ? AND NOT gone`, foreign, partition, below)
}

const (
	addCount        = "INSERT INTO order_counts (status, n) VALUES (?, ?) ON CONFLICT (status) DO UPDATE SET n = order_counts.n + excluded.n"
	selectPositions = "SELECT topic, partition, next, epoch, claim, stale FROM positions"
	putPosition     = `INSERT INTO positions (topic, partition, next, epoch, claim, stale) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next, epoch = excluded.epoch, claim = excluded.claim, stale = excluded.stale`
)

// AddTopics notes the topics that empty tables are filled from.
func AddTopics(ctx context.Context, w Writer, topics map[string]kadm.TopicID) error {
	for name, id := range topics {
		if err := w.Exec(ctx, "INSERT INTO topics (name, id) VALUES (?, ?)", name, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// Positions returns how far the tables go, or nil if they are filled from other topics.
func Positions(ctx context.Context, db Reader, topics map[string]kadm.TopicID) (map[kafka.Partition]view.Position, error) {
	ids := map[string]kadm.TopicID{}
	err := db.Each(ctx, func(scan Scan) error {
		var name string
		var id []byte
		err := scan(&name, &id)
		ids[name] = kadm.TopicID(append(id, make([]byte, 16)...)[:16])
		return err
	}, "SELECT name, id FROM topics")
	if err != nil || !maps.Equal(ids, topics) {
		return nil, err
	}
	positions := map[kafka.Partition]view.Position{}
	err = db.Each(ctx, func(scan Scan) error {
		var p kafka.Partition
		var at view.Position
		err := scan(&p.Topic, &p.Number, &at.Next, &at.Epoch, &at.Claim, &at.Stale)
		positions[p] = at
		return err
	}, selectPositions)
	return positions, err
}

// transaction makes the changes of a batch.
type transaction struct {
	Writer
	counts Counts
}

// reader runs the queries of Tables.
type reader struct{ Reader }

// read calls do with the store.
func (s Tables) read(do func(reader) error) error {
	return s.use(func(db Reader) error { return do(reader{db}) })
}

// each calls row for each row that a query finds; what is read, for people.
func (s Tables) each(ctx context.Context, what string, row func(Scan) error, query string, args []any) error {
	err := s.use(func(db Reader) error { return db.Each(ctx, row, query, args...) })
	if err != nil {
		return fmt.Errorf("reading %s: %w", what, err)
	}
	return nil
}

// texts is the JSON of those of some texts that a table can have.
func texts(some []string) string {
	known := []string{}
	for _, s := range some {
		if !strings.ContainsRune(s, 0) { // PostgreSQL has none
			known = append(known, s)
		}
	}
	text, _ := json.Marshal(known) // of texts
	return string(text)
}
