// Package group is a member of the worker group: it reads records from Kafka, has the scheduler work
// on them, and commits what is finished.
//
// The group subscribes to the topic orders only. The owner of orders/p reads partition p of all topics
// that orders come from, with a second client, so an order has one lane in one process, whatever topic it
// comes from. A third client reads orders.status behind our claims: many small states of our own do not wake
// the fetches of orders. The group's client fetches nothing: it keeps the membership, and commits the
// offsets of all topics in one request under its member ID and generation.
//
// The lifecycle of an assigned partition (package partition) goes through these files:
//
//   - restore.go: the start positions are looked up (locate.go, positions.go), the ledger is opened,
//     and the scheduler and the clients that read begin. Each partition is restored apart: one whose leader
//     is away does not delay the others.
//   - release.go: a partition that is revoked is drained, committed and released. Orders that are not
//     finished within the grace period are abandoned before their next effect; the next owner resumes
//     them. A partition that is lost drains no longer than the lease is held.
//   - claims.go: a newer claim ends all work on a partition at once. It is blocked, and claimed back
//     when no other group works on the topics (rivals.go).
//   - inspect.go: a partition is blocked by a batch that cannot be read, and by lost records.
//
// A committed offset is signed (commit.go). One without a signature was committed by another client,
// which has worked on nothing, or was set by a tool: the partition is read again from the start of its
// log, and the ledger knows what was finished.
package group

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/services/order-worker/internal/scheduler"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// How often blocked partitions are looked at, and after how many looks the stalled ones.
const (
	tendEvery    = 10 * time.Second
	stalledEvery = 3
)

// Member is a member of the group.
type Member struct {
	*core
	committer *committer
	releaser  *releaser
	restorer  *restorer
	claims    *claims
	inspector *inspector

	changes sync.Mutex // held while partitions are assigned, revoked, lost or reopened
}

// New returns a member that hands records to handle once it runs.
func New(cfg Config, handle Handler) *Member {
	c := newCore(cfg)
	l, records, commits := locator{c}, kafka.NewReader(cfg.Ledger.Producer, cfg.Topics.DLQ), newCommitter(c)
	release, restore := &releaser{core: c, commits: commits}, &restorer{core: c, locator: l, handle: handle, records: records}
	return &Member{
		core: c, committer: commits, releaser: release, restorer: restore,
		claims:    &claims{core: c, releaser: release, restorer: restore, rivals: rivals{c}},
		inspector: &inspector{core: c, locator: l, records: records, told: map[int32]*kafka.Backoff{}},
	}
}

// Run is a member of the group until ctx ends; then it drains all partitions, commits, leaves the
// group and returns nil. It returns an error if the brokers do not answer at the start, or refuse
// what waiting does not cure. It is called once.
func (m *Member) Run(ctx context.Context) error {
	asked := ctx
	ctx, m.stop = context.WithCancelCause(ctx)
	defer m.stop(nil)
	// After the end of ctx the clients still send what releasing partitions takes.
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	if err := m.connect(ctx, calls); err != nil {
		if asked.Err() != nil {
			return nil // it was asked to stop before it was a member
		}
		return err
	}
	// Only now does it join: the callbacks of the group use the other clients.
	m.group.AddConsumeTopics(m.cfg.Topics.Orders)
	var running sync.WaitGroup
	running.Go(func() { m.group.poll(ctx) })
	// What is in flight at the end of ctx waits to read in orders.status that its states count.
	reading, read := context.WithCancel(calls)
	defer read()
	running.Go(func() { m.side.poll(reading) })
	running.Go(func() { m.tail.poll(reading) })
	running.Go(func() { m.committer.run(ctx) })
	running.Go(func() { observer{m.core}.run(ctx) })
	running.Go(func() { m.tend(ctx, calls) })
	<-ctx.Done()
	m.releaser.leave(calls)
	read()
	running.Wait()
	m.leave(calls)
	m.tasks.Wait()
	hangUp()
	m.group.Close()
	m.side.Close()
	m.tail.Close()
	m.releaser.drains.Wait()
	m.scheduler.Wait()
	if asked.Err() == nil {
		return context.Cause(ctx)
	}
	return nil
}

// connect makes the clients, whose calls end with the second context. The group's has no topic yet.
func (m *Member) connect(ctx, calls context.Context) (err error) {
	// Without control records a topic that ends with one would have a lag for ever.
	if m.side, err = m.read(ctx, calls, receiver{m.scheduler.Refill, m.inspector.whole, m.scheduler.Offer, m.inspector.fault}, kgo.KeepControlRecords()); err != nil {
		return err
	}
	if m.tail, err = m.read(ctx, calls, receiver{func() {}, nil, m.claims.offer, m.inspector.fault}, kgo.FetchMaxPartitionBytes(fetchBytes)); err != nil {
		m.side.Close()
		return err
	}
	m.tail.pause = tailPause
	if err := m.join(ctx, calls); err != nil {
		m.side.Close()
		m.tail.Close()
		return err
	}
	if err := m.claims.rivals.refuse(ctx); err != nil {
		m.group.Close()
		m.side.Close()
		m.tail.Close()
		return err
	}
	return nil
}

