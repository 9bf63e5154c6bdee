package retry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
)

var errHalfWay = failure.New(failure.Transient, failure.Uncertain, errors.New("connection lost"))

func breaker(t *testing.T, slots int) *retry.Breaker {
	t.Helper()
	return retry.NewBreaker(slog.New(slog.NewTextHandler(t.Output(), nil)), "email", slots)
}

// try asks for an order that ends with err, and reports whether it was allowed.
func try(b *retry.Breaker, err error) bool {
	report, closed := b.Allow()
	if closed != nil {
		return false
	}
	report(err)
	return true
}

// outage opens a breaker.
func outage(b *retry.Breaker) {
	for try(b, errAway) {
	}
}

func ExampleBreaker() {
	b := retry.NewBreaker(slog.New(slog.DiscardHandler), "email", 64)
	away := failure.New(failure.Down, failure.MailAway, errors.New("connection refused"))
	for range 5 {
		report, _ := b.Allow()
		report(away)
	}
	_, err := b.Allow()
	class, reason := failure.Of(err)
	fmt.Println(b.State(), class, reason, err)
	// Output: open down mail-away not tried: connection refused
}

func TestOnlyDownInARowOpensIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		ends  []error
		state string
	}{
		{"nothing", nil, "closed"},
		{"four", []error{errAway, errAway, errAway, errAway}, "closed"},
		{"five", []error{errAway, errAway, errAway, errAway, errAway}, "open"},
		{"a success between", []error{errAway, errAway, errAway, errAway, nil, errAway}, "closed"},
		{"a busy answer between", []error{errAway, errAway, errAway, errAway, errBusy, errAway}, "closed"},
		{"a refusal between", []error{errAway, errAway, errAway, errAway, errRefused, errAway}, "closed"},
		{"no answer between", []error{errAway, errAway, errAway, errAway, retry.ErrNoAnswer, errAway}, "open"},
		{"five lost half-way", []error{errHalfWay, errHalfWay, errHalfWay, errHalfWay, errHalfWay}, "open"},
		{"the fifth lost half-way", []error{errAway, errAway, errAway, errAway, errHalfWay}, "open"},
		{"a success between losses", []error{errHalfWay, errHalfWay, errHalfWay, errHalfWay, nil, errHalfWay}, "closed"},
		{"a bug between", []error{errAway, errAway, errAway, errAway, errBug, errAway}, "open"},
		{"busy for good", []error{errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy}, "closed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := breaker(t, 64)
			for i, end := range row.ends {
				if !try(b, end) {
					t.Fatalf("order %d: got it stopped, want it allowed", i)
				}
			}
			if got := b.State(); got != row.state {
				t.Errorf("got %s, want %s", got, row.state)
			}
		})
	}
}

func TestOrderThatIsStoppedLearnsWhy(t *testing.T) {
	t.Parallel()
	b := breaker(t, 64)
	outage(b)
	_, err := b.Allow()
	class, reason := failure.Of(err)
	if !errors.Is(err, retry.ErrOpen) || !errors.Is(err, errAway) || class != failure.Down || reason != failure.MailAway {
		t.Errorf("got %v, %s %s; want ErrOpen, down, mail-away", err, class, reason)
	}
}

func TestHalfOpenLetsOneThrough(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		end   error
		state string
	}{
		{"that succeeds", nil, "closed"},
		{"that is refused", errRefused, "closed"},
		{"that finds it busy", errBusy, "closed"},
		{"that finds it down", errAway, "open"},
		{"that learns nothing", retry.ErrNoAnswer, "half-open"},
		{"that is lost half-way", errHalfWay, "open"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := breaker(t, 64)
				outage(b)
				time.Sleep(5 * time.Second)
				if orders, again := b.Room(); orders != 0 || again != time.Nanosecond {
					t.Errorf("in its last moment: got room for %d, again after %s; want none, and a nanosecond", orders, again)
				}
				time.Sleep(time.Nanosecond)
				if orders, _ := b.Room(); orders != 1 {
					t.Errorf("half open: got room for %d, want 1", orders)
				}
				report, err := b.Allow()
				if err != nil {
					t.Fatalf("got %v, want one allowed", err)
				}
				if orders, again := b.Room(); orders != 0 || again != time.Second || try(b, nil) {
					t.Errorf("while that one is in flight: got room for %d, again after %s, or a second one allowed; want none, after 1s", orders, again)
				}
				report(row.end)
				if got := b.State(); got != row.state {
					t.Errorf("got %s, want %s", got, row.state)
				}
			})
		})
	}
}

