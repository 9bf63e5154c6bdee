package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/shared/serve"
)

// recovered turns a panic into an error, so that one request's bug is not everybody's.
func (a *api) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value is no wrapped error
					panic(p)
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// headed names the request, for whoever asks about a failure, and says to browsers what an answer is. The pages of the docs loosen it for themselves.
func headed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, rand.Text())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store") // orders and dead letters hold personal data
		return next(c)
	}
}

// admitted has the body read, and refuses what is not for this API or sent by a page of another origin.
func (a *api) admitted(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if refusal := serve.Admit(a.Access, c.Response(), c.Request()); refusal != nil {
			return refusal
		}
		return next(c)
	}
}

// How many lists are made at once, and how long a request waits for its turn. Lists are the expensive reads: they must not take the
// processors from new orders.
const (
	maxSearches  = 2
	searchWithin = 2 * time.Second
)

// search lets few requests be worked on at once. The others wait for a moment, and are answered with 503 when that is over.
func (a *api) search(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		timer := time.NewTimer(searchWithin)
		defer timer.Stop()
		select {
		case a.searches <- struct{}{}:
			defer func() { <-a.searches }()
			return next(c)
		case <-timer.C:
			return newProblem(busy, "nothing was searched: others search at the same time; repeat the request")
		case <-c.Request().Context().Done():
			return context.Cause(c.Request().Context())
		}
	}
}
