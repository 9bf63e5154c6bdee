//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/shared/kafkatest"
)

// grow adds partitions to topics.
func (s *shop) grow(t *testing.T, partitions int, topics ...string) {
	t.Helper()
	answers, err := kadm.NewClient(s.Client).UpdatePartitions(t.Context(), partitions, topics...)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWorkersBlockWhenPartitionsAreAddedAndLoseNothing adds partitions to each of two topics: to the one that the group
// subscribes to, and to one that only the owners read.
func TestWorkersBlockWhenPartitionsAreAddedAndLoseNothing(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(s *shop) string{
		"orders":   func(s *shop) string { return s.Topics.Orders },
		"invoices": func(s *shop) string { return s.Topics.Invoices },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				stop := s.work(t)
				s.place(t, orders(3)...)
				s.Await(t, ended(3))
				s.grow(t, kafkatest.Partitions+1, of(s))
				time.Sleep(time.Minute)
				s.place(t, orders(6)[3:]...)
				time.Sleep(10 * time.Minute)
				if got := len(s.States(t)); got != 3 {
					t.Errorf("got %d orders begun, want the 3 of before", got)
				}
				stop()

				// The operator gives all topics the same number, and the workers end what is there.
				s.grow(t, kafkatest.Partitions+1, s.others(of(s))...)
				stop = s.work(t)
				s.Await(t, ended(6))
				stop()
				s.confirmedOnce(t, 6)
				s.committedAll(t)
			})
		})
	}
}

// others are all topics but one.
func (s *shop) others(one string) []string {
	var names []string
	for _, spec := range s.Topics.Specs() {
		if spec.Name != one {
			names = append(names, spec.Name)
		}
	}
	return names
}
