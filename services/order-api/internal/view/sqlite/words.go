package sqlite

import (
	"context"
	"strings"

	"example.com/orders/services/order-api/internal/view"
)

// The index of words finds the orders of a customer whose words are rare. A word that is common is found soon by reading the
// orders from the newest on, so the index is asked first, and for no more than maxCandidates.

const (
	maxCandidates = 2000
	maxWord       = 64 // bytes of a word that the index has
)

// indexed is what the index of words has of an order.
type indexed struct {
	row, placedAt int64
	words         string
}

func (tx *transaction) addWords(ctx context.Context, in indexed) error {
	return tx.eachWord(ctx, "INSERT INTO order_words (word, placed_at, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", in)
}

func (tx *transaction) removeWords(ctx context.Context, in indexed) error {
	return tx.eachWord(ctx, "DELETE FROM order_words WHERE word = ? AND placed_at = ? AND row = ?", in)
}

func (tx *transaction) eachWord(ctx context.Context, statement string, in indexed) error {
	for word := range strings.FieldsSeq(in.words) {
		word, _ = between(word)
		if err := tx.exec(ctx, statement, word, in.placedAt, in.row); err != nil {
			return err
		}
	}
	return nil
}

// between are the bounds of the words in the index that begin with a word. No byte of a text is 0xff.
func between(word string) (from, to string) {
	word = word[:min(len(word), maxWord)]
	return word, word + "\xff"
}

// search adds the condition that an order has words that begin with all of these. It reports whether few orders can be meant.
func (db *database) search(ctx context.Context, w *where, words []string) (few bool, err error) {
	rare := ""
	for _, word := range words {
		w.add("instr(words, ?) > 0", " "+word)
		few, err := db.few(ctx, word)
		if err != nil {
			return false, err
		}
		if few && rare == "" {
			rare = word
		}
	}
	if rare != "" {
		from, to := between(rare)
		w.add("rowid IN (SELECT row FROM order_words WHERE word >= ? AND word < ?)", from, to)
	}
	return rare != "", nil
}

// few reports whether at most maxCandidates orders have a word that begins so.
func (db *database) few(ctx context.Context, word string) (few bool, err error) {
	from, to := between(word)
	err = db.each(ctx, func(scan func(...any) error) error {
		var n int
		err := scan(&n)
		few = n <= maxCandidates
		return err
	}, "SELECT count(*) FROM (SELECT 1 FROM order_words WHERE word >= ? AND word < ? LIMIT ?)", from, to, maxCandidates+1)
	return few, err
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

// after continues after a cursor, unless that is zero.
func (w *where) after(c view.Cursor, columns string) {
	if c != (view.Cursor{}) {
		w.add(columns+" < (?, ?)", c.At.UnixMilli(), c.ID)
	}
}

// String is the WHERE clause, or nothing.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
