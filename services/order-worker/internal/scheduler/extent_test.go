//go:build synctests

package scheduler

import (
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/partition"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What orders have written is below the position that is committed with them: if it is lost, that is noticed.
func TestOurOwnRecordsAreCommittedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1)
		p := partition.New(1, metrics.New(), b.log)
		var tail kgo.EpochOffset
		b.Add(NewLanes(p, b.work, func(at kgo.EpochOffset) Metadata { tail = at; return nil }, Source{Topic: "status", Tail: true, Next: kgo.EpochOffset{Offset: 5, Epoch: 2}}))
		for _, row := range []struct {
			do   func()
			want kgo.EpochOffset
		}{
			{func() {}, kgo.EpochOffset{Offset: 5, Epoch: 2}},
			{func() { b.Wrote(1, 5) }, kgo.EpochOffset{Offset: 6, Epoch: unknown}},
			{func() { b.Read("status", 1, &kgo.Record{Offset: 5, LeaderEpoch: 3}) }, kgo.EpochOffset{Offset: 6, Epoch: 3}},
			{func() { b.Wrote(1, 7) }, kgo.EpochOffset{Offset: 6, Epoch: 3}},
		} {
			row.do()
			if b.Committable(); tail != row.want {
				t.Errorf("committed with %+v, want %+v", tail, row.want)
			}
		}
	})
}

// A record of another writer may be a newer claim: only reading it tells.
func TestAGapBetweenOurOwnRecordsIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1)
		p := partition.New(1, metrics.New(), b.log)
		b.Add(NewLanes(p, b.work, func(kgo.EpochOffset) Metadata { return nil }, Source{Topic: "status", Tail: true, Next: kgo.EpochOffset{Offset: 5}}))
		read := func(offset int64) func() { return func() { b.Read("status", 1, &kgo.Record{Offset: offset}) } }
		wrote := func(offset int64) func() { return func() { b.Wrote(1, offset) } }
		for _, row := range []struct {
			name    string
			do      func()
			after   int64 // is known,
			unknown int64 // is not
		}{
			{"our first record", wrote(5), 5, 6},
			{"one behind a gap", wrote(8), 5, 6},
			{"the one after it", wrote(9), 5, 6},
			{"half of the gap is read", read(6), 6, 7},
			{"the gap is read", read(7), 9, 10},
			{"what we wrote is read", read(9), 9, 10},
			{"our next record", wrote(10), 10, 11},
			{"a record of ours is read before its acknowledgement", read(12), 12, 13},
			{"then it is acknowledged", wrote(12), 12, 13},
			{"one more", wrote(13), 13, 14},
		} {
			row.do()
			if err := b.Passed(t.Context(), 1, row.after); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			passed := make(chan error, 1)
			go func() { passed <- b.Passed(t.Context(), 1, row.unknown) }()
			synctest.Wait()
			select {
			case err := <-passed:
				t.Errorf("%s: offset %d is passed: %v", row.name, row.unknown, err)
			default:
			}
		}
		b.Remove(b.find(1))
	})
}
