// Package group is a member of the worker group: it takes records from Kafka, works on many at once, and commits what is finished.
//
// The group subscribes to the topic orders only. Whoever owns orders/p reads partition p of all topics, with a second
// client, and so an order has one lane in one process, whatever topic it comes from. The group's client fetches nothing:
// it keeps the membership, and commits the offsets of all topics in one request under its member and generation. Orders that
// were put off wait before a gate (source.go).
//
// A partition is taken (take.go) when it is known where all its topics are read on, and that nothing is lost there
// (positions.go); then its ledger is opened, and only then are its records fetched. Each partition is taken apart: one
// whose leader is away is tried again, and holds up none of the others.
//
// A committed offset is signed (commit.go). One without a signature was committed by a client that worked on nothing, or set by
// a tool: the partition is read again from the start of its log, and the ledger knows what was finished.
//
// Records of one key are worked on one after the other (a lane), all others side by side. Committed is only what stands
// below the oldest unfinished record (the watermark). A partition that goes, for a rebalance or because the worker stops,
// is drained first: nothing new is begun, what is in hand is finished within the drain time, then committed, then let
// go. What is not finished by then is abandoned before its next effect, and its next owner takes it up. A partition that is
// lost is drained no longer than the lease is held, and a newer claim on it ends everything at once.
package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Handler works on one record until it is finished and returns nil then. It gives up waiting when stopping is closed, and everything when ctx ends.
type Handler func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error

// Config says what to consume and how. All fields are needed but Room and Assigned.
type Config struct {
	Kafka      kafka.Config
	Topics     topic.Set
	Partitions int // of each topic, as kafka.Check found them: those beyond are not worked on
	Group      string
	Protocol   string // of the group: "consumer" (KIP-848), or else the classic one
	// SessionTimeout is after how long of silence a member's partitions go to others; of the classic protocol, where the brokers
	// allow it.
	SessionTimeout time.Duration
	Concurrency    int           // orders in hand at once
	Drain          time.Duration // how long a partition that goes may finish what is in hand
	AcceptLoss     bool          // go on where a log begins now, if what was to be read next is gone
	Ledger         ledger.Config
	Meter          *metrics.Meter
	Log            *slog.Logger
	// Room says how many orders of Topics.Waiting may be in hand at once in this worker now, and after how long to ask again
	// even if none ends (zero: not before); or nil: as many as of any topic. It must not block.
	Room func() (orders int, again time.Duration)
	// Assigned is called with the owned partition numbers after each change; or nil. It must not block.
	Assigned func(partitions []int32)
}

const (
	commitEvery = time.Second
	commitAgain = time.Hour // brokers expire the offsets of topics that the group does not subscribe to
	pollRecords = 1000
)

// The reasons for which work is abandoned.
var (
	errLost    = errors.New("the partition belongs to another worker")
	errDrained = errors.New("the drain time is over")
)

// Member is a member of the group.
type Member struct {
	cfg     Config
	handle  Handler
	group   *feed // subscribes to orders, and reads nothing; commits for all topics
	side    *feed // reads the owned partition numbers of all topics
	lanes   *lanes
	records kafka.Reader            // of what the clients could not read
	stop    context.CancelCauseFunc // ends Run with an error that waiting does not cure

	sessionTimeout time.Duration // after which the group gives a silent member's partitions to others; set by connect

	changes  sync.Mutex    // held while partitions come, go, or are opened again
	commits  chan struct{} // full during a commit, so that an old one never overtakes a new one
	refusals kafka.Backoff // of commits; owned by the one that goes on
	takings  sync.WaitGroup
	leaving  atomic.Bool    // no partitions are wanted any more
	drains   sync.WaitGroup // of handOver

	mu        sync.Mutex
	taken     map[int32]*taking // by partition number, until it goes
	announced []int32           // what was logged last; nil before that
}

// New returns a member that hands records to handle once it runs.
func New(cfg Config, handle Handler) *Member {
	c := &Member{
		cfg: cfg, handle: handle, commits: make(chan struct{}, 1), taken: map[int32]*taking{},
		records: kafka.NewReader(cfg.Ledger.Producer, cfg.Topics.DLQ), stop: func(error) {},
	}
	c.lanes = &lanes{limit: cfg.Concurrency, log: cfg.Log, room: room{ask: cfg.Room}, fetch: c.fetch, seek: c.seek, thirst: c.thirst}
	return c
}

// Run is a member of the group until ctx ends; then it drains all partitions, commits, leaves the group and returns nil.
// It returns an error if the brokers do not answer at the start, or refuse what waiting does not cure. It is called once.
func (c *Member) Run(ctx context.Context) error {
	told := ctx
	ctx, c.stop = context.WithCancelCause(ctx)
	defer c.stop(nil)
	// After the end of ctx the clients still ask Kafka for what letting go takes, until they hang up.
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	if err := c.connect(ctx, calls); err != nil {
		if told.Err() != nil {
			return nil // it was told to stop before it was a member
		}
		return err
	}
	// Only now does it join: what is called when partitions come uses both clients.
	c.group.AddConsumeTopics(c.cfg.Topics.Orders)
	var running sync.WaitGroup
	running.Go(func() { c.group.poll(ctx) })
	running.Go(func() { c.side.poll(ctx) })
	running.Go(func() { c.commitPeriodically(ctx) })
	running.Go(func() { c.tend(ctx, calls) })
	running.Go(func() { c.observeEnds(ctx) })
	<-ctx.Done()
	c.depart(calls)
	running.Wait()
	c.leave(calls)
	c.takings.Wait()
	hangUp()
	c.group.Close()
	c.side.Close()
	c.drains.Wait()
	c.lanes.wg.Wait()
	if told.Err() == nil {
		return context.Cause(ctx)
	}
	return nil
}

