package tables

import (
	"context"
	"strings"
)

// An index of words finds rows if they are few. Many are found soon by reading from the newest on.
const (
	maxCandidates = 2_000  // rows that are looked up one by one
	maxPostings   = 50_000 // entries of a word in the index that are compared with those of other words
	maxCompared   = 8      // words of which the entries are compared
	maxWord       = 64     // bytes of a word that the index has
)

// index is a table with the words of the rows of another one.
type index string

// The indexes.
const (
	orderWords      index = "order_words"
	refundWords     index = "refund_words"
	deadLetterWords index = "dead_letter_words"
)

// wordsOf is the index of orders, or that of refunds.
func wordsOf(refunds bool) index {
	if refunds {
		return refundWords
	}
	return orderWords
}

// postings is the query for the rows that have a word between two.
func (x index) postings() string {
	return "SELECT row FROM " + string(x) + " WHERE word >= ? AND word < ?"
}

// indexed is what the index of words has of an order or a dead letter.
type indexed struct {
	row, at int64
	words   string
}

func (tx transaction) addWords(ctx context.Context, x index, in indexed) error {
	return tx.Exec(ctx, "INSERT INTO "+string(x)+" (word, at, row) SELECT value, ?, ? FROM json_each(?) AS texts WHERE true ON CONFLICT DO NOTHING",
		in.at, in.row, in.entries())
}

func (tx transaction) removeWords(ctx context.Context, x index, in indexed) error {
	return tx.Exec(ctx, "DELETE FROM "+string(x)+" WHERE at = ? AND row = ? AND word IN (SELECT value FROM json_each(?) AS texts)",
		in.at, in.row, in.entries())
}

// reindex replaces what the index has of a row.
func (tx transaction) reindex(ctx context.Context, x index, before, after indexed) error {
	if before == after {
		return nil
	}
	if before.words != "" {
		if err := tx.removeWords(ctx, x, before); err != nil {
			return err
		}
	}
	return tx.addWords(ctx, x, after)
}

// entries are the words as the index has them.
func (in indexed) entries() string {
	var all []string
	for word := range strings.FieldsSeq(in.words) {
		all = append(all, entry(word))
	}
	return texts(all)
}

// entry is as much of a word as the index has.
func entry(word string) string {
	if len(word) <= maxWord {
		return word
	}
	return strings.ToValidUTF8(word[:maxWord], "") // without a part of a letter
}

// between are the bounds of the words in the index that begin with a word. No word has the last code
// point of Unicode.
func between(word string) (from, to string) { return entry(word), entry(word) + "\U0010ffff" }

// search adds the condition that a dead letter has words that begin with all of these. It reports whether
// few can be meant: those that have one rare word, or all words that are not too common.
func (db reader) search(ctx context.Context, w *where, words []string) (few bool, err error) {
	postings := deadLetterWords.postings()
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
func (db reader) atMost(ctx context.Context, n int, query string, args ...any) (yes bool, err error) {
	err = db.Each(ctx, func(scan Scan) error {
		var found int
		err := scan(&found)
		yes = found <= n
		return err
	}, "SELECT count(*) FROM (SELECT 1 FROM ("+query+") matches LIMIT ?) few", append(args, n+1)...)
	return yes, err
}
