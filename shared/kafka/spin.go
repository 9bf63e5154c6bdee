package kafka

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client spins if it receives this many fetches within this time and returns nothing from them.
const (
	spinFetches = 50
	spinWithin  = time.Second
)

// Spin is a hook that notices a consuming client that fetches one batch again and again without a
// pause: it cannot read the batch, and has no error for it. It is safe for concurrent use.
type Spin struct {
	found chan struct{}

	mu    sync.Mutex
	n     int
	since time.Time
}

// NewSpin returns a hook for one client.
func NewSpin() *Spin { return &Spin{found: make(chan struct{}, 1)} }

// Found receives a value when the client may be spinning.
func (s *Spin) Found() <-chan struct{} { return s.found }

// Polled tells the hook that a poll of the client has returned.
func (s *Spin) Polled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n = 0
}

// OnBrokerE2E is called by kgo after each request.
func (s *Spin) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	if key != int16(kmsg.Fetch) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.n == 0 || now.Sub(s.since) > spinWithin {
		s.n, s.since = 0, now
	}
	if s.n++; s.n < spinFetches {
		return
	}
	s.n = 0
	select {
	case s.found <- struct{}{}:
	default:
	}
}
