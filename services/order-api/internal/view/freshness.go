package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// MaxAge is how old the view may be for callers that append a record about an order that may be
// known already.
const MaxAge = time.Minute

// ErrNoLeader is returned for a partition that no broker leads at the moment.
var ErrNoLeader = errors.New("the partition has no leader")

// measurePeriod is how often the view measures how far the topics go: idle partitions have no
// records that would tell.
const measurePeriod = time.Second

// leaderlessAfter is how long the end of a partition may be unknown before the partition counts as
// one without a leader: the election of another takes less.
const leaderlessAfter = 2 * measurePeriod

// freshness is how far each partition is applied, compared with how far it goes. Callers wait with
// it until a record is applied, or all records are. A partition that is blocked does not keep the
// view from being fresh. It is safe for concurrent use.
type freshness struct {
	log      *slog.Logger
	outage   func() string // is called with mu locked: why the store cannot be used at the moment, or empty
	caughtUp func()        // is called with mu locked when everything measured is applied

	mu         sync.Mutex
	open       bool                          // the store is open: applied says what it has
	applied    map[kafka.Partition]int64     // the offset after the last record applied
	starts     map[kafka.Partition]int64     // where logs started when measured
	ends       map[kafka.Partition]int64     // where logs ended when measured, as far as known
	measuredAt time.Time                     // when that was
	freshAt    time.Time                     // the newest time at which nothing was missing; zero before the first
	blocked    map[kafka.Partition]error     // why nothing more is applied
	leaderless map[kafka.Partition]time.Time // since when the end is unknown
	changed    chan struct{}                 // closed and replaced when applied or freshAt may have changed
}

func newFreshness(log *slog.Logger, outage func() string, caughtUp func()) *freshness {
	return &freshness{
		log: log, outage: outage, caughtUp: caughtUp, applied: map[kafka.Partition]int64{}, starts: map[kafka.Partition]int64{},
		blocked: map[kafka.Partition]error{}, leaderless: map[kafka.Partition]time.Time{}, changed: make(chan struct{}),
	}
}

// measured takes over where partitions start and end, as asked for at a time.
func (f *freshness) measured(asked time.Time, starts map[kafka.Partition]int64, ends map[kafka.Partition]kafka.Offset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(f.starts, starts)
	f.ends, f.measuredAt = map[kafka.Partition]int64{}, asked
	for p, end := range ends {
		_, known := f.leaderless[p]
		switch {
		case end.Err == nil:
			f.ends[p] = end.At
			delete(f.leaderless, p)
		case !known:
			f.leaderless[p] = asked
			f.log.Warn("the leader of a partition does not answer: the other partitions continue",
				telemetry.Topic, p.Topic, telemetry.Partition, p.Number, telemetry.Error, end.Err)
		}
	}
	f.settle()
}

// restart forgets what is applied: the store is about to be reset.
func (f *freshness) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.freshAt = false, time.Time{}
	clear(f.blocked)
	clear(f.applied)
}

// resume takes over what an opened store has applied.
func (f *freshness) resume(applied map[kafka.Partition]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.applied = true, applied
	f.settle()
}

// advance takes over how far a batch goes that is applied.
func (f *freshness) advance(positions map[kafka.Partition]Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, at := range positions {
		f.applied[p] = at.Next
	}
	f.settle()
}

