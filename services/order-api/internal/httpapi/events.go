package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

const (
	heartbeat   = 15 * time.Second // interval of comments on an idle stream
	eventWithin = 10 * time.Second // write deadline of an event; a slower client is disconnected
)

// watchOrder streams the changes of an order. The view only signals that there are new ones. They
// are read from the timeline, so a client that is slow or reconnects misses no change that the
// timeline still contains.
func (a *api) watchOrder(c echo.Context) error { return a.Watch(c, sendChanges) }

// Sender writes what a client has not seen of an order, of which after is the last revision that it
// has seen, or -1. It returns the last revision that it wrote, and writes nothing if there is none.
type Sender func(w io.Writer, s order.State, after int64) (int64, error)

// Watch streams the requested order, as the visitor may see it, until no change can follow, the client
// disconnects or the program stops.
func (a *api) Watch(c echo.Context, send Sender) error {
	after, err := lastEventID(c.Request().Header)
	if err != nil {
		return err
	}
	changes, stop := a.view.Watch(order.ID(c.Param("id")))
	defer stop()
	s, err := a.find(c)
	if err != nil {
		return err
	}
	if Ended(s) && after >= s.Rev {
		return c.NoContent(http.StatusNoContent)
	}
	if isHead := startStream(c); isHead {
		return c.NoContent(http.StatusOK)
	}
	return a.follow(c, changes, 0, func(started, _ bool) (ended bool, err error) {
		if started {
			now, err := a.view.Order(c.Request().Context(), s.Order.ID)
			switch {
			case errors.Is(err, view.ErrUnknown):
				return true, nil // erased meanwhile; the status of the response is sent
			case err == nil:
				s = now
			case !errors.Is(err, view.ErrStore): // a rebuilt read model signals the change again
				return false, err
			}
		}
		return Ended(s), flush(c, func(w io.Writer) error {
			last, err := send(w, visitorOf(c).shown(s), after)
			if err == nil && last == after {
				_, err = io.WriteString(w, emptyComment)
			}
			after = last
			return err
		})
	})
}

// startStream sets the headers of a stream of events, and reports whether these are all that is asked for.
func startStream(c echo.Context) (isHead bool) {
	c.Response().Header().Set("Content-Type", "text/event-stream")
	// Without it nginx buffers the events until the stream ends.
	c.Response().Header().Set("X-Accel-Buffering", "no")
	return c.Request().Method == http.MethodHead
}

// follow calls next at once, and then (with started) after changes, which count as one if they are less than pause apart,
// and after each heartbeat (with idle). It returns when next reports the end, the client disconnects or the
// program stops.
func (a *api) follow(c echo.Context, changes <-chan struct{}, pause time.Duration, next func(started, idle bool) (ended bool, err error)) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// The end of the stream is written too: the deadline of the last event may have passed.
	defer func() { extend(c) }()
	for started, idle := false, true; ; started = true {
		if ended, err := next(started, idle); ended || err != nil {
			return err
		}
		var waiting bool
		if waiting, idle = a.await(c, changes, beat.C, pause); !waiting {
			return nil
		}
	}
}

// await waits for a change, and then for a pause; or for a heartbeat. It reports false if the stream ends.
func (a *api) await(c echo.Context, changes <-chan struct{}, beat <-chan time.Time, pause time.Duration) (waiting, idle bool) {
	select {
	case <-beat:
		return true, true
	case <-c.Request().Context().Done():
		return false, false
	case <-a.Stopping:
		return false, false
	case <-changes:
	}
	if pause == 0 {
		return true, false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, false
	case <-c.Request().Context().Done():
	case <-a.Stopping:
	}
	return false, false
}

// Ended reports whether no change of the order can follow. A dead order can be replayed.
func Ended(s order.State) bool { return s.Status.Final() && s.Status != order.Dead }

// extend gives the next write eventWithin.
func extend(c echo.Context) *http.ResponseController {
	control := http.NewResponseController(c.Response())
	_ = control.SetWriteDeadline(time.Now().Add(eventWithin)) // the writers of some tests support no deadlines
	return control
}

// flush sends what send writes, at once.
func flush(c echo.Context, send func(io.Writer) error) error {
	control := extend(c)
	if err := send(c.Response()); err != nil {
		return err
	}
	return control.Flush()
}

// emptyComment shows a client that the stream is alive.
const emptyComment = ":\n\n"

// sendChanges is the Sender of the API.
func sendChanges(w io.Writer, s order.State, after int64) (int64, error) {
	for _, change := range s.Timeline {
		if change.Rev <= after {
			continue
		}
		if err := writeEvent(w, change.Rev, toChange(change)); err != nil {
			return after, err
		}
		after = change.Rev
	}
	return after, nil
}

// writeEvent writes an event with a value as JSON. The id is the position that the client has then.
func writeEvent(w io.Writer, id int64, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		_, err = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", id, data)
	}
	return err
}
