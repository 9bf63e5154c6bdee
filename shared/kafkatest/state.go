package kafkatest

import (
	"slices"
	"testing"

	"example.com/orders/shared/order"
)

// Record records changes of an order, as its owner does. It fails the test if the lifecycle does
// not allow one of them.
func Record(t testing.TB, s *order.State, changes ...order.Change) {
	t.Helper()
	for _, c := range changes {
		if err := s.Record(c); err != nil {
			t.Fatal(err)
		}
	}
}

// Force records a change that need not be allowed, as in a record of a former owner that has missed
// changes, or of a newer version.
func Force(s *order.State, c order.Change) {
	s.Status, s.Rev, s.Timeline = c.Status, c.Rev, append(slices.Clip(s.Timeline), c)
}
