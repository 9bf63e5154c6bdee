// Package consumer is a member of the worker group: it takes records from Kafka, works on many at once, and commits what is finished.
//
// Stop 2.
// From: intake
// To: pipeline
//
// The group subscribes to the topic orders only. Whoever owns orders/p reads partition p of the other topics too, with
// a second client, and so an order has one lane in one process, whatever topic it comes from. Both kinds of offsets are
// committed in one request under the group's member and generation. Orders that were put off wait before a gate (source.go).
//
// A partition is taken (take.go) when it is known where all its topics are read on, and that nothing is lost there
// (positions.go); then its ledger is opened, and only then are its records fetched.
//
// Records of one key are worked on one after the other (a lane), all others side by side. Committed is only what stands
// below the oldest unfinished record (the watermark). A partition that goes, for a rebalance or because the worker stops,
// is drained first: nothing new is begun, what is in hand is finished within the drain time, then committed, then let
// go. What is not finished by then is abandoned before its next effect, and its next owner takes it up. A partition that is
// lost is drained no longer than the lease is held, and a newer claim on it ends everything at once.
package consumer

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
	"example.com/orders/services/order-worker/internal/meter"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Handler works on one record until it is finished and returns nil then. It gives up waiting when stopping is closed, and everything when ctx ends.
type Handler func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error

// Config says what to consume and how. All fields are needed but Room and Assigned.
type Config struct {
	Kafka    kafka.Config
	Topics   topic.Set
	Group    string
	Protocol string // of the group: "consumer" (KIP-848), or else the classic one
	// SessionTimeout is after how long of silence a member's partitions go to others; of the classic protocol, where the brokers
	// allow it.
	SessionTimeout time.Duration
	Concurrency    int           // orders in hand at once
	Drain          time.Duration // how long a partition that goes may finish what is in hand
	AcceptLoss     bool          // go on where a log begins now, if what was to be read next is gone
	Ledger         ledger.Config
	Meter          *meter.Meter
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

// Consumer is a member of the group.
type Consumer struct {
	cfg    Config
	handle Handler
	group  *feed // subscribes to orders; commits for all topics
	side   *feed // reads the owned partition numbers of the other topics
	lanes  *lanes

	sessionTimeout time.Duration // after which the group gives a silent member's partitions to others; set by connect

	commits chan struct{} // full during a commit, so that an old one never overtakes a new one
	takings sync.WaitGroup
	leaving atomic.Bool    // no partitions are wanted any more
	drains  sync.WaitGroup // of handOver

	mu    sync.Mutex
	taken map[int32]*taking // by partition number, until it goes
}

// New returns a member that hands records to handle once it runs.
func New(cfg Config, handle Handler) *Consumer {
	c := &Consumer{cfg: cfg, handle: handle, commits: make(chan struct{}, 1), taken: map[int32]*taking{}}
	c.lanes = &lanes{limit: cfg.Concurrency, log: cfg.Log, room: room{ask: cfg.Room}, fetch: c.fetch, seek: c.seek, thirst: c.thirst}
	return c
}

// Run is a member of the group until ctx ends; then it drains all partitions, commits, leaves the group and returns nil.
// It returns an error if the brokers do not answer at the start. It is called once.
func (c *Consumer) Run(ctx context.Context) error {
	// After the end of ctx the clients still ask Kafka for what letting go takes, until they hang up.
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	if err := c.connect(ctx, calls, refuse); err != nil {
		return err
	}
	// Only now does it join: what is called when partitions come uses both clients.
	c.group.AddConsumeTopics(c.cfg.Topics.Orders)
	var running sync.WaitGroup
	running.Go(func() { c.group.poll(ctx) })
	running.Go(func() { c.side.poll(ctx) })
	running.Go(func() { c.commitPeriodically(ctx) })
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
	if cause := context.Cause(ctx); cause != ctx.Err() { //nolint:errorlint // the very same: ctx was not refused
		return cause
	}
	return nil
}

// connect makes both clients, whose calls end with the second context, and has the membership that is refused for good told to
// refuse. The group's client has no topic yet.
func (c *Consumer) connect(ctx, calls context.Context, refuse context.CancelCauseFunc) error {
	side, err := c.cfg.Kafka.Connect(ctx, append(fetching(calls), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
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
	c.cfg.Ledger.Lease, c.cfg.Ledger.Group = held, c.cfg.Group
	orders := c.cfg.Topics.Orders
	group, err := c.cfg.Kafka.Connect(ctx, append(append(fetching(calls), c.protocol()...),
		kgo.ConsumerGroup(c.cfg.Group),
		kgo.ClientID(clientID),
		kgo.WithHooks(held, refusals{c.cfg.Group, session, refuse}),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(c.resumed),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { c.assigned(ctx, taken[orders]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { c.revoked(calls, gone[orders]) }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { c.lost(calls) }),
	)...)
	if err != nil {
		side.Close()
		return err
	}
	c.group = newFeed(group, c.cfg.Log, func() {}, c.lanes.offer, c.gone)
	c.side = newFeed(side, c.cfg.Log, c.lanes.refill, c.offerSide, c.gone)
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
func (c *Consumer) depart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Drain+brief)
	defer cancel()
	c.leaving.Store(true)
	until := time.Now().Add(c.cfg.Drain)
	c.handOver(ctx, c.release(ctx, c.drain(c.numbers()), until), until)
}

// leave leaves the group. When Kafka is away it gives up soon, and the session time-out does the rest.
func (c *Consumer) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	if err := c.group.LeaveGroupContext(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "group not left", slog.Any(telemetry.Error, err))
	}
}

// reader is the client that reads a topic.
func (c *Consumer) reader(topic string) *feed {
	if topic == c.cfg.Topics.Orders {
		return c.group
	}
	return c.side
}

// fetch pauses or resumes one topic's partition with the client that reads it.
func (c *Consumer) fetch(topic string, partition int32, paused bool) {
	which := map[string][]int32{topic: {partition}}
	if paused {
		c.reader(topic).PauseFetchPartitions(which)
	} else {
		c.reader(topic).ResumeFetchPartitions(which)
	}
}

// seek says where a topic's partition is read on.
func (c *Consumer) seek(topic string, partition int32, offset int64) {
	c.reader(topic).SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: {Epoch: -1, Offset: offset}}})
}

// thirst has lanes refilled before the next poll, which is at once.
func (c *Consumer) thirst() { c.side.interrupt() }

// abandoned reports whether an unfinished record was left for the partition's next owner on purpose.
func abandoned(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, retry.ErrStopping)
}

// work is how one partition's records are worked on, under the ctx that ends when the partition is lost.
func (c *Consumer) work(ctx context.Context, l *ledger.Ledger, stopping <-chan struct{}) func(*kgo.Record) error {
	return func(r *kgo.Record) error {
		err := c.handle(ctx, l, r, stopping)
		if err == nil || abandoned(ctx, err) {
			return err
		}
		c.cfg.Meter.Refused()
		return fmt.Errorf("%w: %w", errHeld, err)
	}
}

func (c *Consumer) announce() {
	numbers := c.lanes.numbers()
	slices.Sort(numbers)
	if c.cfg.Assigned != nil {
		c.cfg.Assigned(numbers)
	}
	c.cfg.Log.Info("partitions owned", telemetry.Partitions, numbers)
}
