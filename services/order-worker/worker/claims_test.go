//go:build synctests

package worker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Claims of another group land while orders are in flight, and the worker reads each half a second later: what it writes until
// then is stale. Mails take some time, so that claims land in every window.
func TestClaimsThatAreReadLateLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{10 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				s.mails.Behave(inbox.Behaviour{At: ".", Late: 300 * time.Millisecond})
				s.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
					s.Cluster.KeepControl()
					s.Cluster.SleepControl(func() { time.Sleep(late) })
					return nil, nil, false
				})
				stop := s.work(t)
				time.Sleep(5 * time.Second)
				const n = 90
				all := orders(n)
				for i := 0; i < n; i += 10 {
					s.place(t, all[i:i+10]...)
					time.Sleep(late + 200*time.Millisecond)
					claim := wire.Claim{Group: "typo", Worker: "another", At: time.Now()}.Record()
					claim.Topic, claim.Partition = s.Topics.Status, int32(i/10%3)
					s.Produce(t, claim)
				}
				time.Sleep(time.Minute) // fetches are late one after the other
				states := s.Await(t, ended(n))
				time.Sleep(10 * time.Second) // until all is committed
				stop()
				times := s.mails.Deliveries()
				for id, state := range states {
					got, uncertain := times[mailID(state)], state.Progress.Email.Uncertain
					if state.Status != order.Confirmed || got < 1 || got > 1+uncertain {
						t.Errorf("%s is %s: got %d mails, %d uncertain; want one and as many more as are uncertain at most", id, state.Status, got, uncertain)
					}
				}
				for id, records := range s.Invoices(t) {
					if len(records) != 1 {
						t.Errorf("%s: got %d invoices, want 1", id, len(records))
					}
				}
				s.committedAll(t)
			})
		})
	}
}

// Only what others write has to be read.
func TestAnOrderDoesNotWaitUntilItsOwnStatesAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		topics, err := kadm.NewClient(s.Client).ListTopics(t.Context(), s.Topics.Status)
		if err != nil {
			t.Fatal(err)
		}
		stop := s.work(t)
		time.Sleep(5 * time.Second) // it has claimed its partitions
		begun, answered := false, make(chan struct{})
		s.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.Cluster.KeepControl()
			begun = begun || slices.ContainsFunc(r.(*kmsg.ProduceRequest).Topics, func(to kmsg.ProduceRequestTopic) bool {
				return to.TopicID == topics[s.Topics.Status].ID
			})
			return nil, nil, false
		})
		s.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			s.Cluster.KeepControl()
			if begun {
				s.Cluster.SleepControl(func() { <-answered })
			}
			return nil, nil, false
		})
		s.place(t, orders(1)...)
		time.Sleep(3 * time.Second)
		var finished int64
		for _, offset := range s.Committed(t, s.Prefix)[s.Topics.Orders] {
			finished += offset
		}
		if mails := len(s.mails.Deliveries()); finished != 1 || mails != 1 {
			t.Errorf("got %d orders finished and %d mails while no fetch is answered, want 1", finished, mails)
		}
		close(answered)
		stop()
	})
}
