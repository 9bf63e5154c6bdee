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

// pause is how long Watch waits before it connects again.
const pause = time.Second

// Watch yields the changes of an order with a rev above after, from -1, as they happen. It ends when no change can follow
// (a dead order may be replayed, so its changes go on), when ctx is done, or after an error that it yields. A lost
// connection is no error: Watch connects again and goes on where it was.
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
				continue // it ended after a change that may have been the last: the API knows
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// stream reads one connection's changes and moves after along. It reports whether that was all there is, or all that is
// wanted. A connection that cannot be made or ends is no error.
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
			continue // an id, which stands in the data too, a comment, or the end of an event
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
	if errors.Is(lines.Err(), bufio.ErrTooLong) { // the next connection would bring the same
		return false, fmt.Errorf("reading a change of %s: it is larger than %d KiB", id, bufio.MaxScanTokenSize>>10)
	}
	return false, context.Cause(ctx)
}
