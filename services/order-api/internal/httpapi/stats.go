package httpapi

import (
	"io"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client/system"
)

// getStats returns the system as it is now, with all points.
func (a *api) getStats(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, a.Stats.Now(c.Request().Context()))
}

func (a *api) watchStats(c echo.Context) error { return a.WatchStats(c, sendStats) }

// StatsSender writes the system, or that nothing has changed: then s is nil.
type StatsSender func(w io.Writer, s *system.Stats) error

// WatchStats streams the system. Each event has the whole of it, but only points that are new, so a
// client that is slow or reconnects needs the newest one alone.
func (a *api) WatchStats(c echo.Context, send StatsSender) error {
	after, err := lastEventID(c.Request().Header)
	if err != nil {
		return err
	}
	changes, stop := a.Stats.Watch()
	defer stop()
	if isHead := startStream(c); isHead {
		return c.NoContent(http.StatusOK)
	}
	return a.follow(c, changes, 0, func(_, idle bool) (ended bool, err error) {
		now := a.Stats.Now(c.Request().Context())
		switch {
		case after > now.Rev: // of an instance whose clock is ahead
			err = flush(c, func(w io.Writer) error { return send(w, &now) })
		case now.Rev > after:
			now.Points = pointsAfter(now.Points, after)
			err = flush(c, func(w io.Writer) error { return send(w, &now) })
		case idle:
			err = flush(c, func(w io.Writer) error { return send(w, nil) })
		}
		after = now.Rev
		return false, err
	})
}

// pointsAfter returns the points after a rev.
func pointsAfter(all []system.Point, rev int64) []system.Point {
	first := slices.IndexFunc(all, func(p system.Point) bool { return p.At.UnixMilli() > rev })
	if first < 0 {
		first = len(all)
	}
	return all[first:]
}

// sendStats is the StatsSender of the API.
func sendStats(w io.Writer, s *system.Stats) error {
	if s == nil {
		_, err := io.WriteString(w, emptyComment)
		return err
	}
	return writeEvent(w, s.Rev, s)
}
