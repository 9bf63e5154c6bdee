//go:build synctests

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

func TestMailServerDownForAnHourMakesNoDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outage := time.Hour
		if raced {
			outage = 10 * time.Minute
		}
		s := open(t)
		s.place(t, orders(20)...)
		s.mails.Behave(inbox.Behaviour{Down: true})
		stop := s.work(t, func(c *worker.Config) { c.Concurrency = 4 })
		time.Sleep(outage)
		// One of them may be on its way, to see whether the server is back.
		if got := count(s.States(t)); got[order.Waiting] < 19 || got[order.Waiting]+got[order.Mailing] != 20 {
			t.Errorf("after the outage: got %v, want all waiting", got)
		}
		s.mails.Behave(inbox.Behaviour{})
		states := s.Await(t, ended(20))
		stop()
		s.confirmedOnce(t, 20)
		s.committedAll(t)
		for id, state := range states {
			if n := len(state.Timeline); n < 5 || n > 6 {
				t.Errorf("%s: got timeline %+v, want accepted, working, perhaps mailing, waiting, mailing, confirmed", id, state.Timeline)
			}
			if got := state.Progress.Email.Uncertain; got != 0 {
				t.Errorf("%s: got uncertain %d times, want never: nothing was sent", id, got)
			}
		}
	})
}

func TestMailServerDownUnderLoadDelaysMailsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		all := orders(300)
		stop := s.work(t)
		for i := range 30 {
			switch i {
			case 5:
				s.mails.Behave(inbox.Behaviour{Down: true})
			case 15: // in the middle of the outage
				stop()
				stop = s.work(t)
			case 25:
				s.mails.Behave(inbox.Behaviour{})
			}
			s.place(t, all[10*i:10*i+10]...)
			time.Sleep(30 * time.Second)
		}
		s.Await(t, ended(300))
		stop()
		s.confirmedOnce(t, 300)
		s.committedAll(t)
	})
}

// The server keeps each mail and hangs up instead of saying so: each that is sent is one that the customer gets, and may get again.
func TestMailServerThatLosesItsAnswersCostsFewMails(t *testing.T) {
	t.Parallel()
	const inHand, minutes = 4, 10
	for _, row := range []struct {
		policy   string
		restarts int // of the worker, which forgets that the server is down
		doubts   int // of each order that ended as a dead letter
	}{
		{"resend", 0, 3}, {"resend", 2, 3}, {"hold", 0, 1},
	} {
		t.Run(fmt.Sprint(row.policy, row.restarts), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: ".", HangUp: true})
				policy := func(c *worker.Config) { c.Concurrency, c.Uncertain = inHand, row.policy }
				stop := s.work(t, policy)
				all := orders(60)
				for minute := range minutes {
					s.place(t, all[6*minute:6*minute+6]...)
					time.Sleep(time.Minute)
					if minute%4 == 3 && minute/4 < row.restarts {
						stop()
						stop = s.work(t, policy)
					}
				}
				s.mails.Behave(inbox.Behaviour{})
				states := s.Await(t, ended(60))
				stop()
				s.committedAll(t)
				// Five open the breaker while others are in flight, each time. Then one looks whether it is over: after 5, 10, 20,
				// 40 s, and each minute.
				s.mailedAsStated(t, states, row.doubts, (1+row.restarts)*(5+inHand+4)+minutes)
			})
		})
	}
}

// mailedAsStated checks that no order was mailed more often than its state admits, that only so
// many doubts made dead letters, and that there were few.
func (s *shop) mailedAsStated(t *testing.T, states map[order.ID]order.State, dead, few int) {
	t.Helper()
	all, delivered := 0, s.mails.Deliveries()
	for id, state := range states {
		doubts, want := state.Progress.Email.Uncertain, 1
		if state.Status == order.Dead {
			want = 0
		}
		if got := delivered[state.Progress.Email.MessageID]; got != want+doubts || got > 3 {
			t.Errorf("%s, %s: got %d mails, uncertain %d times; want one for each, and at most 3", id, state.Status, got, doubts)
		}
		if (state.Status == order.Dead) != (doubts == dead) {
			t.Errorf("%s: got %s, uncertain %d times; want a dead letter after %d", id, state.Status, doubts, dead)
		}
		all += doubts
	}
	if all == 0 || all > few {
		t.Errorf("got %d mails with an unknown outcome, want some, and at most %d", all, few)
	}
}

func TestWorkerEndsAtOnceWhileTheMailServerIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, orders(40)...)
		s.mails.Behave(inbox.Behaviour{Down: true})
		stop := s.work(t)
		time.Sleep(2 * time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the end took %s, want it at once: only waiting orders are in flight", took)
		}
		s.mails.Behave(inbox.Behaviour{})
		s.work(t)
		s.Await(t, ended(40))
		s.confirmedOnce(t, 40)
	})
}

func TestMailsInFlightAreFinishedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, orders(40)...)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 20 * time.Second})
		stop := s.work(t)
		time.Sleep(5 * time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("the end took %s, want as long as the mails in flight", took)
		}
		s.mailedOnce(t, 16)
		if got := count(s.States(t)); got[order.Confirmed] != 16 {
			t.Errorf("got %v, want the 16 in flight confirmed", got)
		}
		s.mails.Behave(inbox.Behaviour{})
		s.work(t)
		s.Await(t, ended(40))
		s.confirmedOnce(t, 40)
	})
}

