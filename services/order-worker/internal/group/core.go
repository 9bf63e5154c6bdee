package group

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/services/order-worker/internal/scheduler"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// core is what the parts of a member share.
type core struct {
	cfg       Config
	scheduler *scheduler.Scheduler
	tasks     sync.WaitGroup // that end soon once their context has ended
	leaving   atomic.Bool    // no partition is wanted any more

	// Set by connect, before the member joins its group.
	group   *feed         // subscribes to orders, and reads nothing; commits for all topics
	side    *feed         // reads the owned partition numbers of the topics that orders come from
	tail    *feed         // reads those of orders.status, behind our claims
	session time.Duration // the session timeout
	stop    context.CancelCauseFunc

	mu          sync.Mutex
	assignments []*assignment // until they are released; the oldest first
	blocked     error         // why every partition is blocked; or nil
	announced   []int32       // what was logged last; nil before that
}

// assignment is a partition that the group has assigned. Two of the same number exist while the
// earlier one drains.
type assignment struct {
	*partition.Partition
	ctx    context.Context //nolint:containedctx // of the assignment: ends when it begins to drain
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup       // that restore it
	work   atomic.Pointer[work] // nil while the scheduler does not know it

	// Owned by the goroutine that reads orders.status.
	claims  int       // how often another member has claimed it
	claimed time.Time // the last time
}

// work is what belongs to one claim on a partition.
type work struct {
	lanes   *scheduler.Lanes
	ledger  *ledger.Ledger          // nil of a partition that is blocked before it was restored
	abandon context.CancelCauseFunc // ends orders in flight before their next effect
}

func newCore(cfg Config) *core {
	c := &core{cfg: cfg, stop: func(error) {}}
	c.scheduler = scheduler.New(scheduler.Config{
		Slots: cfg.Slots, Room: cfg.Room, Fetch: c.fetch, Seek: c.seek,
		RequestRefill: func() { c.side.interrupt() }, // the next poll is at once
	})
	return c
}

func (c *core) fetch(topic string, partition int32, paused bool) {
	which := map[string][]int32{topic: {partition}}
	if paused {
		c.reader(topic).PauseFetchPartitions(which)
	} else {
		c.reader(topic).ResumeFetchPartitions(which)
	}
}

func (c *core) seek(topic string, partition int32, at kgo.EpochOffset) {
	c.reader(topic).SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: at}})
}

// reader is the client that reads a topic.
func (c *core) reader(topic string) *feed {
	if topic == c.cfg.Topics.Status {
		return c.tail
	}
	return c.side
}

func (c *core) sources() []string {
	t := c.cfg.Topics
	return []string{t.Orders, t.Retry10s, t.Retry2m, t.Waiting, t.Replay}
}

// parts are the partitions of a number that orders come from.
func (c *core) parts(number int32) (parts []kafka.Partition) {
	for _, topic := range c.sources() {
		parts = append(parts, kafka.Partition{Topic: topic, Number: number})
	}
	return parts
}

// final ends Run if an error is one that every partition meets and waiting does not cure.
func (c *core) final(err error) {
	if kafka.Classify(err).Stops() {
		c.stop(kafka.Explain(err))
	}
}

// insist blocks while Kafka is away.
func (c *core) insist(ctx context.Context, what string, number int32, try func() error) error {
	return kafka.Insist(ctx, try, func(err error) {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka",
			slog.String(telemetry.Waiting, what), slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
	})
}

func (c *core) log(ctx context.Context, level slog.Level, text string, number int32, err error) {
	c.cfg.Log.LogAttrs(ctx, level, text, slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
}

func (c *core) logUnreadable(bad *kafka.UnreadableError) {
	c.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "partition blocked: a batch cannot be read", slog.String(telemetry.Topic, bad.Topic),
		slog.Int(telemetry.Partition, int(bad.Partition)), slog.Int64(telemetry.Offset, bad.From), slog.Any(telemetry.Error, bad))
}

// all returns the assignments, the oldest first.
func (c *core) all() []*assignment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.assignments)
}

// owner returns the oldest assignment of a number, or nil.
func (c *core) owner(number int32) *assignment {
	for _, a := range c.all() {
		if a.Number() == number {
			return a
		}
	}
	return nil
}

func (c *core) assign(ctx context.Context, number int32) *assignment {
	a := &assignment{Partition: partition.New(number, c.cfg.Meter, c.cfg.Log)}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.assignments = append(c.assignments, a)
	return a
}

// start runs a task of an assignment, and then done; done alone if the assignment drains.
func (c *core) start(a *assignment, task, done func()) {
	if !c.begin(a, func() {
		defer done()
		task()
	}) {
		done()
	}
}

// begin runs a task unless the assignment drains. The lock keeps end from waiting for the tasks before
// this one is among them.
func (c *core) begin(a *assignment, task func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := a.State(); s == partition.Draining || s == partition.Released {
		return false
	}
	a.tasks.Go(task)
	return true
}

// end makes an assignment drain, and ends its tasks.
func (c *core) end(a *assignment, reason error) {
	c.mu.Lock()
	a.Set(partition.Draining, reason)
	c.mu.Unlock()
	a.cancel(errLost)
	a.tasks.Wait()
}

func (c *core) release(a *assignment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Set(partition.Released, nil) {
		c.assignments = slices.DeleteFunc(c.assignments, func(other *assignment) bool { return other == a })
	}
}

// schedule gives the scheduler what it needs to work on an assignment.
func (c *core) schedule(a *assignment, w *work) {
	a.work.Store(w)
	c.scheduler.Add(w.lanes)
}

// unschedule undoes schedule; false means that it was undone before.
func (c *core) unschedule(a *assignment) bool {
	w := a.work.Swap(nil)
	if w == nil {
		return false
	}
	if unfinished, _ := c.scheduler.Remove(w.lanes); unfinished > 0 {
		c.cfg.Log.Warn("orders abandoned: the next owner resumes them", telemetry.Partition, a.Number(), telemetry.Count, unfinished)
	}
	w.abandon(errLost) // frees the context
	return true
}

// run sets an assignment running, unless every partition is blocked.
func (c *core) run(a *assignment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocked == nil {
		a.Set(partition.Running, nil)
	} else {
		a.Set(partition.Blocked, c.blocked)
	}
	c.scheduler.Refresh()
}

// block blocks an assignment, and reports whether it was not blocked yet.
func (c *core) block(a *assignment, reason error) bool {
	first := a.Set(partition.Blocked, reason)
	c.scheduler.Refresh()
	return first
}

// Block blocks all partitions, those included that are assigned later. Orders in flight are finished
// and committed; everything else stays in Kafka.
func (c *core) Block(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocked != nil {
		return
	}
	c.blocked = reason
	for _, a := range c.assignments {
		a.Set(partition.Blocked, reason)
	}
	c.scheduler.Refresh()
}

// BlockedBy is the reason that was given to Block, or nil.
func (c *core) BlockedBy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocked
}

// announce tells which partitions are owned now. A rebalance that changes nothing is not logged:
// while a partition drains there are two a second.
func (c *core) announce() {
	numbers := append([]int32{}, c.scheduler.Numbers()...)
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

// opened is the ledger of an assignment; nil while it has none.
func (a *assignment) opened() *ledger.Ledger {
	if w := a.work.Load(); w != nil {
		return w.ledger
	}
	return nil
}

// unreadable is the batch that blocks an assignment because it cannot be read, or nil.
func (a *assignment) unreadable() *kafka.UnreadableError {
	bad, _ := errors.AsType[*kafka.UnreadableError](a.Blocked())
	return bad
}

// sleep waits, and reports false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func every(ctx context.Context, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}