// settle notes that the view is as fresh as the last measurement, if it has reached all ends that
// are known, and its store can be used. The caller holds mu.
func (f *freshness) settle() {
	reached := f.open && f.ends != nil && f.outage() == ""
	for p, end := range f.ends {
		reached = reached && (f.reached(p) >= end || f.blocked[p] != nil)
	}
	if reached {
		f.freshAt = f.measuredAt
		f.caughtUp()
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// backlogOf returns where the partitions of a topic end, as far as known, if more than so many of their records are not
// applied; else nil.
func (f *freshness) backlogOf(topic string, most int64) map[kafka.Partition]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	ends, missing := map[kafka.Partition]int64{}, int64(0)
	for p, end := range f.ends {
		if p.Topic == topic {
			ends[p] = end
			missing += max(0, end-f.reached(p))
		}
	}
	if missing <= most {
		return nil
	}
	return ends
}

// has reports whether partitions are applied up to offsets, or to their ends where records were lost since. It leaves out
// those that are blocked or have no leader.
func (f *freshness) has(offsets map[kafka.Partition]int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, at := range offsets {
		if end, led := f.ends[p]; led && f.blocked[p] == nil && f.reached(p) < min(at, end) {
			return false
		}
	}
	return true
}

// reached is how far a partition is applied: what the log has deleted will never come. The caller
// holds mu.
func (f *freshness) reached(p kafka.Partition) int64 { return max(f.applied[p], f.starts[p]) }

// lag is how many records are not applied yet, and the newest time at which nothing was missing.
func (f *freshness) lag() (records int64, fresh time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, end := range f.ends {
		records += max(0, end-f.reached(p))
	}
	return records, f.freshAt
}

// waitFresh returns when the view is at most MaxAge old.
func (f *freshness) waitFresh(ctx context.Context) error {
	return f.await(ctx, func() bool { return time.Since(f.freshAt) <= MaxAge })
}

// waitApplied returns when the record at an offset of a partition is applied.
func (f *freshness) waitApplied(ctx context.Context, p kafka.Partition, offset int64) error {
	return f.await(ctx, func() bool { return f.applied[p] > offset })
}

// await blocks until a condition on what mu guards is true. It is ErrBehind when ctx ends before.
func (f *freshness) await(ctx context.Context, condition func() bool) error {
	for {
		f.mu.Lock()
		met, changed := condition(), f.changed
		f.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrBehind, context.Cause(ctx))
		}
	}
}

// block says that nothing more is applied of a partition, and why. It reports false if that was
// known.
func (f *freshness) block(p kafka.Partition, reason error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blocked[p] != nil {
		return false
	}
	f.blocked[p] = reason
	return true
}

// unblock moves a partition from an offset to the next one that can be read. It reports false if the
// partition has moved meanwhile.
func (f *freshness) unblock(p kafka.Partition, from, next int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied[p] != from {
		return false
	}
	delete(f.blocked, p)
	f.applied[p] = next
	return true
}

// position is the offset after the last record applied of a partition, and why nothing more is
// applied, or nil.
func (f *freshness) position(p kafka.Partition) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied[p], f.blocked[p]
}

// unreadable returns the batches that block partitions.
func (f *freshness) unreadable() (all []*kafka.UnreadableError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, reason := range f.blocked {
		if bad, ok := errors.AsType[*kafka.UnreadableError](reason); ok {
			all = append(all, bad)
		}
	}
	slices.SortFunc(all, func(a, b *kafka.UnreadableError) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// lagging is how far those partitions are applied that are not blocked, and have more records; or
// all that are not blocked.
func (f *freshness) lagging(all bool) map[kafka.Partition]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[kafka.Partition]int64{}
	for p, next := range f.applied {
		if (all || next < f.ends[p]) && f.blocked[p] == nil {
			found[p] = next
		}
	}
	return found
}

// leader is ErrNoLeader while no broker leads a partition.
func (f *freshness) leader(p kafka.Partition) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since, unknown := f.leaderless[p]; unknown && time.Since(since) >= leaderlessAfter {
		return fmt.Errorf("%w: %s/%d", ErrNoLeader, p.Topic, p.Number)
	}
	return nil
}

// logStarts returns where the partitions of a topic start, as far as known.
func (f *freshness) logStarts(topic string) map[int32]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[int32]int64{}
	for p, start := range f.starts {
		if p.Topic == topic {
			found[p.Number] = start
		}
	}
	return found
}

// logEnd is where a partition ended when measured last, if that is known.
func (f *freshness) logEnd(p kafka.Partition) (end int64, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end, known = f.ends[p]
	return end, known
}

// leaderlessNumbers are the partition numbers that lack a leader in some topic.
func (f *freshness) leaderlessNumbers() map[int32]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	numbers := map[int32]bool{}
	for p := range f.leaderless {
		numbers[p.Number] = true
	}
	return numbers
}
