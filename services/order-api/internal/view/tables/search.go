package tables

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// A search for orders reads, from the newest on, the fewest of these: the orders of the status, those of the
// owner, the refunds, or those that have one of the words. Those with a word are read in windows of time, which
// the index of words finds. Each window has more entries than the one before, until the page is full.
//
// A search for dead letters looks up those that have all words, if they are few. Many are found soon by reading from the newest on.
const (
	maxCompared   = 8      // words of which the entries are compared
	maxSpellings  = 32     // words of the index that begin with a word of a search; with more the index is read whole
	maxUnsorted   = 20_000 // entries of the index that are read whole for a window
	rarityAt      = 1_000  // what has its 1,000th entry further back is rarer
	firstWindow   = 128    // entries
	nextWindow    = 4      // times as many
	mergedWith    = 4      // times as many rows of another index are read for a window; of more, each row is looked up
	maxCandidates = 2_000  // dead letters that are looked up one by one
)

// period is a range of times in Unix milliseconds: from is in it, to is not.
type period struct{ from, to int64 }

// entries are those of the index of words that begin with a word of a search.
type entries struct {
	index
	word      string
	spellings []string  // each word of the index; nil: none, or more than maxSpellings
	last      milestone // the rarityAt-th newest
}

// milestone is the time of the n-th newest of something; there are fewer than n if it is not known.
type milestone struct {
	known bool
	at    int64
}

// rarer reports whether something is rarer than what has another milestone.
func (m milestone) rarer(than milestone) bool { return than.known && (!m.known || m.at < than.at) }

// found returns the orders of a filter.
func (db reader) found(ctx context.Context, f view.Filter, words []string, after view.Cursor) ([]view.Row, error) {
	s := spanOf(f.From, f.To)
	if after != (view.Cursor{}) {
		s.to = min(s.to, after.At.UnixMilli()+1)
	}
	byStatus, table, err := db.byStatus(ctx, f, s)
	if err != nil {
		return nil, err
	}
	driver, others, err := db.rarest(ctx, wordsOf(f.Refunds), words, s)
	if err != nil {
		return nil, err
	}
	q := ordersOf{Filter: f, words: words, after: after, byStatus: byStatus}
	if f.Reference != "" || driver == nil || table.rarer(driver.last) {
		text, args := q.query()
		return db.orders(ctx, text, args)
	}
	return db.windows(ctx, q, *driver, others, s)
}

// spanOf is the span between two times. A zero time is no limit.
func spanOf(from, to time.Time) period {
	s := period{math.MinInt64, math.MaxInt64}
	if !from.IsZero() {
		s.from = from.UnixMilli()
	}
	if !to.IsZero() {
		s.to = to.UnixMilli()
	}
	return s
}

// windows reads the orders that have a word window by window.
func (db reader) windows(ctx context.Context, q ordersOf, driver entries, others []entries, s period) (all []view.Row, err error) {
	most := q.Limit
	for n := max(firstWindow, most); ; n *= nextWindow {
		first, err := db.nth(ctx, driver.newest(), driver.args(s), n)
		if err != nil {
			return nil, err
		}
		window := s
		if first.known {
			window.from = first.at
		}
		q.Limit = most - len(all)
		if q.candidates, q.candidateArgs, err = db.candidates(ctx, q.Filter, driver, others, window, mergedWith*n); err != nil {
			return all, err
		}
		text, args := q.query()
		rows, err := db.orders(ctx, text, args)
		if all = append(all, rows...); err != nil || len(all) >= most || !first.known {
			return all, err
		}
		s.to = first.at
	}
}

// byStatus reports whether the index of the status has fewer orders of a filter than that of the owner. The milestone is
// that of the index with the fewest, which may be that of refunds. Without any of them it is the latest time: all orders.
func (db reader) byStatus(ctx context.Context, f view.Filter, s period) (yes bool, last milestone, err error) {
	last = milestone{true, math.MaxInt64}
	const of = "SELECT placed_at FROM orders WHERE "
	switch {
	case f.Owner != (order.Actor{}):
		last, err = db.nth(ctx, of+"owner = ? AND owner <> '' AND "+kindOf(f)+newestPlaced, []any{f.Owner.String(), s.from, s.to}, rarityAt)
	case f.Refunds && f.Status == "":
		last, err = db.nth(ctx, of+kindOf(f)+newestPlaced, []any{s.from, s.to}, rarityAt)
	}
	if err != nil || f.Status == "" {
		return false, last, err
	}
	status, err := db.nth(ctx, of+"status = +? AND "+kindOf(f)+newestPlaced, []any{f.Status, s.from, s.to}, rarityAt)
	if f.Owner == (order.Actor{}) || status.rarer(last) {
		return true, status, err
	}
	return false, last, err
}

