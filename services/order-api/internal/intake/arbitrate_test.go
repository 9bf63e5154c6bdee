//go:build synctests

package intake_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestLogArbitratesBetweenInstances delays two instances until neither can see the other's
// record.
func TestLogArbitratesBetweenInstances(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		second   order.Order
		accepted int
	}{
		"same body":  {wanted(), 2},
		"other body": {other(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				instances := []*intake.Intake{start(t, k, 0), start(t, k, 0)}
				k.MeetAtProduce(2)
				bodies := []order.Order{wanted(), row.second}
				states, errs := make([]intake.Placed, 2), make([]error, 2)
				var both sync.WaitGroup
				for i, in := range instances {
					both.Go(func() { states[i], errs[i] = in.Place(t.Context(), bodies[i], "k1") })
				}
				both.Wait()

				if got := placements(t, k); len(got) != 2 || got[0].ID != got[1].ID {
					t.Fatalf("got %d records, want 2 of one ID: the test is for the race", len(got))
				}
				accepted := 0
				for i, err := range errs {
					if err == nil {
						accepted++
					} else if _, ok := errors.AsType[*intake.KeyReusedError](err); !ok {
						t.Errorf("instance %d: got %v, want KeyReusedError", i, err)
					}
				}
				if accepted != row.accepted {
					t.Errorf("got %d accepted, want %d", accepted, row.accepted)
				}
				if diff := cmp.Diff(states[0].State, states[1].State); row.accepted == 2 && diff != "" {
					t.Errorf("the two answers (-0 +1):\n%s", diff)
				}
				if row.accepted == 2 && states[0].Replayed == states[1].Replayed {
					t.Errorf("got replayed %t twice, want one request that placed the order, and one that found it placed", states[0].Replayed)
				}
			})
		})
	}
}

// TestInstancesTogetherNeverExceedTheInvoice places many refunds concurrently at two instances.
func TestInstancesTogetherNeverExceedTheInvoice(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				sell(t, k, sold())
				instances := []*intake.Intake{start(t, k, 0), start(t, k, 0)}
				k.MeetAtProduce(2)
				dice := rand.New(rand.NewPCG(1, uint64(round)))
				answers := make(chan order.Order, 16)
				var all sync.WaitGroup
				for i := range cap(answers) {
					want := []intake.Want{bottles(1), bottles(3), {Shipping: true}, {Items: []order.Line{{SKU: "MUG", Quantity: 2}}}, {}}[dice.IntN(5)]
					all.Go(func() {
						s, err := instances[i%2].Refund(t.Context(), "ord_1", want, "")
						if err == nil {
							answers <- s.Order
						} else if _, ok := errors.AsType[*intake.RejectedError](err); !ok {
							t.Errorf("got %v, want RejectedError: nothing is left", err)
						}
					})
				}
				all.Wait()
				close(answers)

				counted, records := refunds(t, k)
				if len(counted) == records {
					t.Errorf("got %d records and as many refunds: the test is for the race", records)
				}
				adds(t, counted, false)
				byID := map[order.ID]order.Order{}
				for o := range answers {
					byID[o.ID] = o
				}
				for _, r := range counted {
					if diff := cmp.Diff(r, byID[r.ID]); diff != "" {
						t.Errorf("%s (-topic +answer):\n%s", r.ID, diff)
					}
				}
				if len(byID) != len(counted) {
					t.Errorf("got %d answers, want %d: one for each refund that counts", len(byID), len(counted))
				}
			})
		})
	}
}

// TestOneKeyFromManyClientsIsOneRefund repeats refunds before the first response.
func TestOneKeyFromManyClientsIsOneRefund(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		sell(t, k, sold())
		instances := []*intake.Intake{start(t, k, 0), start(t, k, 0)}
		k.MeetAtProduce(2)
		ids := make([]order.ID, 12)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				s, err := instances[i%2].Refund(t.Context(), "ord_1", bottles(1), []string{"k1", "k2", "k3"}[i%3])
				if err != nil {
					t.Error(err)
				}
				ids[i] = s.Order.ID
			})
		}
		all.Wait()
		for i, id := range ids {
			if id != ids[i%3] {
				t.Errorf("answer %d: got %s, want %s as for the others with this key", i, id, ids[i%3])
			}
		}
		if counted, _ := refunds(t, k); len(counted) != 3 {
			t.Errorf("got %d refunds, want 3", len(counted))
		}
	})
}
