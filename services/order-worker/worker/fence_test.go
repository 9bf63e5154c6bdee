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
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// A worker whose heartbeats the group has missed has a mail in flight. Its successor sends that mail, so it must not.
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

// What a worker writes that has lost its partition is stale, and does not stay the last state either.
func TestAStaleStateIsRepaired(t *testing.T) {
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
			kafkatest.Force(&state, order.Change{Rev: 9, At: time.Now(), Status: order.Working})
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

// A second group on the same topics would do everything twice.
func TestASecondGroupOnTheSameTopicsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.work(t)
		time.Sleep(5 * time.Second)
		typo := s.settings(t)
		typo.Group = "typo"
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := worker.Run(ctx, typo)
		if err == nil || !strings.Contains(err.Error(), "stop its workers first") {
			t.Errorf("the second group: got %v, want it refused", err)
		}
		s.place(t, orders(30)...)
		s.Await(t, ended(30))
		s.confirmedOnce(t, 30)
	})
}

// Claims of a second group that could not be refused, or of a former owner that wakes up, end no work for ever.
func TestOrdersContinueAfterAForeignClaim(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"typo", "orders"} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				stop := s.work(t)
				s.place(t, orders(30)[:15]...)
				s.Await(t, ended(15))
				for partition := range int32(kafkatest.Partitions) {
					claim := wire.Claim{Group: group, Worker: "another", At: time.Now()}.Record()
					claim.Topic, claim.Partition = s.Topics.Status, partition
					s.Produce(t, claim)
				}
				kafkatest.Pass(time.Second) // orders and claims are fetched by two clients: the claims first
				s.place(t, orders(30)[15:]...)
				s.Await(t, ended(30))
				stop()
				s.confirmedOnce(t, 30)
				s.committedAll(t)
			})
		})
	}
}