const newestPlaced = " AND placed_at >= ? AND placed_at < ? ORDER BY placed_at DESC"

// kindOf is the condition of orders or of refunds, as the indexes have it.
func kindOf(f view.Filter) string {
	if f.Refunds {
		return "refund_of <> ''"
	}
	return "refund_of = ''"
}

// nth is the n-th row of a query, which has a column with a time.
func (db reader) nth(ctx context.Context, query string, args []any, n int) (m milestone, err error) {
	err = db.Each(ctx, func(scan Scan) error {
		m.known = true
		return scan(&m.at)
	}, query+" LIMIT 1 OFFSET ?", append(slices.Clone(args), n-1)...)
	return m, err
}

// rarest returns the entries of the word that the fewest orders have, and those of the others. It is nil
// if there are no words, or all are the beginnings of too many others.
func (db reader) rarest(ctx context.Context, x index, words []string, s period) (driver *entries, others []entries, err error) {
	for _, word := range words[:min(len(words), maxCompared)] {
		e, usable, err := db.entries(ctx, x, word, s)
		switch {
		case err != nil:
			return nil, nil, err
		case !usable:
		case driver == nil:
			driver = &e
		case e.last.rarer(driver.last):
			others, driver = append(others, *driver), &e
		default:
			others = append(others, e)
		}
	}
	return driver, others, nil
}

// entries finds out which words of the index begin with a word. They are not usable if they are many, and
// have too many entries.
func (db reader) entries(ctx context.Context, x index, word string, s period) (e entries, usable bool, err error) {
	query := fmt.Sprintf(`WITH RECURSIVE spellings(word) AS (SELECT min(word) FROM %[1]s WHERE word >= ?1 AND word < ?2
UNION ALL SELECT (SELECT min(w.word) FROM %[1]s w WHERE w.word > spellings.word AND w.word < ?2) FROM spellings WHERE spellings.word IS NOT NULL)
SELECT word FROM spellings WHERE word IS NOT NULL LIMIT ?3`, x)
	e.index, e.word = x, word
	from, to := between(word)
	err = db.Each(ctx, func(scan Scan) error {
		var spelling string
		err := scan(&spelling)
		e.spellings = append(e.spellings, spelling)
		return err
	}, query, from, to, maxSpellings+1)
	if err != nil {
		return e, false, err
	}
	if len(e.spellings) > maxSpellings {
		e.spellings = nil
		if usable, err = db.atMost(ctx, maxUnsorted, x.postings(), from, to); err != nil || !usable {
			return e, false, err
		}
	}
	e.last, err = db.nth(ctx, e.newest(), e.args(s), rarityAt)
	return e, true, err
}

// newest is the query for the times of the entries in a span, the newest first.
func (e *entries) newest() string {
	const within = " AND at >= ? AND at < ?"
	of := "SELECT at FROM " + string(e.index) + " WHERE "
	if len(e.spellings) == 0 {
		return of + "word >= ? AND word < ?" + within + " ORDER BY at DESC"
	}
	return of + "word = ?" + within + strings.Repeat(" UNION ALL "+of+"word = ?"+within, len(e.spellings)-1) + " ORDER BY at DESC"
}

// args are those of newest.
func (e *entries) args(s period) (all []any) {
	if len(e.spellings) == 0 {
		from, to := between(e.word)
		return []any{from, to, s.from, s.to}
	}
	for _, word := range e.spellings {
		all = append(all, word, s.from, s.to)
	}
	return all
}

