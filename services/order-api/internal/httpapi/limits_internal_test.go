package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
)

// TestGuessedCredentialsAreSlow: the answer to credentials that are not checked says nothing about
// them, whether they are right or wrong.
func TestGuessedCredentialsAreSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &api{Config: Config{Log: slog.New(slog.DiscardHandler)}, limits: newLimits(Limits{})}
		e := echo.New()
		e.HTTPErrorHandler = a.answerProblem
		checked := 0
		e.Use(a.slowGuesses)
		e.GET("/v1/orders", func(c echo.Context) error {
			checked++
			if given := c.Request().Header.Get("Authorization"); given == "" {
				return errSignIn
			} else if given != "Bearer right" {
				return fmt.Errorf("%w: unknown", identity.ErrCredentials)
			}
			return c.NoContent(http.StatusOK)
		})
		send := func(address, credentials string) int {
			r := httptest.NewRequest("GET", "/v1/orders", nil)
			r.RemoteAddr = address + ":1"
			if credentials != "" {
				r.Header.Set("Authorization", "Bearer "+credentials)
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			return w.Code
		}
		begun := time.Now()
		for i := range 6000 {
			send("192.0.2.1", fmt.Sprint("guess", i))
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); checked > guessesAtOnce+int(took.Seconds())*guessesPerSecond+1 {
			t.Errorf("got %d guesses checked in %s, want %d, and %d a second", checked, took, guessesAtOnce, guessesPerSecond)
		}
		send("192.0.2.1", "the last one")
		for _, row := range []struct {
			address, credentials string
			want                 int
		}{
			{"192.0.2.1", "right", http.StatusTooManyRequests},
			{"192.0.2.2", "right", http.StatusOK},
			{"192.0.2.1", "", http.StatusUnauthorized}, // limited as a guest
		} {
			if got := send(row.address, row.credentials); got != row.want {
				t.Errorf("%v: got %d, want %d", row, got, row.want)
			}
		}
		time.Sleep(time.Minute)
		for range 1000 {
			if got := send("192.0.2.1", "right"); got != http.StatusOK {
				t.Fatalf("after a minute: got %d, want 200: right credentials cost nothing", got)
			}
		}
	})
}

func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where no time passes, and no bucket fills
		b := &buckets{rate: 1, burst: 1}
		b.take("used")
		for i := range 10 * maxBuckets {
			b.of(fmt.Sprint(i))
			if i%(maxBuckets/2) == 0 && b.of("used").Tokens() > 0 {
				t.Fatalf("after %d other keys: got a full bucket, want the used one", i)
			}
		}
		if n := len(b.fresh) + len(b.old); n > 2*maxBuckets {
			t.Errorf("got %d buckets, want at most %d", n, 2*maxBuckets)
		}
	})
}

func TestSlotsOfOneClientLeaveSomeForOthers(t *testing.T) {
	t.Parallel()
	s := &slots{total: 100, of: map[string]int{}}
	taken := func(key string, guest bool) (n int) {
		for s.take(key, guest) {
			n++
		}
		return n
	}
	for _, row := range []struct {
		key   string
		guest bool
		want  int
	}{{"ann", false, 50}, {"192.0.2.1", true, 5}, {"192.0.2.2", true, 5}, {"bob", false, 40}, {"eve", false, 0}} {
		if got := taken(row.key, row.guest); got != row.want {
			t.Errorf("%s: got %d slots, want %d", row.key, got, row.want)
		}
	}
	for range 50 {
		s.release("ann")
	}
	if got := taken("eve", false); got != 50 || s.of["ann"] != 0 {
		t.Errorf("after ann: got %d slots for eve, %v; want 50", got, s.of)
	}
}
