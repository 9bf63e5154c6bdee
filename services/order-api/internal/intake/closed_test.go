//go:build synctests

package intake_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafkatest"
)

// TestAClosedIntakeKnowsWhatAnotherHasPlaced: its read model has not read the order yet when it is asked for the key.
func TestAClosedIntakeKnowsWhatAnotherHasPlaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		other, in := open(t, k, intake.Config{}), open(t, k, intake.Config{Closed: true})
		var placed [2]intake.Placed
		var errs [2]error
		synctest.Wait()
		read := make(chan struct{})
		k.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			k.Cluster.SleepControl(func() { <-read })
			return nil, nil, false
		})
		done := make(chan struct{})
		for i, from := range []*intake.Intake{other, in} {
			go func() {
				placed[i], errs[i] = from.Place(t.Context(), wanted(), "k1")
				done <- struct{}{}
			}()
			synctest.Wait() // the first has appended its record
		}
		close(read)
		<-done
		<-done
		if err := errors.Join(errs[:]...); err != nil || placed[0].Order.ID != placed[1].Order.ID || !placed[1].Replayed {
			t.Errorf("got %s and %s (replayed: %t), %v; want the order of the other", placed[0].Order.ID, placed[1].Order.ID, placed[1].Replayed, err)
		}
		if _, err := in.Place(t.Context(), wanted(), "k2"); !errors.Is(err, intake.ErrClosed) {
			t.Errorf("a new key: got %v, want ErrClosed", err)
		}
		if n := len(k.Records(t, k.Topics.Orders)); n != 1 {
			t.Errorf("got %d records, want one", n)
		}
	})
}
