package intake

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// recipients limits the orders that are accepted for one e-mail address. Each order becomes a mail, and its address is whatever the
// client wrote: without a limit anybody could have the shop flood somebody else's mailbox. The zero value has no limit.
//
// An address has a token bucket that holds an hour's orders and refills within an hour. A bucket that was not used for an hour is full
// again and need not be kept: there are two generations of buckets, and every hour the older one is dropped.
type recipients struct {
	perHour int

	mu        sync.Mutex
	since     time.Time // of the current generation
	now, past map[string]*rate.Limiter
}

// maxRecipients bounds a generation. One that is full is followed by the next before its hour is over.
const maxRecipients = 100_000

// CrowdedError is an order for an address that has had too many lately. The order is not placed.
type CrowdedError struct {
	PerHour int
	Wait    time.Duration // until the next one is accepted
}

// Error names the limit, and not the address: logs hold no personal data.
func (c *CrowdedError) Error() string {
	return fmt.Sprintf("more than %d orders an hour for one e-mail address", c.PerHour)
}

// take counts an order for an address, or returns a CrowdedError.
func (r *recipients) take(address string) error {
	if r.perHour == 0 {
		return nil
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bucket(mailbox(address), now)
	if b.AllowN(now, 1) {
		return nil
	}
	wait := time.Duration((1 - b.TokensAt(now)) * float64(time.Hour) / float64(r.perHour))
	return &CrowdedError{r.perHour, wait}
}

// bucket returns the bucket of a mailbox, which is full if it is a new one. The caller holds mu.
func (r *recipients) bucket(mailbox string, now time.Time) *rate.Limiter {
	if now.Sub(r.since) >= time.Hour || len(r.now) >= maxRecipients {
		r.past, r.now, r.since = r.now, map[string]*rate.Limiter{}, now
	}
	b := r.now[mailbox]
	if b == nil {
		if b = r.past[mailbox]; b == nil {
			b = rate.NewLimiter(rate.Limit(float64(r.perHour)/time.Hour.Seconds()), r.perHour)
		}
		r.now[mailbox] = b
	}
	return b
}

// mailbox is where mails to an address end up, as far as that is common: many servers ignore what follows a plus sign, and the case.
func mailbox(address string) string {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}
