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

// setHeaders sets the request ID, which is also in the log, and restrictive headers for browsers.
// Handlers may replace them.
func setHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, rand.Text())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store") // orders and dead letters contain personal data
		return next(c)
	}
}

// recoverPanics turns the panic of a handler into an error, so that it fails only its own request.
func recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
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

// admit reads the body and refuses requests by host, origin and size; see serve.Admit.
func (a *api) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		var refusal *serve.Refusal
		if c.Path() == importPath {
			refusal = serve.AdmitHead(a.Access, c.Request()) // its body is large: it is read when the principal is known
		} else {
			refusal = serve.Admit(a.Access, c.Response(), c.Request())
		}
		if refusal != nil {
			return refusal
		}
		return next(c)
	}
}

// Lists are expensive reads. Their number is limited, so that they leave CPU time for new orders.
const (
	maxLists   = 2
	listWithin = 2 * time.Second // how long a list request waits before it is refused
)

// limitLists runs at most maxLists requests at a time.
func (a *api) limitLists(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		timer := time.NewTimer(listWithin)
		defer timer.Stop()
		select {
		case a.lists <- struct{}{}:
			defer func() { <-a.lists }()
			return next(c)
		case <-timer.C:
			return newProblem(busy, "the request waited too long for other list requests: repeat it")
		case <-c.Request().Context().Done():
			return context.Cause(c.Request().Context())
		}
	}
}
