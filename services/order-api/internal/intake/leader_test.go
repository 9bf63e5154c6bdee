//go:build synctests

package intake_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
)

func TestPartitionWithoutLeaderRefusesOnlyItsOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, 0)
		k.Leaderless("", 1)
		kafkatest.Pass(5 * time.Second)
		began, refused := time.Now(), 0
		for n := range 30 {
			if _, err := in.Place(t.Context(), wanted(), ""); err != nil {
				t.Errorf("order without a key: got %v, want it taken in another partition", err)
			}
			if _, err := in.Place(t.Context(), wanted(), fmt.Sprint("key ", n)); errors.Is(err, view.ErrNoLeader) {
				refused++
			} else if err != nil {
				t.Errorf("order with a key: got %v, want it taken, or ErrNoLeader", err)
			}
		}
		if refused == 0 || refused == 30 {
			t.Errorf("refused %d of 30 orders with a key, want those of one partition in three", refused)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %s, want no order to wait for a leader", took)
		}
	})
}
