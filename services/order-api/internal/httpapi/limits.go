package httpapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/serve"
)

// Limits bounds what clients may request. A zero field is no limit.
type Limits struct {
	Rate      int // requests per second of a principal; twice as many at once
	GuestRate int // the same for all guests of one address
	Streams   int // concurrent event streams; half of them for a principal, a twentieth for guests of an address
	Waits     int // concurrent requests that wait for their order (Prefer: wait); shared in the same way
}

// Invalid credentials of an address: guessing keys is slow, and a client with a wrong key still
// learns that it is wrong.
const (
	guessesPerSecond = 1
	guessesAtOnce    = 20
)

// limits applies Limits.
type limits struct {
	requests, guests, guesses *buckets
	streams, waits            *slots
}

func newLimits(l Limits) *limits {
	return &limits{
		requests: &buckets{rate: l.Rate, burst: 2 * l.Rate}, guests: &buckets{rate: l.GuestRate, burst: 2 * l.GuestRate},
		guesses: &buckets{rate: guessesPerSecond, burst: guessesAtOnce},
		streams: &slots{total: l.Streams, of: map[string]int{}}, waits: &slots{total: l.Waits, of: map[string]int{}},
	}
}

// slowGuesses refuses requests with credentials from an address that sent too many invalid ones,
// before they are checked.
func (a *api) slowGuesses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Request().Header
		if h.Get(echo.HeaderAuthorization) == "" && h.Get(echo.HeaderCookie) == "" || isProbe(c) {
			return next(c)
		}
		address := addressOf(c.Request())
		if left, wait := a.limits.guesses.peek(address); left == 0 {
			return tooFast(c, wait, "too many invalid credentials from this address")
		}
		err := next(c)
		if errors.Is(err, identity.ErrCredentials) {
			a.limits.guesses.take(address)
		}
		return err
	}
}

// limitRequests limits the rate of requests, and the number of streams and waits. The principal is
// known then.
func (a *api) limitRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if isProbe(c) {
			return next(c)
		}
		p := identity.From(c.Request().Context())
		key, b := "principal "+p.ID, a.limits.requests
		if p.Guest() {
			key, b = "address "+addressOf(c.Request()), a.limits.guests
		}
		if b.rate > 0 {
			left, wait := b.take(key)
			b.describe(c.Response().Header(), left, wait)
			if wait > 0 {
				return tooFast(c, wait, fmt.Sprintf("at most %d requests per second are accepted, and %d at once", b.rate, b.burst))
			}
		}
		s := a.limits.slotsFor(c)
		if s == nil {
			return next(c)
		}
		if !s.take(key, p.Guest()) {
			return tooFast(c, 5*time.Second, "too many event streams or waiting requests are open: close some of them")
		}
		defer s.release(key)
		return next(c)
	}
}

// slotsFor returns the slots that a request needs while it runs, or nil.
func (l *limits) slotsFor(c echo.Context) *slots {
	switch wait, _ := preferredWait(c.Request().Header); {
	case strings.HasSuffix(c.Path(), "/events") && c.Request().Method == http.MethodGet && l.streams.total > 0:
		return l.streams
	case c.Request().Method == http.MethodPost && wait > 0 && l.waits.total > 0:
		return l.waits
	}
	return nil
}

func isProbe(c echo.Context) bool { return strings.HasPrefix(c.Path(), "/healthz/") }

// addressOf is the address of a client, without the part of an IPv6 address that a customer of a
// network provider chooses.
func addressOf(r *http.Request) string {
	addr := serve.ClientAddr(r)
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}

func tooFast(c echo.Context, wait time.Duration, detail string) error {
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(wait)))
	return newProblem(rateLimit, detail)
}

// seconds rounds up.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// maxBuckets is the number of buckets in a generation. A bucket takes about 250 bytes, so that two
// generations take 10 MB.
const maxBuckets = 20_000

// buckets are token buckets by key. It has one to two generations of those that were used last; a
// forgotten bucket is full again.
type buckets struct {
	rate, burst int // rate in tokens per second; zero: not used

	mu         sync.Mutex
	fresh, old map[string]*rate.Limiter
}

func (b *buckets) of(key string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.fresh[key]; ok {
		return l
	}
	if b.fresh == nil || len(b.fresh) == maxBuckets {
		b.fresh, b.old = map[string]*rate.Limiter{}, b.fresh
	}
	l, ok := b.old[key]
	if !ok {
		l = rate.NewLimiter(rate.Limit(b.rate), b.burst)
	}
	b.fresh[key] = l
	return l
}

// take takes a token. It returns how many are left, and how long to wait if there was none.
func (b *buckets) take(key string) (left int, wait time.Duration) {
	l := b.of(key)
	if l.Allow() {
		return int(l.Tokens()), 0
	}
	return b.peek(key)
}

// peek is take without taking.
func (b *buckets) peek(key string) (left int, wait time.Duration) {
	tokens := b.of(key).Tokens()
	if tokens >= 1 {
		return int(tokens), 0
	}
	return 0, max(time.Duration((1-tokens)/float64(b.rate)*float64(time.Second)), 1)
}

// describe sets the headers of draft-ietf-httpapi-ratelimit-headers: the policy (q requests in w
// seconds) and the service limit (r are left, more in t seconds).
func (b *buckets) describe(h http.Header, left int, wait time.Duration) {
	full := time.Duration(float64(b.burst-left) / float64(b.rate) * float64(time.Second))
	h.Set("RateLimit-Policy", fmt.Sprintf(`"requests";q=%d;w=%d`, b.burst, b.burst/b.rate))
	h.Set("RateLimit", fmt.Sprintf(`"requests";r=%d;t=%d`, left, seconds(max(full, wait))))
}

// slots count what runs at the same time.
type slots struct {
	total int

	mu   sync.Mutex
	used int
	of   map[string]int // by key; none is zero
}

// take reports whether there was a slot for a key.
func (s *slots) take(key string, guest bool) bool {
	share := s.total / 2
	if guest {
		share = s.total / 20
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.total || s.of[key] >= max(share, 1) {
		return false
	}
	s.used++
	s.of[key]++
	return true
}

func (s *slots) release(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.of[key]--; s.of[key] == 0 {
		delete(s.of, key)
	}
}
