//go:build synctests

package worker_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// From one worker to six and down to two, under a load that leaves no partition without an order.
func TestScalingUnderLoadRepeatsNothingAndLeavesNoPartitionIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const partitions, every, rounds = 6, 500 * time.Millisecond, 60
		s := openOn(t, kafkatest.StartWide(t, partitions))
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 400 * time.Millisecond})
		stop := []func(){s.work(t)}
		time.Sleep(3 * time.Second)
		loaded := make(chan struct{})
		began := time.Now()
		go func() { // ends when all orders are placed
			defer close(loaded)
			for n := range rounds {
				for p := range int32(partitions) {
					o := sample(fmt.Sprintf("customer-%d@example.com", p), n*partitions+int(p))
					o.ID = idOf(n*partitions+int(p), partitions)
					s.place(t, o)
				}
				time.Sleep(every)
			}
		}()
		for range 5 {
			time.Sleep(2 * time.Second)
			stop = append(stop, s.work(t))
		}
		for n := range 4 {
			time.Sleep(3 * time.Second)
			stop[n]()
		}
		<-loaded
		s.Await(t, ended(rounds*partitions))
		for p, gap := range s.longestGap(t, began) {
			if gap > 2*time.Second {
				t.Errorf("partition %d: idle for %s, want no more than 2s", p, gap)
			}
		}
		stop[4]()
		stop[5]()
		s.confirmedOnce(t, rounds*partitions)
		s.committedAll(t)
	})
}

// longestGap is the longest time for which no order of a partition was finished.
func (s *shop) longestGap(t *testing.T, began time.Time) map[int32]time.Duration {
	t.Helper()
	last, longest := map[int32]time.Time{}, map[int32]time.Duration{}
	for _, r := range s.Records(t, s.Topics.Status) {
		if wire.Header(r, "state") != string(order.Confirmed) {
			continue
		}
		if last[r.Partition].IsZero() {
			last[r.Partition] = began
		}
		longest[r.Partition] = max(longest[r.Partition], r.Timestamp.Sub(last[r.Partition]))
		last[r.Partition] = r.Timestamp
	}
	return longest
}

func TestAMailThatTakesLongIsSentOnceAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.work(t)
		time.Sleep(5 * time.Second)
		s.mails.Behave(inbox.Behaviour{At: ".", Late: 25 * time.Second, Times: 1})
		began := time.Now()
		slow := sample("slow@example.com", 0)
		s.Produce(t, s.record(0, slow))
		time.Sleep(time.Second)
		for i := 1; i <= 50; i++ {
			s.Produce(t, s.record(0, sample("zoe@example.com", 3*i)))
		}
		s.Await(t, ended(50))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("50 orders behind a slow one took %s, want no wait for it", took)
		}
		s.Await(t, ended(51))
		if took := time.Since(began); took < 25*time.Second {
			t.Errorf("the slow one took %s, want the 25s of its mail", took)
		}
		s.confirmedOnce(t, 51)
	})
}
