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
	c.Response().Header().Set("Content-Type", "text/event-stream")
	// Without it nginx buffers the events until the stream ends.
	c.Response().Header().Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK) // the headers only
	}
	return a.stream(c, s, after, changes, send)
}

// stream sends changes until none can follow, the client disconnects or the program stops.
func (a *api) stream(c echo.Context, s order.State, after int64, changes <-chan struct{}, send Sender) (err error) {
	ctx := c.Request().Context()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// The end of the stream is written too: the deadline of the last event may have passed.
	defer func() { extend(c) }()
	for {
		if after, err = sendAndFlush(c, visitorOf(c).shown(s), after, send); err != nil || Ended(s) {
			return err
		}
		select {
		case <-changes:
			now, err := a.view.Order(ctx, s.Order.ID)
			switch {
			case errors.Is(err, view.ErrUnknown):
				return nil // erased meanwhile; the status of the response is sent
			case err == nil:
				s = now
			case !errors.Is(err, view.ErrStore): // a rebuilt read model signals the change again
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

// Ended reports whether no change of the order can follow. A dead order can be replayed.
func Ended(s order.State) bool { return s.Status.Final() && s.Status != order.Dead }

// extend gives the next write eventWithin.
func extend(c echo.Context) *http.ResponseController {
	control := http.NewResponseController(c.Response())
	_ = control.SetWriteDeadline(time.Now().Add(eventWithin)) // the writers of some tests support no deadlines
	return control
}

// sendAndFlush sends what is new, or a comment.
func sendAndFlush(c echo.Context, s order.State, after int64, send Sender) (int64, error) {
	w, control := c.Response(), extend(c)
	last, err := send(w, s, after)
	if err == nil && last == after {
		_, err = fmt.Fprint(w, ":\n\n")
	}
	if err != nil {
		return last, err
	}
	return last, control.Flush()
}

// sendChanges is the Sender of the API.
func sendChanges(w io.Writer, s order.State, after int64) (int64, error) {
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
		after = change.Rev
	}
	return after, nil
}