// read makes a client that reads partitions outside of the group.
func (m *Member) read(ctx, calls context.Context, to receiver, opts ...kgo.Opt) (*feed, error) {
	spin := kafka.NewSpin()
	cl, err := m.cfg.Kafka.Connect(ctx, slices.Concat(fetching(calls), opts, []kgo.Opt{kgo.WithHooks(spin)})...)
	if err != nil {
		return nil, err
	}
	return newFeed(cl, m.cfg.Log, spin, to), nil
}

func (m *Member) join(ctx, calls context.Context) (err error) {
	if m.session, err = sessionTimeout(ctx, m.cfg, m.side.Client); err != nil {
		return err
	}
	held, spin := lease.New(m.session), kafka.NewSpin()
	m.cfg.Ledger.Lease, m.cfg.Ledger.Group = held, m.cfg.Group
	m.cfg.Ledger.Deferred, m.cfg.Ledger.Wrote, m.cfg.Ledger.Applied = m.scheduler.Appended, m.scheduler.Wrote, m.scheduler.Passed
	orders := m.cfg.Topics.Orders
	group, err := m.cfg.Kafka.Connect(ctx, append(m.protocol(),
		kgo.WithContext(calls),
		kgo.ConsumerGroup(m.cfg.Group),
		kgo.ClientID(clientID),
		kgo.WithHooks(held, spin),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(nothing),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			m.change(func() { m.restorer.assigned(ctx, assigned[orders]) })
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
			m.change(func() { m.releaser.revoked(calls, revoked[orders], errRevoked) })
		}),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) {
			m.change(func() { m.releaser.lost(calls) })
		}),
	)...)
	if err == nil {
		m.group = newFeed(group, m.cfg.Log, spin, receiver{func() {}, m.inspector.whole, m.scheduler.Offer, m.inspector.fault})
	}
	return err
}

func (m *Member) change(do func()) {
	m.changes.Lock()
	defer m.changes.Unlock()
	do()
}

// fetchWait is how long a fetch without records lasts. The orders of a partition that is added while
// one is under way wait for its end.
const fetchWait = 200 * time.Millisecond

// fetchBytes is the most that a fetch asks for.
const fetchBytes = 1 << 20

// tailPause is how long the states of many orders gather before they are read again. Only a foreign record
// between them is waited for: what this worker has written itself, it knows.
const tailPause = 100 * time.Millisecond

func fetching(calls context.Context) []kgo.Opt {
	return []kgo.Opt{
		kgo.WithContext(calls),
		// A position that is gone must not be passed over silently.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		// A fetch is unpacked at once, to ten times its size, and a record that waits keeps the whole fetch in memory.
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(64 << 10),
		kgo.FetchMaxWait(fetchWait),
	}
}

// nothing has the group's client read none of its partitions: the second client does, once a partition is restored.
func nothing(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	return nil, nil
}

// leave leaves the group. When Kafka is away it gives up soon, and the group ends the membership
// after the session timeout.
func (m *Member) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	if err := m.group.LeaveGroupContext(ctx); err != nil {
		m.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "group not left: partitions stay idle for the session timeout", slog.Any(telemetry.Error, err))
	}
}

// tend looks, now and then, for partitions that stall without an error, and reopens blocked ones
// whose unreadable batch is skipped by now.
func (m *Member) tend(ctx, calls context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	before := map[scheduler.Place]int64{}
	for looks := 1; ; looks++ {
		select {
		case <-ctx.Done():
			return
		case <-m.group.spin.Found():
			m.inspector.stalled(ctx, m.scheduler.Reading())
			continue
		case <-m.side.spin.Found():
			m.inspector.stalled(ctx, m.scheduler.Reading())
			continue
		case <-m.tail.spin.Found():
			m.inspector.stalled(ctx, m.scheduler.Reading())
			continue
		case <-tick.C:
		}
		if looks%stalledEvery == 0 {
			before = m.inspector.stalled(ctx, before)
		}
		for _, a := range m.inspector.skipped(ctx) {
			m.change(func() { m.reopen(ctx, calls, a) })
		}
	}
}

// reopen assigns a partition again that is blocked by a batch which is skipped now.
func (m *Member) reopen(ctx, calls context.Context, a *assignment) {
	if a.State() != partition.Blocked || a.unreadable() == nil {
		return // it was revoked meanwhile, or is blocked by something else
	}
	number := a.Number()
	m.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "partition continues: the batch is skipped", slog.Int(telemetry.Partition, int(number)))
	m.releaser.revoked(calls, []int32{number}, errSkipped)
	m.restorer.assigned(ctx, []int32{number})
}
