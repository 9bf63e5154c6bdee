package view

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Filter says which orders to list. Its zero value is all of them.
type Filter struct {
	Refunds  bool         // the refunds instead of the orders
	Owner    order.Actor  // whose orders, or zero: those of all
	Status   order.Status // or empty
	Customer string       // the beginnings of words of a name, a company or an e-mail address, in any case and sequence; or empty

	Reference string    // the number of the shop, as a whole; or empty
	From, To  time.Time // placed at From or later, and before To; zero is open
	Limit     int       // at least 1
	Cursor    string    // where the page before ended; empty for the first
}

// DeadLetterFilter says which dead letters to list. Its zero value is all of them.
type DeadLetterFilter struct {
	States   []DeadLetterState  // or empty: all
	Cause    string             // ID of a group; or empty
	Step     order.Step         // or empty
	Class    *failure.Class     // or nil
	Reason   failure.Reason     // or empty
	Topic    string             // dead-letter topic of another program, or that of ours; or empty: all
	Text     string             // the beginnings of words of an ID, a trace, a message, or a customer's name, company, number or e-mail address; or empty
	From, To time.Time          // failed last at From or later, and before To; zero is open
	Since    map[string][]int64 // whose records were appended after what View.Marks has returned; or nil: all
	Limit    int                // at least 1; not for Groups
	Cursor   string             // where the page before ended; empty for the first; not for Groups
}

// ActFilter says which acts to list. Its zero value is all of them.
type ActFilter struct {
	Actor    string       // such as "operator:ann"; or empty
	Kind     string       // or empty
	Target   string       // or empty
	Outcome  wire.Outcome // or empty
	From, To time.Time    // begun at From or later, and before To; zero is open
	Limit    int          // at least 1
	Cursor   string       // where the page before ended; empty for the first
}

// Cursor is the last row of a page: pages are sorted by time and then by ID, both descending. Zero
// is before the first page.
type Cursor struct {
	At time.Time
	ID string
}

// String is the text by which clients know the cursor.
func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", c.At.UnixMilli(), c.ID))
}

// parseCursor reads what String wrote, or nothing. It is ErrCursor for any other text.
func parseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	millis, id, ok := strings.Cut(string(plain), " ")
	at, err2 := strconv.ParseInt(millis, 10, 64)
	if errors.Join(err, err2) != nil || !ok {
		return Cursor{}, ErrCursor
	}
	return Cursor{time.UnixMilli(at), id}, nil
}

// page asks for the rows after a cursor, at most limit of them, and returns the cursor of the next page or
// "". The question is for one row more, which shows whether there is a next page; at is the place of a row.
// Rows may come with an error: what the store has while it is being rebuilt.
func page[T any](cursor string, limit int, question func(after Cursor, limit int) ([]T, error), at func(T) Cursor) ([]T, string, error) {
	after, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := question(after, limit+1)
	if len(rows) <= limit {
		return rows, "", err
	}
	return rows[:limit], at(rows[limit-1]).String(), err
}