// candidates is the query for the rows of a span that have a word. It leaves out those that do
// not have the others, or the status: the rows of these in the span are read if they are at most so many, else each row is looked up.
func (db reader) candidates(ctx context.Context, f view.Filter, driver entries, others []entries, s period, most int) (string, []any, error) {
	var w where
	if driver.spellings == nil {
		from, to := between(driver.word)
		w.add("p.word >= ? AND p.word < ?", from, to)
	} else {
		w.add("p.word IN (SELECT value FROM json_each(?) AS texts)", texts(driver.spellings))
	}
	w.add("p.at >= ?", s.from)
	w.add("p.at < ?", s.to)
	for _, e := range others {
		if e.spellings == nil {
			continue
		}
		of := also{"SELECT o.row FROM " + string(e.index) + " o WHERE o.word IN (SELECT value FROM json_each(?) AS texts)", "o.at", "o.row", texts(e.spellings)}
		if err := db.also(ctx, &w, of, s, most); err != nil {
			return "", nil, err
		}
	}
	if f.Status != "" {
		of := also{"SELECT o.rowid FROM orders o WHERE o.status = +? AND o." + kindOf(f), "o.placed_at", "+o.rowid", f.Status}
		if err := db.also(ctx, &w, of, s, most); err != nil {
			return "", nil, err
		}
	}
	return "SELECT p.row FROM " + string(driver.index) + " p" + w.String(), w.args, nil
}

// also is an index that must have a row of another one, too: a query with one argument, and its columns.
type also struct {
	query, at, row string
	arg            any
}

// also adds the condition that an index has the row p.row of a span. The offset of zero keeps PostgreSQL from reading all
// entries of a word for a join.
func (db reader) also(ctx context.Context, w *where, of also, s period, most int) error {
	within := of.query + " AND " + of.at + " >= ? AND " + of.at + " < ?"
	few, err := db.atMost(ctx, most, within, of.arg, s.from, s.to)
	if few {
		w.add("p.row IN ("+within+")", of.arg, s.from, s.to)
	} else {
		w.add("EXISTS ("+of.query+" AND "+of.at+" = p.at AND "+of.row+" = p.row LIMIT 1 OFFSET 0)", of.arg)
	}
	return err
}

// search adds the condition that a dead letter that failed last in a span has words that begin with all of these. It reports
// whether few can be meant, which the index finds.
func (db reader) search(ctx context.Context, w *where, words []string, s period) (few bool, err error) {
	for _, word := range words {
		w.add("instr(words, ?) > 0", " "+word)
	}
	driver, others, err := db.rarest(ctx, deadLetterWords, words, s)
	if err != nil || driver == nil {
		return false, err
	}
	// Rows with the rarest word are looked up at once if they are few; else those that have all words.
	for _, and := range [][]entries{nil, others} {
		query, args, err := db.candidates(ctx, view.Filter{}, *driver, and, s, mergedWith*maxCandidates)
		if err != nil {
			return false, err
		}
		if rows, few, err := db.fewRows(ctx, query, args); err != nil || few {
			w.add("rowid IN (SELECT CAST(value AS BIGINT) FROM json_each(?) AS texts)", rows)
			return few, err
		}
		if len(others) == 0 {
			break
		}
	}
	return false, nil
}

// fewRows are the rows of a query as JSON, if there are at most maxCandidates.
func (db reader) fewRows(ctx context.Context, query string, args []any) (rows string, few bool, err error) {
	err = db.Each(ctx, func(scan Scan) error {
		var all string
		err := scan(&all)
		rows, few = "["+strings.ReplaceAll(all, "\n", ",")+"]", strings.Count(all, "\n") < maxCandidates
		return err
	}, "SELECT coalesce(group_concat(id, char(10)), '') FROM (SELECT CAST(row AS TEXT) AS id FROM ("+query+") matches LIMIT ?) few", append(args, maxCandidates+1)...)
	return rows, few, err
}

// atMost reports whether a query finds at most n rows.
func (db reader) atMost(ctx context.Context, n int, query string, args ...any) (yes bool, err error) {
	err = db.Each(ctx, func(scan Scan) error {
		var found int
		err := scan(&found)
		yes = found <= n
		return err
	}, "SELECT count(*) FROM (SELECT 1 FROM ("+query+") matches LIMIT ?) few", append(args, n+1)...)
	return yes, err
}
