package serve

import (
	"context"
	"net"
	"net/http"
	"time"
)

// RunWithin is Run with another limit for the body of a request.
func RunWithin(ctx context.Context, ln net.Listener, h http.Handler, readWithin time.Duration) error {
	return run(ctx, ln, h, time.Minute, readWithin)
}
