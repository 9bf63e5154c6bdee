//go:build synctests

package worker_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// A worker that the group does not hear from any more has a mail in hand. Whoever comes after it sends that mail, so it must not.
func TestAWorkerCutOffFromItsGroupSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.work(t)
		s.place(t, sample("warm-up@example.com", 1))
		s.Await(t, ended(1))
		s.mails.Behave(inbox.Behaviour{At: "RCPT", Late: 7 * time.Second, Times: 1})
		back := make(chan struct{})
		s.Cluster.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			s.Cluster.KeepControl()
			s.Cluster.SleepControl(func() { <-back })
			return nil, nil, false
		})
		time.Sleep(time.Second)
		s.place(t, sample("ann@example.com", 2))
		time.Sleep(15 * time.Second) // the lease runs out, the mail server asks for more, the group gives the partitions up
		close(back)
		s.Await(t, ended(2))
		s.mailedOnce(t, 2)
	})
}

// What a worker writes that has lost its partition counts for nobody, and does not stay the last word either.
func TestAVoidStateIsPutRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		first := s.work(t) // its claims have offset 0
		s.place(t, orders(3)...)
		s.Await(t, ended(3))
		first()
		s.work(t)
		time.Sleep(time.Second)
		for id, state := range s.Await(t, ended(3)) {
			state.Record(order.Change{Rev: 9, At: time.Now(), Status: order.Working})
			late := wire.State(state, 0)
			late.Topic, late.Partition = s.Topics.Status, state.Origin.Partition
			s.Produce(t, late)
			time.Sleep(5 * time.Second)
			last := ""
			for _, r := range s.Records(t, s.Topics.Status) {
				if string(r.Key) == string(id) {
					last = wire.Header(r, "state")
				}
			}
			if last != string(order.Confirmed) {
				t.Errorf("%s: the last word is %q, want %q", id, last, order.Confirmed)
			}
		}
		s.confirmedOnce(t, 3)
	})
}

// Two groups on the same topics would do everything twice.
func TestASecondGroupOnTheSameTopicsEndsTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		ended := make(chan error, 1)
		cfg := s.settings(t)
		owned := make(chan struct{}, 10)
		cfg.Assigned = func([]int32) { owned <- struct{}{} }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { ended <- worker.Run(ctx, cfg) }() // ends with ctx, or on its own
		<-owned
		s.work(t, func(c *worker.Config) { c.Group = "others" })
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "second group") {
			t.Errorf("got %v, want an error that says so", err)
		}
	})
}