// Each order that is allowed while a server that loses its answers may be a mail too many.
func TestLossHalfWayIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker(t, 64)
		for range 5 {
			try(b, errHalfWay)
		}
		_, err := b.Allow()
		if class, reason := failure.Of(err); !errors.Is(err, retry.ErrOpen) || class != failure.Down || reason != failure.MailAway {
			t.Errorf("got %v, %s %s; want ErrOpen, down, mail-away: nothing was sent of this one", err, class, reason)
		}
		var through []time.Duration
		began := time.Now()
		for range 1000 {
			if orders, again := b.Room(); orders == 0 {
				if try(b, nil) {
					t.Fatalf("after %s: got an order allowed where there is no room", time.Since(began))
				}
				time.Sleep(again)
				continue
			}
			end := errHalfWay
			if len(through) == 6 {
				end = errAway // now it is known to be down, and costs nothing to look at
			}
			if through = append(through, time.Since(began).Truncate(time.Second)); len(through) == 9 {
				break
			}
			try(b, end)
		}
		var want []time.Duration
		for _, seconds := range []time.Duration{5, 15, 35, 75, 135, 195, 255, 260, 265} {
			want = append(want, seconds*time.Second)
		}
		if diff := cmp.Diff(want, through); diff != "" {
			t.Errorf("allowed after (-want +got):\n%s", diff)
		}
	})
}

func TestLateNewsChangesNothing(t *testing.T) {
	t.Parallel()
	b := breaker(t, 64)
	report, err := b.Allow()
	if err != nil {
		t.Fatal(err)
	}
	outage(b)
	report(nil) // it was begun before the outage
	if got := b.State(); got != "open" {
		t.Errorf("got %s, want open", got)
	}
}

func TestRoomGrowsWhenTheOutageIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker(t, 24)
		if orders, again := b.Room(); orders != 12 || again != 0 {
			t.Errorf("before any outage: got room for %d, again after %s; want half of the slots", orders, again)
		}
		outage(b)
		time.Sleep(2 * time.Second)
		if orders, again := b.Room(); orders != 0 || again != 3*time.Second+1 {
			t.Errorf("open: got room for %d, again after %s; want none, until it is half open", orders, again)
		}
		time.Sleep(3*time.Second + 1)
		try(b, nil)
		type room struct {
			Orders int
			Again  time.Duration
		}
		var ramp []room
		for range 6 {
			orders, again := b.Room()
			ramp = append(ramp, room{orders, again})
			time.Sleep(time.Second)
		}
		want := []room{{1, time.Second}, {2, time.Second}, {4, time.Second}, {8, time.Second}, {12, 0}, {12, 0}}
		if diff := cmp.Diff(want, ramp); diff != "" {
			t.Errorf("room by second (-want +got):\n%s", diff)
		}
		time.Sleep(1000 * time.Hour)
		if orders, _ := b.Room(); orders != 12 {
			t.Errorf("long after: got room for %d, want 12", orders)
		}
	})
}

func TestOneSlotIsRoomForOne(t *testing.T) {
	t.Parallel()
	if orders, _ := breaker(t, 1).Room(); orders != 1 {
		t.Errorf("got room for %d, want 1: else what waits would wait for ever", orders)
	}
}

func TestEachChangeIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := retry.NewBreaker(slog.New(slog.NewTextHandler(&out, nil)), "email", 64)
		outage(b)
		for range 100 {
			try(b, errAway)
			b.Room()
		}
		for range 100 { // probes
			time.Sleep(6 * time.Second)
			try(b, errAway)
		}
		for range 100 {
			time.Sleep(6 * time.Second)
			try(b, failure.New(failure.Down, failure.MailAway, errors.New("login refused")))
		}
		time.Sleep(6 * time.Second)
		for range 100 {
			try(b, nil)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, rest, _ := strings.Cut(strings.TrimSpace(line), "level=")
			got = append(got, rest)
		}
		want := []string{
			`WARN msg="circuit breaker changed state" breaker=email state=open error=away`,
			`WARN msg="circuit breaker changed state" breaker=email state=open error="login refused"`,
			`INFO msg="circuit breaker changed state" breaker=email state=closed`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}
