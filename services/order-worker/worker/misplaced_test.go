//go:build synctests

package worker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/failure"
)

// A relay with another partitioner writes orders to two partitions. Each is worked on where the API would have put it.
func TestAnOrderIsWorkedOnInItsOwnPartitionOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		twice, astray := sample("zoe@example.com", 0), sample("eve@example.com", 1)
		s.Produce(t, s.record(0, twice), s.record(2, twice), s.record(2, astray))
		stop := s.work(t)
		s.Await(t, ended(1))
		time.Sleep(5 * time.Second)
		s.sendBack(t) // it is refused again
		time.Sleep(5 * time.Second)
		stop()
		s.confirmedOnce(t, 1)
		s.committedAll(t)
		var got []string
		for _, l := range s.DeadLetters(t) {
			got = append(got, l.ID()+" "+l.Class.String()+" "+string(l.Reason))
		}
		// They are worked on concurrently, and either may come first. The last one is replayed.
		const permanent = " permanent " + string(failure.WrongPartition)
		if len(got) != 3 || got[2] != got[1] {
			t.Fatalf("got dead letters %v, want that of each record, and the last one again", got)
		}
		if diff := cmp.Diff([]string{"2-0" + permanent, "2-1" + permanent}, slices.Sorted(slices.Values(got[:2]))); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}
