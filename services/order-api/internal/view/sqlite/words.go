package sqlite

import (
	"context"
	"strings"
)

// The index of words finds the orders of a customer if they are few. Many are found soon by reading
// the orders from the newest on.
const (
	maxCandidates = 2_000  // orders that are looked up one by one
	maxPostings   = 50_000 // entries of a word in the index that are compared with those of other words
	maxCompared   = 8      // words of which the entries are compared
	maxWord       = 64     // bytes of a word that the index has
)

// indexed is what the index of words has of an order.
type indexed struct {
	row, placedAt int64
	words         string
}

const (
	addWord    = "INSERT INTO order_words (word, placed_at, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
	removeWord = "DELETE FROM order_words WHERE word = ? AND placed_at = ? AND row = ?"
	postings   = "SELECT row FROM order_words WHERE word >= ? AND word < ?"
)

func (tx *transaction) addWords(ctx context.Context, in indexed) error {
	return tx.eachWord(ctx, addWord, in)
}

func (tx *transaction) removeWords(ctx context.Context, in indexed) error {
	return tx.eachWord(ctx, removeWord, in)
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

// between are the bounds of the words in the index that begin with a word. No byte of a text is
// 0xff.
func between(word string) (from, to string) {
	word = word[:min(len(word), maxWord)]
	return word, word + "\xff"
}

// search adds the condition that an order has words that begin with all of these. It reports
// whether few orders can be meant: those that have one rare word, or all words that are not too
// common.
func (db *database) search(ctx context.Context, w *where, words []string) (few bool, err error) {
	for _, word := range words {
		w.add("instr(words, ?) > 0", " "+word)
	}
	for _, word := range words {
		from, to := between(word)
		if few, err := db.atMost(ctx, maxCandidates, postings, from, to); few || err != nil {
			w.add("rowid IN ("+postings+")", from, to)
			return few, err
		}
	}
	var all where
	for _, word := range words[:min(len(words), maxCompared)] {
		from, to := between(word)
		if comparable, err := db.atMost(ctx, maxPostings, postings, from, to); err != nil {
			return false, err
		} else if comparable {
			all.add(postings, from, to)
		}
	}
	if len(all.conditions) < 2 {
		return false, nil
	}
	both := strings.Join(all.conditions, " INTERSECT ")
	if few, err = db.atMost(ctx, maxCandidates, both, all.args...); few {
		w.add("rowid IN ("+both+")", all.args...)
	}
	return few, err
}

// atMost reports whether a query finds at most n rows.
func (db *database) atMost(ctx context.Context, n int, query string, args ...any) (yes bool, err error) {
	err = db.each(ctx, func(scan scan) error {
		var found int
		err := scan(&found)
		yes = found <= n
		return err
	}, "SELECT count(*) FROM (SELECT 1 FROM ("+query+") LIMIT ?)", append(args, n+1)...)
	return yes, err
}
