package intake

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// recipients limits the orders for one e-mail address. Every order sends a mail to an address that
// the client chose: without a limit, anyone could flood a mailbox. A perHour of zero is no limit.
//
// Each address has a token bucket of perHour tokens that refills within an hour. A bucket that was
// not used for an hour is full, so it need not be kept: there are two generations of buckets, and
// the older one is dropped every hour.
type recipients struct {
	perHour int

	mu        sync.Mutex
	since     time.Time // start of the current generation
	now, past map[string]*rate.Limiter
}

// maxRecipients limits the size of a generation. When one is full, the next one starts early.
const maxRecipients = 100_000

// count counts an order for an address, or returns a RecipientLimitError.
func (r *recipients) count(address string) error {
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
	return &RecipientLimitError{r.perHour, wait}
}

// bucket returns the bucket of a mailbox; a new one is full. The caller holds mu.
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

// mailbox is the mailbox that an address probably belongs to: many servers ignore case and the part
// after a plus sign.
func mailbox(address string) string {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}
