package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client/system"
)

// getStats returns the system as it is now, with all points.
func (a *api) getStats(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, a.Stats.Now(c.Request().Context()))
}

// watchStats streams the system. Each event has the whole of it, but only points that are new, so a
// client that is slow or reconnects needs the newest one alone.
func (a *api) watchStats(c echo.Context) error {
	after, err := lastEventID(c.Request().Header)
	if err != nil {
		return err
	}
	changes, stop := a.Stats.Watch()
	defer stop()
	c.Response().Header().Set("Content-Type", "text/event-stream")
	c.Response().Header().Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	defer func() { extend(c) }()
	for comment := false; ; {
		if comment {
			if err := sendComment(c); err != nil {
				return err
			}
		} else if after, err = a.sendStats(c, after); err != nil {
			return err
		}
		select {
		case <-changes:
			comment = false
		case <-beat.C:
			comment = true
		case <-c.Request().Context().Done():
			return nil
		case <-a.Stopping:
			return nil
		}
	}
}

// sendStats sends the newest state, unless the client has it, and returns its rev.
func (a *api) sendStats(c echo.Context, after int64) (int64, error) {
	now := a.Stats.Now(c.Request().Context())
	if after > now.Rev { // of an instance whose clock is ahead
		after = -1
	}
	if now.Rev == after {
		return after, sendComment(c)
	}
	return now.Rev, sendEvent(c, now, after)
}

// sendEvent sends the state with the points after a rev.
func sendEvent(c echo.Context, s system.Stats, after int64) error {
	first := slices.IndexFunc(s.Points, func(p system.Point) bool { return p.At.UnixMilli() > after })
	if first < 0 {
		first = len(s.Points)
	}
	s.Points = s.Points[first:]
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	control := extend(c)
	if _, err := fmt.Fprintf(c.Response(), "id: %d\ndata: %s\n\n", s.Rev, data); err != nil {
		return err
	}
	return control.Flush()
}
