package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"example.com/orders/shared/order"
)

// Searching for a customer: an index of words finds the rare ones. A text that is common is found soon by going through the orders
// from the newest on, so the index is asked first, and for no more than maxCandidates.

const (
	maxCandidates = 2000
	maxWord       = 64 // bytes of a word that the index has
)

// words are the words of a text in lower case, without repeats. Scripts that write words without spaces have one for each character.
func words(text string) (all []string) {
	var word strings.Builder
	end := func() {
		if word.Len() > 0 && !slices.Contains(all, word.String()) {
			all = append(all, word.String())
		}
		word.Reset()
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end()
			word.WriteRune(r)
			end()
		case unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number):
			word.WriteRune(r)
		default:
			end()
		}
	}
	end()
	return all
}

// who is what a search for a customer looks in: words, each with a space before it.
func who(o order.Order) string {
	return " " + strings.Join(words(o.Customer.Name+" "+o.Customer.Email), " ")
}

// ofCustomer adds the condition that a customer's name and e-mail address have all words of a text, or words that begin with them.
// It reports whether the index of words has found few orders that can be meant.
func (v *View) ofCustomer(ctx context.Context, w *where, text string) (found bool, err error) {
	if text == "" {
		return false, nil
	}
	wanted := words(text)
	if len(wanted) == 0 {
		w.add("0") // nothing but punctuation: no word begins so
		return false, nil
	}
	rare := ""
	for _, word := range wanted {
		w.add("instr(who, ?) > 0", " "+word)
		few, err := v.few(ctx, word)
		if err != nil {
			return false, err
		}
		if few && rare == "" {
			rare = word
		}
	}
	if rare != "" {
		from, to := between(rare)
		w.add("rowid IN (SELECT row FROM customers WHERE word >= ? AND word < ?)", from, to)
	}
	return rare != "", nil
}

// few reports whether at most maxCandidates orders have a word that begins so.
func (v *View) few(ctx context.Context, word string) (bool, error) {
	from, to := between(word)
	const query = "SELECT count(*) FROM (SELECT 1 FROM customers WHERE word >= ? AND word < ? LIMIT ?)"
	var n int
	ask := func(db *sql.DB) error { return db.QueryRowContext(ctx, query, from, to, maxCandidates+1).Scan(&n) }
	if err := v.read(ask); err != nil {
		return false, fmt.Errorf("asking the view for customers: %w", err)
	}
	return n <= maxCandidates, nil
}

// between are the bounds of the words in the index that begin with one. No byte of a text is 0xff.
func between(word string) (from, to string) {
	word = word[:min(len(word), maxWord)]
	return word, word + "\xff"
}

// customer is what the index of words has of an order. Row is 0 for none.
type customer struct {
	row, placedAt int64
	who           string
}

// customer reads what the file holds of an order.
func (b *batch) customer(ctx context.Context, id order.ID) (c customer, err error) {
	err = b.tx.QueryRowContext(ctx, "SELECT rowid, placed_at, who FROM orders WHERE id = ?", id).Scan(&c.row, &c.placedAt, &c.who)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return c, err
}

// replaceCustomer puts an order's words into the index, when they are not those that it had.
func (b *batch) replaceCustomer(ctx context.Context, was customer, o order.Order) error {
	if was.row != 0 && was.placedAt == o.PlacedAt.UnixMilli() && was.who == who(o) {
		return nil
	}
	if err := b.removeCustomer(ctx, was); err != nil {
		return err
	}
	now, err := b.customer(ctx, o.ID)
	if err != nil {
		return err
	}
	return b.addCustomer(ctx, now)
}

func (b *batch) addCustomer(ctx context.Context, c customer) error {
	return b.eachWord(ctx, "INSERT INTO customers (word, placed_at, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", c)
}

func (b *batch) removeCustomer(ctx context.Context, c customer) error {
	return b.eachWord(ctx, "DELETE FROM customers WHERE word = ? AND placed_at = ? AND row = ?", c)
}

func (b *batch) eachWord(ctx context.Context, statement string, c customer) error {
	for word := range strings.FieldsSeq(c.who) {
		word, _ = between(word)
		if _, err := b.tx.ExecContext(ctx, statement, word, c.placedAt, c.row); err != nil {
			return err
		}
	}
	return nil
}
