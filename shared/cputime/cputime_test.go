package cputime_test

import (
	"sync"
	"testing"
	"time"

	"example.com/orders/shared/cputime"
)

// work uses the processor until it has used a tenth of a second of it.
func work() {
	for began := time.Duration(0); began < 100*time.Millisecond; {
		began += cputime.Of(func() {
			for n := range 1_000_000 {
				_ = n
			}
		})
	}
}

func TestOnlyTheCallIsMeasured(t *testing.T) {
	var other sync.WaitGroup
	other.Go(work)
	if got := cputime.Of(func() { other.Wait() }); got > 50*time.Millisecond {
		t.Errorf("got %s for a call that waits", got)
	}
	if got := cputime.OfProcess(func() { other.Go(work); other.Wait() }); got < 50*time.Millisecond {
		t.Errorf("got %s for a goroutine that uses 100 ms", got)
	}
}
