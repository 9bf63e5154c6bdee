//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// lose is a server that accepts the mail, and whose answer is lost.
func lose(context.Context, *order.Work) error {
	return failure.New(failure.Transient, failure.Uncertain, errors.New("connection lost"))
}

// uncertain is how often the outcome was unknown, by the state of an order.
func (l *line) uncertain(t *testing.T, id order.ID) int {
	t.Helper()
	return l.States(t)[id].Progress.Email.Uncertain
}

// killed is a worker that is killed in the middle of a mail.
func (l *line) killed(t *testing.T, r *kgo.Record) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	do := l.email.do
	l.email.do = func(context.Context, *order.Work) error {
		kill()
		return ctx.Err()
	}
	if err := l.Handle(ctx, l.ledger, r, l.stopping); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	l.email.do = do
	l.takeOver(t)
}

func TestUncertainIsCountedAndWrittenBeforeItIsSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		var stood []int
		l.email.do = func(_ context.Context, w *order.Work) error {
			s := l.States(t)[w.Order.ID]
			stood = append(stood, s.Progress.Email.Uncertain)
			if len(stood) <= 2 {
				return lose(t.Context(), nil)
			}
			return nil
		}
		l.work(t, l.place(t, "ord_1"))
		for range 2 {
			r, _ := l.next(t)
			l.work(t, r)
		}
		if diff := cmp.Diff([]int{0, 1, 2}, stood); diff != "" {
			t.Errorf("uncertain as stated before each mail (-want +got):\n%s", diff)
		}
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying uncertain", "mailing", "retrying uncertain", "mailing", "confirmed")
	})
}

func TestUncertainCountSurvivesParking(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		cause func(*testing.T, *line)
		story []string
		count int
	}{
		{
			"tried again later", func(t *testing.T, l *line) {
				l.email.do = lose
				l.work(t, l.place(t, "ord_1"))
			},
			[]string{"retrying uncertain"},
			1,
		}, {
			"found while the server is down", func(t *testing.T, l *line) {
				r := l.place(t, "ord_1")
				l.killed(t, r)
				l.outage()
				l.work(t, r)
				time.Sleep(time.Minute)
			},
			[]string{"waiting mail-away"},
			1,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t).patient()
				row.cause(t, l)
				story := append([]string{"accepted", "working", "mailing"}, row.story...)
				l.tells(t, "ord_1", story...)
				if got := l.uncertain(t, "ord_1"); got != row.count {
					t.Errorf("got uncertain %d times, want %d", got, row.count)
				}
				l.email.do = nil
				r, _ := l.next(t)
				l.work(t, r)
				l.tells(t, "ord_1", append(story, "mailing", "confirmed")...)
				if got := l.uncertain(t, "ord_1"); got != row.count {
					t.Errorf("at the end: got uncertain %d times, want %d", got, row.count)
				}
			})
		})
	}
}

func TestHoldSendsAnUncertainOrderByItsReplayOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		cause func(*testing.T, *line, *kgo.Record)
	}{
		{"an answer that was lost", func(t *testing.T, l *line, r *kgo.Record) {
			l.email.do = lose
			l.work(t, r)
		}},
		{"found by the next owner", func(t *testing.T, l *line, r *kgo.Record) {
			l.killed(t, r)
			l.work(t, r)
		}},
		{"found while the server is down", func(t *testing.T, l *line, r *kgo.Record) {
			l.killed(t, r)
			l.outage()
			l.work(t, r)
			time.Sleep(time.Minute)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t).patient()
				l.settings.Hold = true
				l.restart()
				r := l.place(t, "ord_1")
				row.cause(t, l, r)
				deadLetter := l.deadLetter(t)
				if deadLetter.Class != failure.Permanent || deadLetter.Reason != failure.Uncertain || deadLetter.Step != order.StepEmail || l.email.done != 0 {
					t.Errorf("got %d mails, dead letter %+v; want none, and a permanent one that is uncertain", l.email.done, deadLetter)
				}
				l.email.do = nil
				l.work(t, l.sendBack(t, deadLetter))
				l.tells(t, "ord_1", "accepted", "working", "mailing", "dead uncertain", "mailing #1", "confirmed #1")
				if got := l.uncertain(t, "ord_1"); got != 1 || l.email.done != 1 {
					t.Errorf("got uncertain %d times, %d mails; want one each", got, l.email.done)
				}
			})
		})
	}
}

// Whatever goes wrong, a customer gets no more than three mails by themselves.
func TestUncertainThreeTimesIsSentByItsReplayOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		third func(*testing.T, *line, *kgo.Record)
	}{
		{"an answer that was lost", func(t *testing.T, l *line, r *kgo.Record) { l.work(t, r) }},
		{"found by the next owner", func(t *testing.T, l *line, r *kgo.Record) {
			l.killed(t, r)
			l.work(t, r)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, mails := setup(t).patient(), 0
				l.email.do = func(context.Context, *order.Work) error {
					mails++
					return lose(t.Context(), nil)
				}
				l.work(t, l.place(t, "ord_1"))
				r, _ := l.next(t)
				l.work(t, r)
				if got := len(l.DeadLetters(t)); got != 0 {
					t.Errorf("after two mails: got %d dead letters, want none", got)
				}
				r, _ = l.next(t)
				row.third(t, l, r)
				deadLetter := l.deadLetter(t)
				if deadLetter.Class != failure.Permanent || deadLetter.Reason != failure.Uncertain || deadLetter.Progress.Email.Uncertain != 3 || mails > 3 {
					t.Errorf("got %d mails, dead letter %+v; want at most 3, and a permanent one that is uncertain three times", mails, deadLetter)
				}
				l.work(t, l.sendBack(t, deadLetter))
				if got := len(l.DeadLetters(t)); got != 2 {
					t.Errorf("its replay was lost, too: got %d dead letters, want 2", got)
				}
				l.email.do = nil
				l.work(t, l.sendBack(t, l.deadLetter(t)))
				if got := l.States(t)["ord_1"]; got.Status != order.Confirmed || got.Progress.Email.Uncertain != 4 {
					t.Errorf("got %s, uncertain %d times; want it confirmed, 4 times", got.Status, got.Progress.Email.Uncertain)
				}
			})
		})
	}
}

