//go:build synctests

package group

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
)

// The broker's clock is set after a partition was assigned. kfake takes the producer's time for its own,
// and the producer gives up what is older than its time-out.
func TestDelaysOutliveASetClock(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-4 * time.Second, time.Hour} {
		t.Run(fmt.Sprint("by ", step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				begun := make(chan time.Time, 2)
				m.join(t, func(context.Context, *ledger.Ledger, *kgo.Record, <-chan struct{}) error {
					begun <- time.Now()
					return nil
				})
				time.Sleep(5 * time.Second)
				for _, topic := range []string{m.Topics.Retry10s, m.Topics.Retry2m} {
					m.Produce(t, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("{}"), Timestamp: time.Now().Add(step)})
					appended, want := time.Now(), m.Topics.Delay(topic)
					if waited := (<-begun).Sub(appended); waited < want || waited > want+time.Second {
						t.Errorf("%s: begun after %s, want %s", topic, waited, want)
					}
				}
			})
		})
	}
}
