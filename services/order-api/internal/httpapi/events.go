package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

const (
	heartbeat   = 15 * time.Second // of a stream with nothing to tell
	eventWithin = 10 * time.Second // for a client to take an event; one that does not is let go
)

// watchOrder streams an order's changes. The view tells only that there is something new: what to send is read off the
// timeline, so a client that is slow, or comes back, misses nothing that the timeline still has.
func (a *api) watchOrder(c echo.Context) error {
	ctx, id := c.Request().Context(), order.ID(c.Param("id"))
	after, err := lastEvent(c.Request().Header)
	if err != nil {
		return err
	}
	changes, stop := a.view.Watch(id)
	defer stop()
	s, err := a.find(ctx, id)
	if err != nil {
		return err
	}
	if over(s) && after >= s.Rev {
		return c.NoContent(http.StatusNoContent)
	}
	c.Response().Header().Set("Content-Type", "text/event-stream")
	// A proxy that collects an answer before it passes it on would keep the events until the last one.
	c.Response().Header().Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK) // there is no stream to wait for
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if after, err = send(c, s, after); err != nil || over(s) {
			return err
		}
		select {
		case <-changes:
			now, err := a.view.Order(ctx, id)
			switch {
			case errors.Is(err, view.ErrUnknown):
				return nil // it was erased, and the stream has begun
			case err == nil:
				s = now
			case !errors.Is(err, view.ErrStore): // else its state comes again
				return err
			}
		case <-beat.C:
		case <-ctx.Done():
			return nil
		case <-a.Stopping:
			return nil
		}
	}
}

// lastEvent is the rev that a client has seen last, or -1.
func lastEvent(h http.Header) (int64, error) {
	ids := h.Values("Last-Event-ID")
	if len(ids) == 0 {
		return -1, nil
	}
	rev, err := strconv.ParseInt(ids[0], 10, 64)
	if err != nil || rev < 0 || len(ids) > 1 {
		return 0, newProblem(badParameter, "Last-Event-ID must be the id of an event")
	}
	return rev, nil
}

// over reports whether no change of the order can follow. A dead one may be replayed.
func over(s order.State) bool { return s.Status.Final() && s.Status != order.Dead }

// send writes the changes behind a rev, or a comment if there are none, and returns the rev of the last.
func send(c echo.Context, s order.State, after int64) (int64, error) {
	w := c.Response()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(eventWithin)) // a writer that knows no deadlines is a test's
	sent := false
	for _, change := range s.Timeline {
		if change.Rev <= after {
			continue
		}
		data, err := json.Marshal(toChange(change))
		if err != nil {
			return after, err
		}
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", change.Rev, data); err != nil {
			return after, err
		}
		after, sent = change.Rev, true
	}
	if !sent {
		if _, err := fmt.Fprint(w, ":\n\n"); err != nil {
			return after, err
		}
	}
	return after, control.Flush()
}
