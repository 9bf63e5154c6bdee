// Package consumer is a member of the worker group: it takes records from Kafka, works on many at once, and commits what is finished.
//
// Stop 2.
// From: intake
// To: pipeline
//
// The group subscribes to the topic orders only. Whoever owns orders/p reads partition p of the other topics too, with
// a second client, and so an order has one lane in one process, whatever topic it comes from. Both kinds of offsets are
// committed in one request under the group's member and generation.
//
// Records of one key are worked on one after the other (a lane), all others side by side. Committed is only what stands
// below the oldest unfinished record (the watermark). A partition that goes, for a rebalance or because the worker stops,
// is drained first: nothing new is begun, what is in hand is finished within the drain time, then committed, then let
// go. What is not finished by then is abandoned before its next effect, and its next owner takes it up.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Handler works on one record until it is finished and returns nil then. It gives up waiting when stopping is closed, and everything when ctx ends.
type Handler func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error

// Config says what to consume and how. All fields are needed but Room and Assigned.
type Config struct {
	Kafka       kafka.Config
	Topics      topic.Set
	Group       string
	Concurrency int           // orders in hand at once
	Drain       time.Duration // how long a partition that goes may finish what is in hand
	Ledger      ledger.Config
	Log         *slog.Logger
	// Room says how many orders of Topics.Waiting may be in hand at once in this worker now, and after how long to ask again
	// even if none ends (zero: not before); or nil: as many as of any topic. It must not block.
	Room func() (orders int, again time.Duration)
	// Assigned is called with the owned partition numbers after each change; or nil. It must not block.
	Assigned func(partitions []int32)
}

// The group's times. A killed worker's partitions go to another one after sessionTimeout: the client's default of 45 s
// would leave them idle that long. How often it says that it is alive must be well below.
const (
	sessionTimeout = 8 * time.Second
	heartbeat      = time.Second
	commitEvery    = time.Second
	commitAgain    = time.Hour // brokers expire the offsets of topics that the group does not subscribe to
	pollRecords    = 1000
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

	commits chan struct{} // full during a commit, so that an old one never overtakes a new one
}

// New returns a member that hands records to handle once it runs.
func New(cfg Config, handle Handler) *Consumer {
	c := &Consumer{cfg: cfg, handle: handle, commits: make(chan struct{}, 1)}
	c.lanes = &lanes{limit: cfg.Concurrency, log: cfg.Log, room: room{ask: cfg.Room}, fetch: c.fetch, seek: c.seek, thirst: c.thirst}
	return c
}

// Run is a member of the group until ctx ends; then it drains all partitions, commits, leaves the group and returns nil.
// It returns an error if the brokers do not answer at the start. It is called once.
func (c *Consumer) Run(ctx context.Context) error {
	// After the end of ctx the clients still ask Kafka for what letting go takes, until they hang up.
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	if err := c.connect(ctx, calls); err != nil {
		return err
	}
	// Only now does it join: what is called when partitions come uses both clients.
	c.group.AddConsumeTopics(c.cfg.Topics.Orders)
	var running sync.WaitGroup
	running.Go(func() { c.group.poll(ctx, func() {}, c.lanes.offer) })
	running.Go(func() { c.side.poll(ctx, c.lanes.refill, c.offerSide) })
	running.Go(func() { c.commitPeriodically(ctx) })
	<-ctx.Done()
	// Drain while the group still hears from us: a member that is leaving sends no heartbeats, and would lose its
	// partitions, with mails in hand, after the session time-out.
	c.finish(c.drain(c.lanes.numbers()))
	running.Wait()
	c.leave(calls)
	hangUp()
	c.group.Close()
	c.side.Close()
	c.lanes.wg.Wait()
	return nil
}

// connect makes both clients, whose calls end with the second context. The group's has no topic yet.
func (c *Consumer) connect(ctx, calls context.Context) error {
	held := lease.New(sessionTimeout)
	c.cfg.Ledger.Lease = held
	side, err := c.cfg.Kafka.Connect(ctx, append(fetching(calls),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Most of what it fetches is not due yet, and is fetched again later.
		kgo.FetchMaxPartitionBytes(heldBytes),
	)...)
	if err != nil {
		return err
	}
	orders := c.cfg.Topics.Orders
	group, err := c.cfg.Kafka.Connect(ctx, append(fetching(calls),
		kgo.ConsumerGroup(c.cfg.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.WithHooks(held),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		// Whoever drains must not be thrown out of the group for it.
		kgo.RebalanceTimeout(c.cfg.Drain+30*time.Second),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { c.assigned(ctx, taken[orders]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { c.revoked(calls, gone[orders]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { c.lost(gone[orders]) }),
	)...)
	if err != nil {
		side.Close()
		return err
	}
	c.side, c.group = newFeed(side, c.cfg.Log), newFeed(group, c.cfg.Log)
	return nil
}

func fetching(calls context.Context) []kgo.Opt {
	return []kgo.Opt{
		kgo.WithContext(calls),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(8 << 20),
		kgo.FetchMaxPartitionBytes(1 << 20),
		kgo.FetchMaxWait(500 * time.Millisecond),
	}
}

// leave leaves the group, which revokes all partitions: what was finished is committed there. When Kafka is away it gives
// up soon, and the session time-out does the rest.
func (c *Consumer) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	if err := c.group.LeaveGroupContext(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "group not left", slog.Any(telemetry.Error, err))
	}
}

// fetch pauses or resumes one topic's partition with the client that reads it.
func (c *Consumer) fetch(topic string, partition int32, paused bool) {
	cl, which := c.side, map[string][]int32{topic: {partition}}
	if topic == c.cfg.Topics.Orders {
		cl = c.group
	}
	if paused {
		cl.PauseFetchPartitions(which)
	} else {
		cl.ResumeFetchPartitions(which)
	}
}

// seek says where a topic's partition is read on by the second client.
func (c *Consumer) seek(topic string, partition int32, offset int64) {
	c.side.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: {Epoch: -1, Offset: offset}}})
}

// thirst has lanes refilled before the next poll, which is at once.
func (c *Consumer) thirst() { c.side.interrupt() }

// commitPeriodically bounds what a crash makes the next owner look at again.
func (c *Consumer) commitPeriodically(ctx context.Context) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	var last map[string]map[int32]kgo.EpochOffset
	var at time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := c.lanes.committable()
		if (!equal(last, now) || time.Since(at) >= commitAgain) && c.commit(ctx) == nil {
			last, at = now, time.Now()
		}
	}
}

// commit commits what is finished, for all owned partitions over all their topics, in one request.
func (c *Consumer) commit(ctx context.Context) error {
	c.commits <- struct{}{}
	defer func() { <-c.commits }()
	offsets := c.lanes.committable()
	if len(offsets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	var answer error
	c.group.CommitOffsetsSync(ctx, offsets, answered(&answer))
	if answer != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "commit refused", slog.Any(telemetry.Error, answer))
	}
	return answer
}

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
