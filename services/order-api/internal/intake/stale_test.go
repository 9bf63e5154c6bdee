//go:build synctests

package intake_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
)

func TestOutdatedViewRefusesRefunds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		sell(t, k, sold())
		in := start(t, k, 0)
		back := k.Away()
		kafkatest.Pass(2 * view.MaxAge)
		if _, err := in.Refund(t.Context(), "ord_1", intake.Want{}, "k1"); !errors.Is(err, view.ErrBehind) {
			t.Errorf("got %v, want ErrBehind", err)
		}
		back()
		kafkatest.Pass(time.Minute)
		if _, err := in.Refund(t.Context(), "ord_1", intake.Want{}, "k1"); err != nil {
			t.Errorf("caught up: got %v, want it refunded", err)
		}
	})
}
