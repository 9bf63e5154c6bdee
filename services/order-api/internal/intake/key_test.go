package intake_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

func TestOrdersWithoutAKeyAreSeparateOrders(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	seen := map[order.ID]bool{}
	for range 20 {
		s, err := in.Place(t.Context(), wanted(), "")
		must(t, err)
		seen[s.Order.ID] = true
	}
	if len(seen) != 20 || len(placements(t, k)) != 20 {
		t.Errorf("got %d IDs and %d records, want 20", len(seen), len(placements(t, k)))
	}
}

// TestOneKeyFromManyClientsIsOneOrder repeats an order before the first response.
func TestOneKeyFromManyClientsIsOneOrder(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	instances := []*intake.Intake{start(t, k, 0), start(t, k, 0)}
	ids, errs := make([]order.ID, 20), make([]error, 20)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			s, err := instances[i%2].Place(t.Context(), wanted(), "k1")
			ids[i], errs[i] = s.Order.ID, err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if id != ids[0] {
			t.Errorf("answer %d: got %s, want %s", i, id, ids[0])
		}
	}
}

// TestOneKeyForManyOrdersPlacesTheFirst places different orders with one key concurrently.
func TestOneKeyForManyOrdersPlacesTheFirst(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	accepted := make(chan intake.Placed, 20)
	var all sync.WaitGroup
	for i := range cap(accepted) {
		all.Go(func() {
			o := wanted()
			o.Note = fmt.Sprint(i)
			s, err := in.Place(t.Context(), o, "k1")
			if err == nil {
				accepted <- s
			} else if _, reused := errors.AsType[*intake.KeyReusedError](err); !reused {
				t.Errorf("order %d: got %v, want KeyReusedError", i, err)
			}
		})
	}
	all.Wait()
	close(accepted)
	if len(accepted) != 1 {
		t.Fatalf("got %d accepted orders, want 1", len(accepted))
	}
	if got, first := <-accepted, placements(t, k)[0]; got.Order.Note != first.Note {
		t.Errorf("accepted: got the order with note %q, want that of the first record, %q", got.Order.Note, first.Note)
	}
}
