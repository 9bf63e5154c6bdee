//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAnOrderAloneWaitsForNoTimer places orders while the worker is idle, one after the other. No record
// lingers for others to join its batch, and no fetch waits to be full.
func TestAnOrderAloneWaitsForNoTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.work(t)
		time.Sleep(10 * time.Second) // virtual: the worker owns all partitions
		for i, o := range orders(12) {
			o.PlacedAt = time.Now()
			s.place(t, o)
			confirmed := s.Await(t, ended(i+1))[o.ID]
			last := confirmed.Timeline[len(confirmed.Timeline)-1]
			if took := last.At.Sub(o.PlacedAt); took != 0 {
				t.Errorf("order %d: %s %s after it was placed, want at once", i, last.Status, took)
			}
			time.Sleep(time.Second)
		}
		s.confirmedOnce(t, 12)
	})
}
