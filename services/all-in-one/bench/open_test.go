//go:build synctests

package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpenLoopCountsAStallForEachCallThatWasDue stalls a server for a second at ten calls a second.
func TestOpenLoopCountsAStallForEachCallThatWasDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stall := began.Add(time.Second)
		dues := make(chan time.Duration, 12)
		took, err := openLoop{rate: 10, calls: 12, gap: evenly}.run(t.Context(), func(_ context.Context, due time.Time) (time.Duration, error) {
			dues <- due.Sub(began)
			time.Sleep(time.Until(stall))
			return time.Since(due), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			if due, want := <-dues, time.Duration(i+1)*time.Second/10; due != want {
				t.Errorf("call %d was due after %s, want %s", i, due, want)
			}
		}
		p50, p99 := percentiles(took)
		if len(took) != 12 || took[0] != 0 || p50 != 400*time.Millisecond || p99 != 900*time.Millisecond {
			t.Errorf("got %v, want nothing for the calls after the stall, and 0.1 to 0.9 s for those in it", took)
		}
	})
}

// TestOpenLoopFailsCallsAboveItsLimit makes more calls than may run, none of which ends by itself.
func TestOpenLoopFailsCallsAboveItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made := make(chan struct{}, mostInFlight+10)
		took, err := openLoop{rate: 1000, calls: mostInFlight + 10, gap: evenly}.run(t.Context(), func(ctx context.Context, _ time.Time) (time.Duration, error) {
			made <- struct{}{}
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		if !errors.Is(err, errTooMany) || len(took) != 0 || len(made) != mostInFlight {
			t.Errorf("got %d calls and %v, want %d and %v", len(made), err, mostInFlight, errTooMany)
		}
	})
}

// TestOpenLoopDoesNotWaitForEver makes one call that ends only when it is asked to.
func TestOpenLoopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := openLoop{rate: 1, calls: 1, gap: evenly}.run(t.Context(), func(ctx context.Context, _ time.Time) (time.Duration, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		if passed := time.Since(began); !errors.Is(err, errDrain) || passed != time.Second+drainTimeout {
			t.Errorf("got %v after %s, want %v after %s", err, passed, errDrain, time.Second+drainTimeout)
		}
	})
}

func TestSlopeIsThatOfTheTrend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{5}, 0},
		{[]float64{7, 7, 7}, 0},
		{[]float64{1, 3, 5, 7}, 2},
		{[]float64{10, 20, 10, 20, 10}, 0}, // a garbage collector
	} {
		if got := slope(c.samples); got != c.want {
			t.Errorf("slope of %v is %g, want %g", c.samples, got, c.want)
		}
	}
}

// TestFollowMissesNoEvent reads streams that lack an event, and that end early.
func TestFollowMissesNoEvent(t *testing.T) {
	t.Parallel()
	const accepted, working, confirmed = "id: 0\ndata: {\"rev\":0,\"status\":\"accepted\"}\n\n", "data: {\"rev\":1,\"status\":\"working\"}\n\n", "data: {\"rev\":2,\"status\":\"confirmed\"}\n\n"
	for stream, want := range map[string]string{
		accepted + ":\n\n" + working + confirmed: "",
		accepted + confirmed:                     "event 2 follows event 0",
		accepted + working:                       "the stream ended before the order was confirmed",
	} {
		at, err := follow(strings.NewReader(stream))
		if want == "" && (err != nil || at.IsZero()) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("got %v for %q, want %q", err, stream, want)
		}
	}
}
