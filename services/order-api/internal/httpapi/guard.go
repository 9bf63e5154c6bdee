package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	maxBody     = 256 << 10        // 200 lines and a long note need a tenth; the topic takes four times as much
	maxUnread   = 16 << 20         // of a body that is refused
	readWithin  = 15 * time.Second // a body
	writeWithin = 75 * time.Second // an answer, which may wait for an order for a minute
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
		h.Set("Cache-Control", "no-store") // orders and letters hold personal data
		return next(c)
	}
}

// guarded refuses what a page of another origin could make a browser send.
func (a *api) guarded(next echo.HandlerFunc) echo.HandlerFunc {
	origins := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if !a.Remote && !local(c.Request().Host) {
			return newProblem(misdirected, "this API answers to the names of this machine only")
		}
		if origins.Check(c.Request()) != nil {
			return newProblem(crossOrigin, "")
		}
		return next(c)
	}
}

// local reports whether a Host header names this machine.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bounded reads the body, up to a size and a time, and says by when the answer must be written.
func bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, w := c.Request(), http.NewResponseController(c.Response())
		// A writer that knows no deadlines is a test's. The deadline of the body must not outlive it: it would end the
		// request's context while an answer is waited for.
		_ = w.SetReadDeadline(time.Now().Add(readWithin))
		body, err := readBody(c.Response(), r)
		_ = w.SetReadDeadline(time.Time{})
		_ = w.SetWriteDeadline(time.Now().Add(writeWithin))
		switch _, large := errors.AsType[*http.MaxBytesError](err); {
		case large:
			return newProblem(bodyTooLarge, tooLarge)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return newProblem(timeout, "the body did not arrive in time")
		case err != nil:
			return newProblem(malformed, "the body ended early")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return next(c)
	}
}

// readBody reads a body, or at most maxUnread of what is too large: many clients look for no answer before they have sent
// everything, and would find the connection broken. One that expects to be asked to go on has not begun.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, err error) {
	err = &http.MaxBytesError{Limit: maxBody}
	if r.ContentLength <= maxBody {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxUnread) // the answer is the same whatever comes
	}
	return body, err
}

const tooLarge = "the body must have at most 256 KiB"

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
