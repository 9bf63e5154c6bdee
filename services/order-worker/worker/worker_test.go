//go:build synctests

package worker_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

func TestEveryOrderIsConfirmedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, orders(100)...)
		stop := s.work(t)
		states := s.Await(t, ended(100))
		s.confirmedOnce(t, 100)
		for id, records := range s.Invoices(t) {
			if got, want := string(records[0].Key), states[id].Origin.InvoiceNumber(); got != want {
				t.Errorf("%s: got invoice %s, want %s", id, got, want)
			}
		}
		stop()
		s.committedAll(t)
	})
}

func TestScalingRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 700 * time.Millisecond})
		all := orders(180)
		more := func(n int) {
			s.place(t, all[:n]...)
			all = all[n:]
			time.Sleep(rand.N(3 * time.Second)) // rebalance in the middle of it
		}
		stop := []func(){s.work(t)}
		more(30)
		stop = append(stop, s.work(t))
		more(30)
		stop = append(stop, s.work(t))
		more(30)
		time.Sleep(10 * time.Second)
		more(30)
		stop[0]()
		more(30)
		stop[2]()
		more(30)
		s.Await(t, ended(180))
		stop[1]()
		s.confirmedOnce(t, 180)
		s.committedAll(t)
	})
}

func TestWorkersShareThePartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		var mu sync.Mutex
		owned := map[int][]int32{}
		hear := func(who int) func(*worker.Config) {
			return func(c *worker.Config) {
				c.Assigned = func(numbers []int32) {
					mu.Lock()
					defer mu.Unlock()
					owned[who] = slices.Clone(numbers)
				}
			}
		}
		s.work(t, hear(0))
		time.Sleep(10 * time.Second)
		s.work(t, hear(1))
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if both := slices.Sorted(slices.Values(slices.Concat(owned[0], owned[1]))); len(owned[1]) == 0 || !slices.Equal(both, []int32{0, 1, 2}) {
			t.Errorf("got %v, want three partitions, shared", owned)
		}
	})
}

func TestLostOffsetsRepeatNoMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, orders(50)...)
		stop := s.work(t)
		s.Await(t, ended(50))
		stop()
		if _, err := kadm.NewClient(s.Client).DeleteGroup(t.Context(), s.Prefix); err != nil {
			t.Fatal(err)
		}
		s.place(t, orders(51)[50:]...)
		stop = s.work(t)
		s.Await(t, ended(51))
		time.Sleep(5 * time.Second) // until the other partitions are read again, too
		stop()
		s.confirmedOnce(t, 51)
		s.committedAll(t)
	})
}

func TestRepeatedKeyIsOneOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		first := sample("zoe@example.com", 3)
		other := sample("eve@example.com", 3) // the same key, another order: the API has answered 422
		s.Produce(t, s.record(0, first), s.record(0, first), s.record(0, other))
		stop := s.work(t)
		s.Await(t, ended(1))
		s.Produce(t, s.record(0, first))
		time.Sleep(5 * time.Second)
		stop()
		s.confirmedOnce(t, 1)
		s.committedAll(t)
		if got := s.States(t)[first.ID]; got.Order.Customer != first.Customer {
			t.Errorf("got the order of %s, want that of %s", got.Order.Customer.Email, first.Customer.Email)
		}
	})
}

func TestSlowMailDelaysNoOtherOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.work(t)
		time.Sleep(5 * time.Second)
		began := time.Now()
		slow := sample("zoe@slow.test", 0)
		s.Produce(t, s.record(0, slow))
		for i := 1; i <= 50; i++ {
			s.Produce(t, s.record(0, sample("zoe@example.com", 3*i)))
		}
		s.Await(t, ended(50))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("50 orders behind a slow one took %s, want no wait for it", took)
		}
		states := s.Await(t, ended(51))
		if took := time.Since(began); took < 5*time.Second || states[slow.ID].Status != order.Confirmed {
			t.Errorf("the slow one: got %s after %s, want confirmed after 5s", states[slow.ID].Status, took)
		}
	})
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]worker.Settings{
		"no concurrency": {Group: "g", Concurrency: 0},
		"negative drain": {Group: "g", Concurrency: 1, Drain: -1},
		"no group":       {Concurrency: 1},
		"short session":  {Group: "g", Concurrency: 1, Session: time.Second},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	if diff := cmp.Diff(nil, (&worker.Settings{Group: "g", Concurrency: 1, Session: 4 * time.Second}).Validate()); diff != "" {
		t.Errorf("least settings: %s", diff)
	}
}