// TestStopTakesBackAnIntentWithoutEffect stops a worker while an order pauses between two attempts.
func TestStopTakesBackAnIntentWithoutEffect(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(context.Context, *order.Work) error
	}{
		{"busy", busy},
		{"down", away},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t).patient()
				r := l.place(t, "ord_1")
				l.email.do = func(ctx context.Context, w *order.Work) error {
					close(l.stopping)
					return row.do(ctx, w)
				}
				if err := l.Handle(t.Context(), l.ledger, r, l.stopping); !errors.Is(err, retry.ErrStopping) {
					t.Fatalf("got %v, want %v", err, retry.ErrStopping)
				}
				if got := l.States(t)["ord_1"].Status; got != order.Working {
					t.Errorf("left %s, want %s", got, order.Working)
				}
				l.email.do, l.stopping = nil, make(chan struct{})
				l.takeOver(t)
				l.work(t, r)
				l.tells(t, "ord_1", "accepted", "working", "mailing", "working", "mailing", "confirmed")
			})
		})
	}
}

func TestStopKeepsTheIntentOfAFormerOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		r := l.place(t, "ord_1")
		l.killed(t, r)
		l.email.plan = func(ctx context.Context, w *order.Work) error {
			close(l.stopping)
			return fail(ctx, w)
		}
		if err := l.Handle(t.Context(), l.ledger, r, l.stopping); !errors.Is(err, retry.ErrStopping) {
			t.Fatalf("got %v, want %v", err, retry.ErrStopping)
		}
		l.email.plan, l.stopping = nil, make(chan struct{})
		l.takeOver(t)
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "mailing uncertain", "confirmed")
	})
}

func TestStopLeavesAParkedOrderToItsRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		r, _ := l.next(t)
		l.email.do = func(ctx context.Context, w *order.Work) error {
			close(l.stopping)
			return busy(ctx, w)
		}
		if err := l.Handle(t.Context(), l.ledger, r, l.stopping); !errors.Is(err, retry.ErrStopping) {
			t.Fatalf("got %v, want %v", err, retry.ErrStopping)
		}
		l.email.do, l.stopping = nil, make(chan struct{})
		l.takeOver(t)
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying mail-busy", "mailing", "working", "mailing", "confirmed")
	})
}

func TestLeaseThatLapsesIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		lapses := 0
		l.email.do = func(context.Context, *order.Work) error {
			if lapses++; lapses <= 10 {
				return lease.ErrLapsed
			}
			return nil
		}
		began := time.Now()
		l.work(t, l.place(t, "ord_1"))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
		if l.email.planned != 1 || time.Since(began) > time.Second || l.server.State() != "closed" {
			t.Errorf("got %d attempts in %s, breaker %s; want one, at once, closed", l.email.planned, time.Since(began), l.server.State())
		}
	})
}

func TestOnlyAnAnswerClosesTheBreaker(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		do    func(context.Context, *order.Work) error
		state string
	}{
		{"taken over", nil, "closed"}, {"refused", refuse, "closed"}, {"lost", lose, "open"}, {"a bug", fail, "half-open"}, {"down", away, "open"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				l.settings.Retry = retry.Policy{Attempts: 1}
				l.restart()
				l.outage()
				time.Sleep(6 * time.Second)
				l.email.do = row.do
				l.work(t, l.place(t, "ord_1"))
				if got := l.server.State(); got != row.state {
					t.Errorf("got %s, want %s", got, row.state)
				}
			})
		})
	}
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			l.outage()
			time.Sleep(6 * time.Second)
			ctx, kill := context.WithCancel(t.Context())
			l.email.do = func(context.Context, *order.Work) error {
				kill()
				return away(t.Context(), nil) // it was us who hung up
			}
			if err := l.Handle(ctx, l.ledger, l.place(t, "ord_1"), l.stopping); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			if got := l.server.State(); got != "half-open" {
				t.Errorf("got %s, want half-open: there was no answer", got)
			}
		})
	})
}

// The mail went out, and the partition came back to the worker that knows it: nothing is uncertain, and nothing waits.
func TestEffectThatThisProcessKnowsIsNotUncertain(t *testing.T) {
	t.Parallel()
	for _, hold := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			l.settings.Hold = hold
			l.restart()
			r := l.place(t, "ord_1")
			l.killed(t, r)
			l.knows = true
			l.outage()
			l.work(t, r)
			l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
			if got := l.uncertain(t, "ord_1"); got != 0 || l.email.done != 0 {
				t.Errorf("hold %t: got uncertain %d times, %d more mails; want none", hold, got, l.email.done)
			}
		})
	}
}
