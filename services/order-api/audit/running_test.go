//go:build synctests

package audit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafkatest"
)

// TestRunningSystemHasNoFaults lets workers continue between any two requests of the audit.
func TestRunningSystemHasNoFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				b := newBook(t, k, k.Prefix)
				dice := rand.New(rand.NewPCG(seed, 0))
				steps := make([]int, 2000)
				for i := range steps {
					steps[i] = dice.IntN(1 << 20)
				}
				workers := work(b, 1+int(seed%2)*2, steps)
				b.play(t, k, 200)
				atWork(t, k, b, func() int { return dice.IntN(30) })
				if diff := cmp.Diff(sum(workers), run(t, k).Orders); diff != "" {
					t.Errorf("tally of the end (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestOrderProcessedDuringTheAuditIsNoFault is the worst case: all records of an order are
// written between two requests of the audit.
func TestOrderProcessedDuringTheAuditIsNoFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		b := newBook(t, k, k.Prefix)
		c := newClerk(b, 1)
		life := len(b.acts)
		for range 200 {
			life = len(b.acts)
			p := c.fail(c.place(nil))
			c.commitAll()
			c.replay(p)
			c.confirm(p)
			c.commitAll()
		}
		life = len(b.acts) - life
		b.play(t, k, 1)
		atWork(t, k, b, func() int { return life })
	})
}

// atWork audits while n more acts are performed before each response, until none is left. In real time, acts that take seconds
// on a busy machine would let requests time out.
func atWork(t *testing.T, k *kafkatest.Kafka, b *book, n func() int) {
	t.Helper()
	acting := make(chan struct{}, 1) // a bubble's time stands still while a goroutine waits for a mutex
	for _, key := range []kmsg.Key{kmsg.ListOffsets, kmsg.OffsetFetch} {
		k.Cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			k.Cluster.SleepControl(func() {
				acting <- struct{}{}
				b.play(t, k, n())
				<-acting
			})
			return nil, nil, false
		})
	}
	audits := 0
	for left := len(b.acts); left > 0; audits++ {
		if report := run(t, k); !report.OK() || report.Dismissed+report.Unsettled > 0 {
			t.Fatalf("audit %d: got faults %v, %d suspicions dismissed and %d unsettled; want none at all",
				audits, named(report.Faults), report.Dismissed, report.Unsettled)
		}
		acting <- struct{}{}
		left = len(b.acts)
		<-acting
	}
	if audits < 3 {
		t.Errorf("got %d audits of a system at work, want more: the test is for them", audits)
	}
}
