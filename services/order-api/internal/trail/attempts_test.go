//go:build synctests

package trail_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// run runs a trail until the test ends it.
func (b bench) run(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }() // ends with cancel
	return func() {
		cancel()
		must(t, <-done)
	}
}

// attempts adds up, by actor and address, what the trail has of denied attempts, and counts its
// records.
func (b bench) attempts(t *testing.T) (sum map[string]int, records int) {
	t.Helper()
	sum = map[string]int{}
	for _, a := range b.acts(t) {
		if a.Outcome != wire.Refused || a.Problem != "forbidden" || a.Kind != trail.Denied {
			t.Errorf("got %+v, want a denied attempt", a)
		}
		sum[a.Cause.Actor.String()+a.Address] += a.Count
		records++
	}
	return sum, records
}

func TestAFloodOfDeniedAttemptsIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		end := b.run(t)
		for range 10_000 {
			b.Attempt(identity.With(t.Context(), ann), trail.Act{Kind: trail.Denied, Target: "POST /v1/x", Reason: "needs keys:manage"}, "forbidden")
		}
		b.Attempt(t.Context(), trail.Act{Kind: trail.Denied, Target: "POST /v1/x", Address: "192.0.2.1"}, "forbidden") // of another, who is written as before
		if sum, records := b.attempts(t); sum["operator:ann"] != 30 || sum["192.0.2.0/24"] != 1 || records != 31 {
			t.Errorf("in the minute: got %v in %d records, want the first 30 and the other", sum, records)
		}
		kafkatest.Pass(61 * time.Second)
		if sum, records := b.attempts(t); sum["operator:ann"] != 10_000 || records != 32 {
			t.Errorf("after the minute: got %v in %d records, want all in one more", sum, records)
		}
		for range 40 {
			b.Attempt(identity.With(t.Context(), ann), trail.Act{Kind: trail.Denied}, "forbidden")
		}
		end()
		if sum, records := b.attempts(t); sum["operator:ann"] != 10_040 || records != 63 {
			t.Errorf("at the end: got %v in %d records, want all", sum, records)
		}
	})
}

func TestAFloodFromManyAddressesIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		end := b.run(t)
		const all = 20_000
		for n := range all {
			b.Attempt(t.Context(), trail.Act{Kind: trail.Denied, Target: "GET /", Address: fmt.Sprintf("10.%d.%d.1", n/256%256, n%256)}, "forbidden")
		}
		end()
		sum, records := b.attempts(t)
		total := 0
		for _, n := range sum {
			total += n
		}
		if total != all || records > 401 || records < 100 {
			t.Errorf("got %d attempts in %d records, want all %d in at most 401", total, records, all)
		}
	})
}

func TestAnswersDoNotWaitLongForTheTrail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		end, err := b.Begin(t.Context(), trail.Act{Kind: trail.Refund})
		must(t, err)
		back := b.Away()
		for what, row := range map[string]struct {
			call func()
			most time.Duration
		}{
			"begin":   {func() { _, err = b.Begin(t.Context(), trail.Act{Kind: trail.Refund}) }, kafka.DeliveryTimeout - time.Second},
			"end":     {func() { end(wire.Done, "") }, 2 * time.Second},
			"attempt": {func() { b.Attempt(t.Context(), trail.Act{Kind: trail.Denied}, "forbidden") }, 2 * time.Second},
		} {
			begun := time.Now()
			row.call()
			if took := time.Since(begun); took > row.most {
				t.Errorf("%s: took %v, want at most %v", what, took, row.most)
			}
		}
		if err == nil {
			t.Error("begin without Kafka: got no error")
		}
		back()
		kafkatest.Pass(time.Minute)
		for _, a := range b.acts(t) {
			if a.Outcome != wire.Unknown {
				t.Errorf("got %+v, which was given up", a)
			}
		}
	})
}
