package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pause is how long Watch waits before it reconnects.
const pause = time.Second

// Watch yields the changes of an order as they happen, starting after the given rev; -1 starts with
// the first change. It ends after the last change of an order that is confirmed or
// cancelled, when ctx is done, or after it has yielded an error. A dead order can be replayed, so
// Watch goes on. A lost connection is no error: Watch reconnects and continues where it was.
func (c *Client) Watch(ctx context.Context, id string, after int64) iter.Seq2[Change, error] {
	return events(ctx, c, "/v1/orders/"+url.PathEscape(id)+"/events", after, func(change Change) int64 { return change.Rev })
}

// events yields the data of the events at a path, starting after the given rev. It reconnects until
// the API responds that no event can follow.
func events[T any](ctx context.Context, c *Client, path string, after int64, rev func(T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			before := after
			over, err := connection(ctx, c, path, after, func(event T) bool {
				after = rev(event)
				return yield(event, nil)
			})
			if err != nil {
				yield(*new(T), err)
			}
			if over || err != nil {
				return
			}
			if after > before {
				continue // reconnect at once: the API responds with 204 if that was the last event
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// connection reads the events of one connection. over reports that no event can follow, or that each
// returned false. A failed or lost connection is no error.
func connection[T any](ctx context.Context, c *Client, path string, after int64, each func(T) bool) (over bool, err error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if after >= 0 {
		header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
	}
	resp, err := c.send(ctx, http.MethodGet, path, header, nil)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status < http.StatusInternalServerError {
		return false, err
	}
	if err != nil {
		return false, context.Cause(ctx)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return true, nil
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue // an id, which the data contains too; a comment; or the end of an event
		}
		var event T
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return false, fmt.Errorf("reading an event of %s: %w", path, err)
		}
		if !each(event) {
			return true, nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) { // reconnecting would not help
		return false, fmt.Errorf("reading an event of %s: larger than %d KiB", path, maxEvent>>10)
	}
	return false, context.Cause(ctx)
}
