package httpapi

import (
	"io"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
)

// newsEvery is the shortest time between two events of a list: a screen reader says each of them.
const newsEvery = 5 * time.Second

// maxNews is up to how many new dead letters are counted.
const maxNews = 1000

// NewsSender writes how many dead letters a list does not show yet, at most maxNews, or that nothing has changed: then n is
// negative.
type NewsSender func(w io.Writer, n int) error

// Marks is what a list of dead letters that is read next shows at least.
func (f Front) Marks() map[string][]int64 { return f.view.Marks() }

// SelectDeadLetters returns the IDs that a filter selects; see view.View.Select.
func (f Front) SelectDeadLetters(c echo.Context, of view.DeadLetterFilter) ([]string, error) {
	return f.view.Select(c.Request().Context(), of)
}

// WatchDeadLetters streams how many dead letters a filter with marks selects. Each event has the whole number, so a client that
// reconnects needs the newest one alone.
func (f Front) WatchDeadLetters(c echo.Context, of view.DeadLetterFilter, send NewsSender) error {
	of.Limit, of.Cursor = maxNews, ""
	changes, stop := f.view.WatchDeadLetters()
	defer stop()
	if isHead := startStream(c); isHead {
		return nil
	}
	told := 0
	return f.follow(c, changes, newsEvery, func(_, idle bool) (ended bool, err error) {
		ids, err := f.view.Select(c.Request().Context(), of)
		switch n := len(ids); {
		case err == nil && n != told:
			told = n
			return false, flush(c, func(w io.Writer) error { return send(w, n) })
		case idle: // also while the read model is rebuilt
			return false, flush(c, func(w io.Writer) error { return send(w, -1) })
		}
		return false, nil
	})
}