func TestWhatTakesTooLongIsSentAgainByTheNextOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		hanging := s.place(t, orders(6)...)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 25 * time.Second}) // the server has the mail, and says nothing
		stop := s.work(t, func(c *worker.Config) { c.Drain = 4 * time.Second })
		time.Sleep(5 * time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("the end took %s, want the drain time of 4s", took)
		}
		s.mails.Behave(inbox.Behaviour{})
		s.place(t, orders(9)[6:]...)
		stop = s.work(t)
		states := s.Await(t, ended(9))
		stop()
		s.committedAll(t)
		want := map[string]int{}
		for id := range states {
			want[string(id)+".invoice@example.com"] = 1
		}
		for _, id := range hanging {
			want[string(id)+".invoice@example.com"] = 2
		}
		if diff := cmp.Diff(want, s.mails.Deliveries()); diff != "" {
			t.Errorf("deliveries by Message-ID (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 9}, count(states)); diff != "" || len(s.Invoices(t)) != 9 {
			t.Errorf("got %d invoices, orders (-want +got):\n%s", len(s.Invoices(t)), diff)
		}
	})
}

func TestOrdersThatWaitForKafkaKeepNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 500 * time.Millisecond})
		s.work(t, func(c *worker.Config) { c.SMTPConnections = 1 })
		time.Sleep(5 * time.Second)
		ids := s.place(t, orders(90)...)
		time.Sleep(1200 * time.Millisecond)
		back := s.Leaderless(s.Topics.Status, 0)
		time.Sleep(time.Minute) // 60 orders in the other partitions
		deliveries := s.mails.Deliveries()
		for _, id := range ids {
			if number := s.layout.Partition([]byte(id)); number != 0 && deliveries[string(id)+".invoice@example.com"] != 1 {
				t.Errorf("order %s in partition %d is not mailed while partition 0 has no leader", id, number)
			}
		}
		back()
		s.Await(t, ended(90))
		s.confirmedOnce(t, 90)
	})
}

func TestKafkaAwayIsNoOrdersFault(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		away  time.Duration
		twice int // mails, at most
	}{
		{"a moment", 3 * time.Second, 0}, {"longer than a session", 20 * time.Second, 16}, {"an hour", time.Hour, 16},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: ".", Late: time.Second})
				s.work(t)
				time.Sleep(5 * time.Second)
				s.place(t, orders(60)...)
				time.Sleep(1500 * time.Millisecond)
				back := s.Away()
				time.Sleep(row.away)
				back()
				states := s.Await(t, ended(60))
				if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 60}, count(states)); diff != "" {
					t.Errorf("orders (-want +got):\n%s", diff)
				}
				s.mailedAgain(t, 60, row.twice)
			})
		})
	}
}

func TestWorkerEndsWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 3 * time.Second})
		stop := s.work(t)
		s.place(t, orders(30)...)
		time.Sleep(2 * time.Second)
		back := s.Away()
		began := time.Now()
		stop()
		if took := time.Since(began); took > worker.DefaultDrain {
			t.Errorf("the end took %s, want it within the drain time", took)
		}
		back()
		s.mails.Behave(inbox.Behaviour{})
		s.work(t)
		s.Await(t, ended(30))
		s.mailedAgainOnlyWhatWasInHand(t, 30)
	})
}

func TestWorkerThatKafkaLosesIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: time.Second})
		var cut atomic.Bool
		errCut := errors.New("network is unreachable")
		s.work(t, func(c *worker.Config) {
			dial := c.Kafka.Dial
			c.Kafka.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if cut.Load() {
					return nil, errCut
				}
				conn, err := dial(ctx, network, address)
				return &severable{Conn: conn, cut: &cut}, err
			}
		})
		time.Sleep(5 * time.Second)
		s.place(t, orders(60)...)
		time.Sleep(1500 * time.Millisecond)
		cut.Store(true)
		s.work(t)
		states := s.Await(t, ended(60))
		if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 60}, count(states)); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		s.mailedAgainOnlyWhatWasInHand(t, 60)
	})
}

// mailedAgainOnlyWhatWasInHand checks that each of n orders was invoiced once and mailed, twice at most where a worker
// could not write down that it was: no more than are mailed at once.
func (s *shop) mailedAgainOnlyWhatWasInHand(t *testing.T, n int) {
	t.Helper()
	s.mailedAgain(t, n, 16)
}

func (s *shop) mailedAgain(t *testing.T, n, most int) {
	t.Helper()
	times := map[int]int{}
	for _, delivered := range s.mails.Deliveries() {
		times[delivered]++
	}
	if times[1]+times[2] != n || times[2] > most {
		t.Errorf("got %v by times delivered, want %d once, of which %d at most twice", times, n, most)
	}
	for id, records := range s.Invoices(t) {
		if len(records) != 1 {
			t.Errorf("%s: got %d invoices, want one", id, len(records))
		}
	}
}

// severable is a connection that breaks at its next use once it is cut.
type severable struct {
	net.Conn
	cut *atomic.Bool
}

// Write breaks the connection when it is cut.
func (c *severable) Write(b []byte) (int, error) {
	if c.cut.Load() {
		c.Conn.Close()
	}
	return c.Conn.Write(b)
}
