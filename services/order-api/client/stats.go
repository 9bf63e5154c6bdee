package client

import (
	"context"
	"iter"

	"example.com/orders/services/order-api/client/system"
)

// Stats returns the system as it is now.
func (c *Client) Stats(ctx context.Context) (system.Stats, error) {
	var s system.Stats
	return s, c.get(ctx, "/v1/stats", &s)
}

// WatchStats yields the system at most once a second, when it has changed. The first one has all points;
// the points of a later one are those that are new. It ends when ctx is done, or after it has yielded an
// error.
func (c *Client) WatchStats(ctx context.Context) iter.Seq2[system.Stats, error] {
	return events(ctx, c, "/v1/stats/events", -1, func(s system.Stats) int64 { return s.Rev })
}
