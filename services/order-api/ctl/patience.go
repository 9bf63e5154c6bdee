package ctl

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// How often a request is tried that may succeed a little later, and the first pause, which doubles: three seconds together.
const (
	attempts   = 5
	firstPause = 200 * time.Millisecond
)

// patiently tries a request again while its error is one that passes. The request must be one that can be repeated.
func patiently(ctx context.Context, request func() error) error {
	for attempt := range attempts - 1 {
		err := request()
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		// A little more by chance, so that requests which failed together do not come back together.
		pause := firstPause << attempt
		select {
		case <-time.After(pause + rand.N(pause/2)):
		case <-ctx.Done():
			return err
		}
	}
	return request()
}

// passes reports whether an error is likely to be gone a little later: the API is busy or behind, or the connection was cut.
func passes(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	if !refused {
		at, network := errors.AsType[*net.OpError](err)
		return !network || at.Op != "dial"
	}
	switch p.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// unreachable reports whether a request has had no answer at all.
func unreachable(err error) bool {
	_, cut := errors.AsType[*url.Error](err)
	return cut
}

// overdue reports whether no new orders are taken for now: that passes when old ones are begun, and not in seconds.
func overdue(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	return refused && p.Status == http.StatusTooManyRequests
}

// replayable reports whether a letter is gone, and its order is there.
func replayable(err error) bool {
	p, refused := errors.AsType[*client.Problem](err)
	return refused && p.Status == http.StatusGone && p.Order != ""
}

// explain adds what a person can do when nobody answers, or nothing more is taken.
func explain(err error) error {
	switch {
	case unreachable(err):
		return config.Hint(err, "is the API running? Give its address with --api or ORDERS_API")
	case overdue(err):
		return config.Hint(err, "are workers running? Run the same command again later: an order that has a key is placed once")
	}
	return err
}
