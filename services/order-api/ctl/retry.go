package ctl

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// A request is retried with exponential backoff, for about three seconds in total.
const (
	attempts   = 5
	firstPause = 200 * time.Millisecond
)

// withRetry retries a request while its error is temporary. The request must be idempotent.
func withRetry(ctx context.Context, request func() error) error {
	for attempt := range attempts - 1 {
		err := request()
		if err == nil || ctx.Err() != nil || !temporary(err) {
			return err
		}
		// Jitter, so that requests which failed together are not repeated together.
		pause := firstPause << attempt
		select {
		case <-time.After(pause + rand.N(pause/2)):
		case <-ctx.Done():
			return err
		}
	}
	return request()
}

// rateLimited is the problem of a client that sends too many requests. It may go on within a second.
const rateLimited = "/problems/rate-limit"

// temporary reports whether an error is temporary: the API is busy or behind, or the connection was
// lost.
func temporary(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	if !refused {
		at, network := errors.AsType[*net.OpError](err)
		return !network || at.Op != "dial"
	}
	if p.Type == rateLimited {
		return true
	}
	switch p.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// unreachable reports whether a request got no response.
func unreachable(err error) bool {
	_, cut := errors.AsType[*url.Error](err)
	return cut
}

// unsure reports whether a request may have been carried out: the API, or a proxy before it, does not
// know.
func unsure(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	return refused && (p.Status == http.StatusGatewayTimeout || p.Status == http.StatusBadGateway)
}

// overdue reports backpressure: the API refuses new orders until workers have begun older ones.
// Retrying within seconds does not help.
func overdue(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	return refused && p.Status == http.StatusTooManyRequests && p.Type != rateLimited
}

// notAllowed reports whether the sign-in is missing or not enough.
func notAllowed(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	return refused && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden)
}

// explain adds a hint to the error of an unreachable API, of backpressure, and of a sign-in that is
// missing or not enough.
func explain(err error) error {
	p, _ := errors.AsType[*client.Problem](err)
	switch {
	case p != nil && p.Status == http.StatusUnauthorized:
		return config.Hint(err, "sign in with --token-file or ORDERS_TOKEN_FILE: the file has the line that ordersctl keys create prints; a key may be expired or revoked")
	case p != nil && p.Status == http.StatusForbidden:
		return config.Hint(err, "sign in with a key of another role, with --token-file or ORDERS_TOKEN_FILE")
	case p != nil && strings.HasSuffix(p.Type, "/no-target-topic"):
		return config.Hint(err, "name the topic with --replay-to TOPIC")
	case unreachable(err):
		return config.Hint(err, "is the API running? Set its base URL with --api or ORDERS_API")
	case overdue(err):
		return config.Hint(err, "are workers running? Run the same command again later: orders with an idempotency key are not placed twice")
	}
	return err
}
