//go:build synctests

package worker_test

import (
	"testing"
	"time"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafkatest"
)

// TestScalingRepeatsNothingOnRealKafka is TestScalingRepeatsNothing with the broker that counts, in its own time: groups
// and commits are what an imitation may get wrong.
func TestScalingRepeatsNothingOnRealKafka(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := openOn(t, kafkatest.Real(t))
			work := func() (stop func()) {
				// A slow machine sends heartbeats late. The brokers' own protocol has a session of 45 s.
				return s.work(t, func(c *worker.Config) { c.Protocol, c.Session = protocol, 45*time.Second })
			}
			s.mails.Behave(inbox.Behaviour{At: ".", Late: 100 * time.Millisecond})
			all := orders(120)
			stop := []func(){work()}
			for n := range 4 {
				s.place(t, all[:30]...)
				all = all[30:]
				switch n {
				case 0, 1:
					stop = append(stop, work())
				case 2:
					stop[0]()
					stop[2]()
				}
			}
			s.Await(t, ended(120))
			stop[1]()
			s.confirmedOnce(t, 120)
			s.committedAll(t)
		})
	}
}
