package tables

import (
	"context"
	"strings"
)

// maxWord is how many bytes of a word the index has.
const maxWord = 64

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
