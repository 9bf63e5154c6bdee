package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/topic"
)

var (
	errBusy    = failure.New(failure.Transient, failure.MailBusy, errors.New("busy"))
	errRefused = failure.New(failure.Permanent, failure.RecipientRefused, errors.New("refused"))
	errAway    = failure.New(failure.Down, failure.MailAway, errors.New("away"))
	errOpen    = failure.New(failure.Down, failure.MailAway, retry.ErrOpen)
	errBlocked = fmt.Errorf("blocked (%w)", retry.ErrNotRetried)
	errBug     = errors.New("an unmarked error")
)

// script is an attempt that ends with each of these errors in turn, and then well.
type script struct {
	errs []error
	at   []time.Time // of each attempt
}

func (s *script) attempt() error {
	s.at = append(s.at, time.Now())
	if n := len(s.at); n <= len(s.errs) {
		return s.errs[n-1]
	}
	return nil
}

func TestClassDecidesHowOftenItIsTried(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		policy   retry.Policy
		errs     []error
		attempts int
		failures int
		err      error
	}{
		{"success", retry.Policy{}, nil, 1, 0, nil},
		{"transient once", retry.Policy{}, []error{errBusy}, 2, 1, nil},
		{"transient twice", retry.Policy{}, []error{errBusy, errBug}, 3, 2, nil},
		{"transient for good", retry.Policy{}, []error{errBusy, errBug, errBusy, errBug}, 3, 3, errBusy},
		{"unmarked for good", retry.Policy{}, []error{errBug, errBug, errBug}, 3, 3, errBug},
		{"permanent", retry.Policy{}, []error{errRefused}, 1, 1, errRefused},
		{"permanent after transient", retry.Policy{}, []error{errBusy, errRefused}, 2, 2, errRefused},
		{"down does not count", retry.Policy{}, []error{errAway, errBusy, errAway, errAway, errBusy, errAway}, 7, 2, nil},
		{"down before the last", retry.Policy{}, []error{errBusy, errBusy, errAway, errBusy}, 4, 3, errBusy},
		{"not tried", retry.Policy{}, []error{errOpen}, 1, 0, errOpen},
		{"not tried any more", retry.Policy{}, []error{errBusy, errAway, errOpen}, 3, 1, errOpen},
		{"not retried", retry.Policy{}, []error{errBusy, errBlocked}, 2, 1, errBlocked},
		{"uncertain", retry.Policy{}, []error{errHalfWay}, 1, 1, errHalfWay},
		{"uncertain after transient", retry.Policy{}, []error{errBusy, errHalfWay}, 2, 2, errHalfWay},
		{"five attempts", retry.Policy{Attempts: 5}, []error{errBusy, errBusy, errBusy, errBusy, errBusy}, 5, 5, errBusy},
		{"one attempt", retry.Policy{Attempts: 1}, []error{errBusy}, 1, 1, errBusy},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := script{errs: row.errs}
				failures, err := row.policy.Do(t.Context(), nil, s.attempt)
				if err != row.err || failures != row.failures || len(s.at) != row.attempts {
					t.Errorf("got %d attempts, %d failures, %v; want %d, %d, %v", len(s.at), failures, err, row.attempts, row.failures, row.err)
				}
			})
		})
	}
}

func TestPausesAreRandomWithinBounds(t *testing.T) {
	t.Parallel()
	many := func(err error) []error {
		var errs []error
		for range 9 {
			errs = append(errs, err)
		}
		return errs
	}
	for _, row := range []struct {
		name     string
		errs     []error
		shortest []time.Duration // of each pause; the last row counts for all that follow
		longest  []time.Duration
	}{
		{
			"transient", many(errBusy),
			[]time.Duration{0, 0, 0, 0},
			[]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 128 * time.Second},
		}, {
			"down", many(errAway),
			[]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 2500 * time.Millisecond},
			[]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				seen := map[time.Duration]bool{}
				for range 200 {
					s := script{errs: row.errs}
					if _, err := (retry.Policy{Attempts: 10}).Do(t.Context(), nil, s.attempt); err != nil {
						t.Fatal(err)
					}
					for i := range s.at[1:] {
						pause := s.at[i+1].Sub(s.at[i])
						least, most := row.shortest[min(i, len(row.shortest)-1)], row.longest[min(i, len(row.longest)-1)]
						if pause < least || pause > most {
							t.Errorf("pause %d: got %s, want %s to %s", i+1, pause, least, most)
						}
						seen[pause] = true
					}
				}
				if len(seen) < 1000 {
					t.Errorf("got %d different pauses of 1,800, want them random", len(seen))
				}
			})
		})
	}
}

func TestOutageIsWaitedForHoweverLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		back, attempts := time.Now().Add(7*24*time.Hour), 0
		failures, err := retry.Policy{}.Do(t.Context(), nil, func() error {
			attempts++
			if time.Now().Before(back) {
				return errAway
			}
			return nil
		})
		if late := time.Since(back); err != nil || failures != 0 || late > 5*time.Second {
			t.Errorf("got %d failures, %v, %s after it was back; want none, within 5s", failures, err, late)
		}
		if attempts > 7*24*3600/2 {
			t.Errorf("got %d attempts in a week, want one in 2.5 s at most", attempts)
		}
	})
}

func TestOnlyAPauseIsCutShort(t *testing.T) {
	t.Parallel()
	errLost := errors.New("lost")
	for _, row := range []struct {
		name   string
		end    func(stop func(), cancel context.CancelCauseFunc)
		during error // how the attempt ends that takes a minute; nil: well
		err    error
	}{
		{"stopping while it is busy", func(stop func(), _ context.CancelCauseFunc) { stop() }, errBusy, retry.ErrStopping},
		{"stopping while it is away", func(stop func(), _ context.CancelCauseFunc) { stop() }, errAway, retry.ErrStopping},
		{"stopping, but it succeeds", func(stop func(), _ context.CancelCauseFunc) { stop() }, nil, nil},
		{"stopping, but it fails for good", func(stop func(), _ context.CancelCauseFunc) { stop() }, errRefused, errRefused},
		{"lost while it is busy", func(_ func(), cancel context.CancelCauseFunc) { cancel(errLost) }, errBusy, errBusy},
		{"lost, but it succeeds", func(_ func(), cancel context.CancelCauseFunc) { cancel(errLost) }, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				stopping := make(chan struct{})
				time.AfterFunc(30*time.Second, func() { row.end(func() { close(stopping) }, cancel) })
				began := time.Now()
				_, err := retry.Policy{}.Do(ctx, stopping, func() error {
					time.Sleep(time.Minute)
					return row.during
				})
				if err != row.err || time.Since(began) != time.Minute {
					t.Errorf("got %v after %s, want %v after the attempt's minute", err, time.Since(began), row.err)
				}
			})
		})
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errLost := errors.New("lost")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errLost)
		defer cancel()
		began := time.Now()
		if _, err := (retry.Policy{}).Do(ctx, nil, func() error { return errAway }); err != errLost || time.Since(began) != time.Hour {
			t.Errorf("got %v after %s, want %v after 1h", err, time.Since(began), errLost)
		}
	})
}

func TestFailuresAreRetriedUntilTheirTimeIsOver(t *testing.T) {
	t.Parallel()
	topics := topic.Names("orders")
	usual := retry.Policy{Retries: 6, For: time.Hour}
	for _, row := range []struct {
		name    string
		policy  retry.Policy
		retries int
		want    string
	}{
		{"the first", usual, 0, topics.Retry10s},
		{"the sixth", usual, 5, topics.Retry10s},
		{"the seventh", usual, 6, topics.Retry2m},
		{"the last", usual, 35, topics.Retry2m},
		{"after an hour", usual, 36, ""},
		{"never", retry.Policy{For: time.Hour}, 0, ""},
		{"short ones only", retry.Policy{Retries: 1}, 1, ""},
	} {
		got, ok := row.policy.Next(topics, row.retries)
		if got != row.want || ok != (row.want != "") {
			t.Errorf("%s: got %q, %t; want %q", row.name, got, ok, row.want)
		}
	}
}
