//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

func TestBusyForAnHourIsADeadLetterAndItsReplayOneMail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		restarts []time.Duration // of the worker, since the order was placed
	}{
		{"one worker", nil},
		{"several workers", []time.Duration{15 * time.Second, 9 * time.Minute, 31 * time.Minute}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
				s.place(t, orders(1)...)
				began := time.Now()
				stop := s.work(t)
				for _, at := range row.restarts {
					time.Sleep(time.Until(began.Add(at)))
					stop()
					stop = s.work(t)
				}
				time.Sleep(time.Until(began.Add(50 * time.Minute)))
				if got := count(s.States(t)); got[order.Retrying] != 1 {
					t.Errorf("after 50 minutes: got %v, want it retrying", got)
				}
				time.Sleep(20 * time.Minute)
				stop()
				s.committedAll(t)
				deadLetters := s.DeadLetters(t)
				if len(deadLetters) != 1 {
					t.Fatalf("got %d dead letters, want one", len(deadLetters))
				}
				deadLetter := deadLetters[0]
				rounds := 1 + len(s.Records(t, s.Topics.Retry10s)) + len(s.Records(t, s.Topics.Retry2m))
				if deadLetter.Reason != failure.MailBusy || deadLetter.Attempts != 3*rounds {
					t.Errorf("got %d attempts of a server that is %s; want 3 in each of %d rounds", deadLetter.Attempts, deadLetter.Reason, rounds)
				}
				if got := len(s.Records(t, s.Topics.Retry10s)); got != 6 {
					t.Errorf("retried %d times after 10 s, want 6", got)
				}
				if took := deadLetter.LastFailed.Sub(deadLetter.FirstFailed); took < time.Hour || took > time.Hour+3*time.Minute {
					t.Errorf("got the dead letter after %s, want it after an hour", took)
				}
				s.mails.Behave(inbox.Behaviour{})
				s.sendBack(t)
				s.work(t)
				states := s.Await(t, func(all map[order.ID]order.State) bool { return count(all)[order.Confirmed] == 1 })
				s.confirmedOnce(t, 1)
				for _, state := range states {
					if state.Progress.Email.Uncertain != 0 {
						t.Errorf("got %+v, want nothing uncertain: each mail was refused", state.Progress.Email)
					}
				}
			})
		})
	}
}

func TestBusyForAWhileIsOneMailLate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		busy time.Duration
	}{
		{"half a minute", 30 * time.Second}, {"ten minutes", 10 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
				s.place(t, orders(3)...)
				stop := s.work(t)
				time.Sleep(row.busy / 2)
				stop()
				stop = s.work(t)
				time.Sleep(row.busy / 2)
				s.mails.Behave(inbox.Behaviour{})
				time.Sleep(2 * time.Minute)
				s.Await(t, ended(3))
				stop()
				s.confirmedOnce(t, 3)
				s.committedAll(t)
			})
		})
	}
}

func TestUncertainMails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		policy  string
		reasons map[string]int // of dead letters
		mails   int
	}{
		{"resend", map[string]int{}, 2},
		{"hold", map[string]int{"uncertain": 1}, 1},
	} {
		t.Run(row.policy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: ".", Late: 25 * time.Second, Times: 1}) // the server has the mail, and says nothing
				stop := s.work(t, func(c *worker.Config) { c.Drain = time.Second })
				s.place(t, orders(1)...)
				time.Sleep(5 * time.Second)
				stop()
				s.work(t, func(c *worker.Config) { c.Uncertain = row.policy })
				states := s.Await(t, ended(1))
				reasons := map[string]int{}
				for _, deadLetter := range s.DeadLetters(t) {
					reasons[string(deadLetter.Reason)]++
				}
				if diff := cmp.Diff(row.reasons, reasons); diff != "" {
					t.Errorf("dead letters by reason (-want +got):\n%s", diff)
				}
				for id, state := range states {
					if got := s.mails.Deliveries()[state.Progress.Email.MessageID]; got != row.mails || state.Progress.Email.Uncertain != 1 {
						t.Errorf("%s: got %d mails, uncertain %d times; want %d, once", id, got, state.Progress.Email.Uncertain, row.mails)
					}
				}
			})
		})
	}
}
