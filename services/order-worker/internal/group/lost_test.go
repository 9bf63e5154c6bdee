//go:build synctests

package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/wire"
)

// With one broker the client gives its membership up at the first refused connection.
func TestOrdersInFlightMayEndWhileTheLeaseIsHeld(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		away  time.Duration
		takes time.Duration // the order in flight
		least time.Duration // after which it is abandoned, or zero
		most  time.Duration
	}{
		{"it ends during the outage", 10 * time.Second, 3 * time.Second, 0, 0},
		{"the group is back in time and knows us", 3 * time.Second, 9 * time.Second, 0, 0},
		{"the lease runs out", time.Minute, time.Hour, 5 * time.Second, 8 * time.Second},
		{"it takes longer than a drain may", 3 * time.Second, time.Hour, drain, drain + 3*time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				begun, ended := make(chan struct{}, 9), make(chan error, 9)
				m.join(t, func(ctx context.Context, _ *ledger.Ledger, _ *kgo.Record, _ <-chan struct{}) error {
					begun <- struct{}{}
					select {
					case <-time.After(row.takes):
					case <-ctx.Done():
					}
					ended <- context.Cause(ctx)
					return context.Cause(ctx)
				})
				time.Sleep(5500 * time.Millisecond)
				m.fill(t, m.Topics.Orders, 1, 1)
				<-begun
				back := m.Away()
				since := time.Now()
				time.AfterFunc(row.away, back)
				cause := <-ended
				took := time.Since(since)
				if row.most == 0 && cause != nil {
					t.Errorf("abandoned after %s because %v, want it to end", took, cause)
				}
				if row.most > 0 && (!errors.Is(cause, errLost) || took < row.least || took > row.most) {
					t.Errorf("ended after %s because %v, want it abandoned between %s and %s", took, cause, row.least, row.most)
				}
			})
		})
	}
}

// Two answers renew a lease that has run out. The releaser asks, too, and no order in flight may go on because the
// coordinator has told it that it does not know the member.
func TestAnswerThatTheMemberIsUnknownDoesNotRenewTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		member := New(m.cfg, m.work)
		if err := member.connect(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		defer member.side.Close()
		defer member.tail.Close()
		defer member.group.Close()
		for range 3 {
			if member.releaser.known(t.Context()) {
				t.Error("the group knows a member that never joined")
			}
		}
		if held := member.cfg.Ledger.Lease.Held(); held > 0 {
			t.Errorf("the lease has been held for %s, want it not held", held)
		}
	})
}

func TestNothingIsBegunOfALostPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		begun := make(chan int64, 99)
		m.join(t, func(ctx context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
			begun <- r.Offset
			select {
			case <-time.After(4 * time.Second):
			case <-ctx.Done():
			}
			return nil
		}, func(c *Config) { c.Slots = 1 })
		m.fill(t, m.Topics.Orders, 1, 5)
		time.Sleep(1500 * time.Millisecond)
		m.Away()
		time.Sleep(10 * time.Second)
		if n := len(begun); n != 1 {
			t.Errorf("got %d begun, want none but the first", n)
		}
	})
}

// Another's claim is the one thing that lets nothing end.
func TestANewerClaimAbandonsOrdersInFlightOfALostPartitionAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		began, ended := make(chan struct{}, 9), make(chan error, 9)
		c, _ := m.member(t, func(ctx context.Context, _ *ledger.Ledger, _ *kgo.Record, _ <-chan struct{}) error {
			began <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
		m.fill(t, m.Topics.Orders, 1, 1)
		<-began
		synctest.Wait()
		go c.releaser.lost(t.Context()) // ended by the claim
		time.Sleep(2 * time.Second)
		since := time.Now()
		claim := wire.Claim{Worker: "another", At: since}.Record()
		claim.Topic, claim.Partition = m.Topics.Status, 1
		m.Produce(t, claim)
		if cause := <-ended; !errors.Is(cause, errLost) || time.Since(since) > time.Second {
			t.Errorf("ended after %s because %v, want it abandoned at once", time.Since(since), cause)
		}
	})
}
