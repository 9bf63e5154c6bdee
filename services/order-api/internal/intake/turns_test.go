//go:build synctests

package intake_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/kafkatest"
)

func TestOrdersWithoutAKeyAreSpreadEvenlyAtLowLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, 0)
		placed := map[int32]int{}
		for range 30 {
			p, err := in.Place(t.Context(), wanted(), "")
			must(t, err)
			placed[p.Origin.Partition]++
		}
		if diff := cmp.Diff(map[int32]int{0: 10, 1: 10, 2: 10}, placed); diff != "" {
			t.Errorf("orders by partition (-want +got):\n%s", diff)
		}
	})
}

// TestOrdersWithoutAKeyShareBatchesUnderLoad places a crowd of orders while the broker does not answer, and
// another one after 5 ms.
func TestOrdersWithoutAKeyShareBatchesUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, 0)
		speak := silence(t, k)
		var mu sync.Mutex
		var running sync.WaitGroup
		place := func(n int) map[int32]int {
			placed := map[int32]int{}
			for range n {
				running.Go(func() {
					p, err := in.Place(t.Context(), wanted(), "")
					mu.Lock()
					defer mu.Unlock()
					if placed[p.Origin.Partition]++; err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			return placed
		}
		place(8)
		first := place(40)
		time.Sleep(6 * time.Millisecond)
		second := place(40)
		speak()
		running.Wait()
		if len(first) != 1 || len(second) != 1 || cmp.Equal(first, second) {
			t.Errorf("orders by partition: got %v and 6 ms later %v, want a partition for each 40", first, second)
		}
	})
}
