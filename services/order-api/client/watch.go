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
// the first change. It ends after the last change of an order that is confirmed, cancelled or
// discarded, when ctx is done, or after it has yielded an error. A dead order can be replayed, so
// Watch goes on. A lost connection is no error: Watch reconnects and continues where it was.
func (c *Client) Watch(ctx context.Context, id string, after int64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for {
			before := after
			over, err := c.stream(ctx, id, &after, func(change Change) bool { return yield(change, nil) })
			if err != nil {
				yield(Change{}, err)
			}
			if over || err != nil {
				return
			}
			if after > before {
				continue // reconnect at once: the API responds with 204 if that was the last change
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// stream reads the changes of one connection and advances after. over reports that no change can
// follow, or that each returned false. A failed or lost connection is no error.
func (c *Client) stream(ctx context.Context, id string, after *int64, each func(Change) bool) (over bool, err error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after >= 0 {
		header.Set("Last-Event-ID", strconv.FormatInt(*after, 10))
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/orders/"+url.PathEscape(id)+"/events", header, nil)
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
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue // an id, which the data contains too; a comment; or the end of an event
		}
		var change Change
		if err := json.Unmarshal([]byte(data), &change); err != nil {
			return false, fmt.Errorf("reading a change of %s: %w", id, err)
		}
		*after = change.Rev
		if !each(change) {
			return true, nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) { // reconnecting would not help
		return false, fmt.Errorf("reading a change of %s: larger than %d KiB", id, bufio.MaxScanTokenSize>>10)
	}
	return false, context.Cause(ctx)
}
