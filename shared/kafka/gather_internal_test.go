//go:build synctests

package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A process can be suspended while a record waits: when it continues, another worker may own the partition.
func TestARecordThatHasWaitedTooLongIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		g := &Gather{unanswered: busy}
		answer := make(chan error)
		go func() {
			_, err := g.Append(t.Context(), cl, "orders.status", 0, &kgo.Record{})
			answer <- err
		}()
		synctest.Wait()
		g.mu.Lock()
		suspended := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		time.Sleep(DeliveryTimeout + time.Millisecond)
		for _, send := range suspended {
			send()
		}
		if err := <-answer; !errors.Is(err, kgo.ErrRecordTimeout) {
			t.Errorf("got %v, want %v", err, kgo.ErrRecordTimeout)
		}
	})
}
