//go:build synctests

package intake_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
)

// silence keeps the broker from answering produce requests until the returned function is called.
func silence(t *testing.T, k *kafkatest.Kafka) (speak func()) {
	t.Helper()
	silent := make(chan struct{})
	k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		k.Cluster.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	speak = sync.OnceFunc(func() { close(silent) })
	t.Cleanup(speak)
	return speak
}

func TestUnknownOutcomeNamesTheOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, 300*time.Millisecond)
		speak := silence(t, k)
		_, err := in.Place(t.Context(), wanted(), "k1")
		unknown, ok := errors.AsType[*intake.OutcomeUnknownError](err)
		if !ok {
			t.Fatalf("got %v, want OutcomeUnknownError", err)
		}
		speak()
		s, err := start(t, k, 0).Place(t.Context(), wanted(), "k1")
		if err != nil || s.Order.ID != unknown.ID {
			t.Errorf("repeated with the same key: got %q, %v; want the order %q", s.Order.ID, err, unknown.ID)
		}
	})
}

func TestFullBufferRefusesOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, time.Second, kgo.MaxBufferedRecords(1))
		silence(t, k)
		results := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := in.Place(t.Context(), wanted(), "")
				results <- err
			}()
		}
		if err := <-results; !errors.Is(err, intake.ErrNotPlaced) {
			t.Errorf("order that finds the buffer full: got %v, want ErrNotPlaced", err)
		}
		if err := <-results; !isUnknown(err) {
			t.Errorf("order in the buffer: got %v, want OutcomeUnknownError", err)
		}
	})
}

func TestUnknownOutcomeNamesTheRefund(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		sell(t, k, sold())
		in := start(t, k, 300*time.Millisecond)
		speak := silence(t, k)
		_, err := in.Refund(t.Context(), "ord_1", bottles(1), "k1")
		if unknown, ok := errors.AsType[*intake.OutcomeUnknownError](err); !ok || unknown.ID != "ord_1-refund-1" {
			t.Fatalf("got %v, want OutcomeUnknownError with the refund's ID", err)
		}
		speak()
		s, err := start(t, k, 0).Refund(t.Context(), "ord_1", bottles(1), "k1")
		if counted, _ := refunds(t, k); err != nil || len(counted) != 1 || s.Order.ID != "ord_1-refund-1" {
			t.Errorf("repeated with the same key: got %q, %v and %d refunds; want one, the first", s.Order.ID, err, len(counted))
		}
	})
}

// TestLaggingViewLeavesTheOutcomeUnknown stops the view: the record is appended, but the view
// cannot tell whether it is the first.
func TestLaggingViewLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := start(t, k, 500*time.Millisecond)
		hold := make(chan struct{})
		t.Cleanup(func() { close(hold) })
		synctest.Wait() // a fetch waits at the broker. It is not delayed: a first order uses it up
		k.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			k.Cluster.SleepControl(func() { <-hold })
			return nil, nil, false
		})
		_, err := in.Place(t.Context(), wanted(), "")
		must(t, err)
		_, err = in.Place(t.Context(), wanted(), "k1")
		if !isUnknown(err) || !errors.Is(err, view.ErrBehind) {
			t.Errorf("got %v, want OutcomeUnknownError because the view is behind", err)
		}
	})
}
