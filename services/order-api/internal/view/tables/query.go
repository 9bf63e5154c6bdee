package tables

import (
	"strings"

	"example.com/orders/services/order-api/internal/view"
)

// where collects the conditions of a query.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// in adds that an expression has one of some values, unless there are none.
func in[T any](w *where, expression string, values []T) {
	if len(values) == 0 {
		return
	}
	var args []any
	for _, v := range values {
		args = append(args, v)
	}
	w.add(expression+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// after continues a descending sequence after a cursor, unless that is zero.
func (w *where) after(c view.Cursor, columns string) { w.beyond(c, columns, "<") }

// beyond continues after a cursor, unless that is zero: a descending sequence with <, an ascending one with >.
func (w *where) beyond(c view.Cursor, columns, than string) {
	if c != (view.Cursor{}) {
		w.add(columns+" "+than+" (?, ?)", c.At.UnixMilli(), c.ID)
	}
}

// String is the WHERE clause, or nothing.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// first is the first of some rows, or nil.
func first[T any](rows []T, err error) (*T, error) {
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}
