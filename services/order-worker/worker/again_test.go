//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

// The mails went out, and Kafka was away before that could be written. No other worker got the orders meanwhile.
func TestAWorkerDoesNotRepeatTheMailsItSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: time.Second})
		s.work(t)
		time.Sleep(5 * time.Second)
		s.place(t, orders(12)...)
		time.Sleep(500 * time.Millisecond) // all are in flight, and no mail is answered
		back := s.Away()
		time.Sleep(time.Minute) // longer than a session: the partitions are lost
		back()
		states := s.Await(t, ended(12))
		if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 12}, count(states)); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		s.mailedOnce(t, 12)
		for id, state := range states {
			if got := state.Progress.Email.Uncertain; got != 0 {
				t.Errorf("%s: got uncertain %d times, want never: the worker saw each mail accepted", id, got)
			}
		}
	})
}