// Block has nothing begun any more in any partition, those included that are assigned later. What is in flight is finished
// and committed; everything else stays in Kafka.
func (c *Member) Block(reason error) { c.lanes.blockAll(reason) }

// BlockedBy is the reason that was given to Block, or nil.
func (c *Member) BlockedBy() error { return c.lanes.blockedBy() }

// connect makes both clients, whose calls end with the second context. The group's has no topic yet.
func (c *Member) connect(ctx, calls context.Context) error {
	groupSpin, sideSpin := kafka.NewSpin(), kafka.NewSpin()
	side, err := c.cfg.Kafka.Connect(ctx, append(fetching(calls), kgo.WithHooks(sideSpin))...)
	if err != nil {
		return err
	}
	session, err := c.session(ctx, side)
	if err != nil {
		side.Close()
		return err
	}
	c.sessionTimeout = session
	held := lease.New(session)
	c.cfg.Ledger.Lease, c.cfg.Ledger.Group, c.cfg.Ledger.Deferred = held, c.cfg.Group, c.lanes.appended
	orders := c.cfg.Topics.Orders
	group, err := c.cfg.Kafka.Connect(ctx, append(c.protocol(),
		kgo.WithContext(calls),
		kgo.ConsumerGroup(c.cfg.Group),
		kgo.ClientID(clientID),
		kgo.WithHooks(held, groupSpin),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(nothing),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
			c.changes.Lock()
			defer c.changes.Unlock()
			c.assigned(ctx, taken[orders])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
			c.changes.Lock()
			defer c.changes.Unlock()
			c.revoked(calls, gone[orders])
		}),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) {
			c.changes.Lock()
			defer c.changes.Unlock()
			c.lost(calls)
		}),
	)...)
	if err != nil {
		side.Close()
		return err
	}
	c.group = newFeed(group, c.cfg.Log, groupSpin, receiver{func() {}, c.whole, c.lanes.offer, c.fault})
	c.side = newFeed(side, c.cfg.Log, sideSpin, receiver{c.lanes.refill, c.whole, c.offerSide, c.fault})
	if err := c.refuseRivals(ctx); err != nil {
		c.group.Close()
		c.side.Close()
		return err
	}
	return nil
}

func fetching(calls context.Context) []kgo.Opt {
	return []kgo.Opt{
		kgo.WithContext(calls),
		// A position that is gone must not be passed over without a word.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		// What is fetched is unpacked at once, to ten times its size, and a record that waits keeps all that came with it.
		kgo.FetchMaxBytes(1 << 20),
		kgo.FetchMaxPartitionBytes(64 << 10),
		kgo.FetchMaxWait(500 * time.Millisecond),
	}
}

// depart drains all partitions, and hands each over when it is idle, while the group still hears from us: a member that is
// leaving sends no heartbeats, and would lose its partitions with orders in flight.
func (c *Member) depart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Drain+brief)
	defer cancel()
	c.leaving.Store(true)
	until := time.Now().Add(c.cfg.Drain)
	c.handOver(ctx, c.release(ctx, c.drain(c.numbers()), until), until)
}

// leave leaves the group. When Kafka is away it gives up soon, and the session time-out does the rest.
func (c *Member) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	if err := c.group.LeaveGroupContext(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "group not left", slog.Any(telemetry.Error, err))
	}
}

// nothing has the group's client read none of what it is assigned: the second client does, as soon as a partition is taken.
func nothing(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	return nil, nil
}

// fetch pauses or resumes one topic's partition.
func (c *Member) fetch(topic string, partition int32, paused bool) {
	which := map[string][]int32{topic: {partition}}
	if paused {
		c.side.PauseFetchPartitions(which)
	} else {
		c.side.ResumeFetchPartitions(which)
	}
}

// seek says where a topic's partition is read on.
func (c *Member) seek(topic string, partition int32, at kgo.EpochOffset) {
	c.side.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: at}})
}

// thirst has lanes refilled before the next poll, which is at once.
func (c *Member) thirst() { c.side.interrupt() }

// abandoned reports whether an unfinished record was left for the partition's next owner on purpose.
func abandoned(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, retry.ErrStopping)
}

// work is how one partition's records are worked on, under the ctx that ends when the partition is lost.
func (c *Member) work(ctx context.Context, l *ledger.Ledger, stopping <-chan struct{}) func(*kgo.Record) error {
	return func(r *kgo.Record) error {
		err := c.handle(ctx, l, r, stopping)
		if err == nil || abandoned(ctx, err) {
			return err
		}
		c.final(err)
		c.cfg.Meter.Refused()
		return fmt.Errorf("%w: %w", errHeld, err)
	}
}

// announce tells which partitions are owned now. A rebalance that changes nothing is not logged: while a partition drains there
// are two a second.
func (c *Member) announce() {
	numbers := append([]int32{}, c.lanes.numbers()...)
	slices.Sort(numbers)
	if c.cfg.Assigned != nil {
		c.cfg.Assigned(numbers)
	}
	c.mu.Lock()
	same := c.announced != nil && slices.Equal(c.announced, numbers)
	c.announced = numbers
	c.mu.Unlock()
	if !same {
		c.cfg.Log.Info("partitions owned", telemetry.Partitions, numbers)
	}
}
