package sqlite

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
	deadLetterWords index = "dead_letter_words"
)

// postings is the query for the rows that have a word between two.
func (x index) postings() string {
	return "SELECT row FROM " + string(x) + " WHERE word >= ? AND word < ?"
}

// indexed is what the index of words has of an order or a dead letter.
type indexed struct {
	row, at int64
	words   string
}

func (tx *transaction) addWords(ctx context.Context, x index, in indexed) error {
	return tx.eachWord(ctx, "INSERT INTO "+string(x)+" (word, at, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", in)
}

func (tx *transaction) removeWords(ctx context.Context, x index, in indexed) error {
	return tx.eachWord(ctx, "DELETE FROM "+string(x)+" WHERE word = ? AND at = ? AND row = ?", in)
}

// reindex replaces what the index has of a row.
func (tx *transaction) reindex(ctx context.Context, x index, before, after indexed) error {
	if before == after {
		return nil
	}
	if err := tx.removeWords(ctx, x, before); err != nil {
		return err
	}
	return tx.addWords(ctx, x, after)
}

func (tx *transaction) eachWord(ctx context.Context, statement string, in indexed) error {
	for word := range strings.FieldsSeq(in.words) {
		word, _ = between(word)
		if err := tx.exec(ctx, statement, word, in.at, in.row); err != nil {
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

// search adds the condition that a row has words that begin with all of these. It reports whether
// few rows can be meant: those that have one rare word, or all words that are not too common.
func (db *database) search(ctx context.Context, x index, w *where, words []string) (few bool, err error) {
	postings := x.postings()
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
