package lease

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

const session = 8 * time.Second

// joined is a lease that the group has just answered twice.
func joined() *Lease {
	l := New(session)
	l.Renew(time.Now())
	l.Renew(time.Now())
	return l
}

func TestTheLeaseIsHeldOnlyWhileTheGroupAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(session)
		if l.Held() > 0 {
			t.Error("a lease is held before the group has answered")
		}
		l = joined()
		ctx := l.Guard(t.Context())
		for range 20 {
			time.Sleep(session - margin - time.Millisecond)
			if err := ctx.Err(); err != nil {
				t.Fatalf("got %v just before the lease runs out, want nil", err)
			}
			l.Renew(time.Now())
		}
		time.Sleep(session - margin)
		if err := ctx.Err(); !errors.Is(err, ErrLapsed) {
			t.Errorf("got %v when the lease has run out, want ErrLapsed", err)
		}
	})
}

func TestTheLeaseCountsFromWhenTheRequestWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := joined()
		sent := time.Now()
		time.Sleep(5 * time.Second) // an answer that took that long says nothing of the time since
		l.Renew(sent)
		time.Sleep(time.Second)
		if l.Held() > 0 {
			t.Error("the lease is held 6 s after the request, want it to have run out")
		}
	})
}

// The first answer after a long stop may be that the member is unknown.
func TestALapsedLeaseIsNotRenewedByTheFirstAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := joined()
		time.Sleep(time.Minute)
		l.Renew(time.Now())
		if l.Held() > 0 {
			t.Error("the first answer renews the lease")
		}
		time.Sleep(time.Second)
		l.Renew(time.Now())
		if l.Held() == 0 {
			t.Error("the second answer does not renew the lease")
		}
		// Two answers that are far apart are two first ones.
		time.Sleep(time.Minute)
		l.Renew(time.Now())
		time.Sleep(time.Minute)
		l.Renew(time.Now())
		if l.Held() > 0 {
			t.Error("an answer a minute after the other renews the lease")
		}
	})
}

func TestHoldWaitsForTheLeaseOrTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(session)
		began := time.Now()
		time.AfterFunc(3*time.Second, func() { l.Renew(time.Now()) })
		time.AfterFunc(4*time.Second, func() { l.Renew(time.Now()) })
		if err := l.Hold(t.Context()); err != nil || time.Since(began) != 4*time.Second {
			t.Errorf("got %v after %v, want nil after 4s", err, time.Since(began))
		}
		time.Sleep(time.Minute)
		lost := errors.New("lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(lost) })
		if err := l.Hold(ctx); !errors.Is(err, lost) {
			t.Errorf("got %v, want the cause of the end", err)
		}
		if err := l.Guard(ctx).Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("guarded: got %v, want %v", err, context.Canceled)
		}
	})
}

func TestHeldIsTheTimeWithoutABreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := joined()
		for range 10 {
			time.Sleep(time.Second)
			l.Renew(time.Now())
		}
		if got := l.Held(); got != 10*time.Second {
			t.Errorf("got %s, want 10s", got)
		}
		time.Sleep(time.Minute)
		if got := l.Held(); got != 0 {
			t.Errorf("after it has run out: got %s, want 0", got)
		}
		l.Renew(time.Now())
		l.Renew(time.Now())
		if got := l.Held(); got <= 0 || got > time.Second {
			t.Errorf("renewed just now: got %s, want next to nothing", got)
		}
	})
}
