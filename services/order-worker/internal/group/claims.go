package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// clientID marks the members of every worker group: by it a second group on the same topics is known.
const clientID = "orders-worker"

// rivalCheck is how often a worker asks whether another group is still there.
const rivalCheck = 2 * time.Second

// A partition that is claimed again and again is taken later each time, so that two groups that do not see each other, for
// lack of permission, do not claim by turns without end. After claimsForgotten without a claim the count starts again.
const (
	claimPauseMost  = time.Minute
	claimsForgotten = 10 * time.Minute
)

// claimed is why a partition is blocked: a newer claim than ours stands in orders.status.
type claimed struct{ group, worker string }

// Error is what is said of a partition that is blocked because of it.
func (c *claimed) Error() string {
	if c.group == "" {
		return fmt.Sprintf("claimed by another member: %q", c.worker)
	}
	return fmt.Sprintf("claimed by another member: %q of group %q", c.worker, c.group)
}

// observe looks at what comes behind our claim in orders.status, and returns stale states and tombstones: their orders are put
// right, or forgotten, in their lanes.
func (c *Member) observe(number int32, records []*kgo.Record) (stale []*kgo.Record) {
	l := c.lanes.ledger(number)
	if l == nil {
		return nil
	}
	for _, r := range records {
		switch l.Judge(r) {
		case status.Current: // ours: the ledger wrote it
		case status.Void, status.Erased:
			stale = append(stale, r)
		case status.Claim:
			group, worker := wire.ReadClaim(r)
			c.yield(number, &claimed{group, worker})
			return nil
		}
	}
	return stale
}

// yield ends all work on a partition at once, because every reader takes what we write for stale from a newer claim on. The
// partition stays ours as far as our group is concerned: it is blocked until it can be taken again.
func (c *Member) yield(number int32, by *claimed) {
	c.abandon(c.halt([]int32{number}))
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.taken[number]
	if t == nil {
		return // the group has taken it from us
	}
	if time.Since(t.yielded) > claimsForgotten {
		t.yields = 0
	}
	t.yielded, t.yields = time.Now(), t.yields+1
	pause := time.Duration(t.yields-1) * c.sessionTimeout
	if by.group != c.cfg.Group {
		pause += c.sessionTimeout // then the lease of a member that was killed has run out
	}
	c.log(t.ctx, slog.LevelWarn, "partition blocked by a newer claim: taken again when no other group works on it", number, by)
	t.again.Go(func() { c.takeAgain(t, number, by, min(pause, claimPauseMost)) })
}

// takeAgain takes a partition that was claimed by another member, unless it goes meanwhile: once our group has confirmed that
// it is still ours, and no other group works on the same topics.
func (c *Member) takeAgain(t *taking, number int32, by *claimed, pause time.Duration) {
	c.lanes.add(c.refused(number, position{topic: c.cfg.Topics.Orders}, by))
	c.announce()
	if !sleep(t.ctx, pause) || !c.alone(t.ctx, number, by) || c.cfg.Ledger.Lease.Confirm(t.ctx) != nil {
		return
	}
	if err := c.take(t.ctx, number, c.together(t.ctx, []int32{number})); err != nil {
		c.notTaken(t.ctx, number, err)
		return
	}
	c.announce()
}

// alone waits until no other group works on our topics. It reports false when ctx ends first.
func (c *Member) alone(ctx context.Context, number int32, by *claimed) bool {
	var said time.Time
	for {
		others, err := c.rivals(ctx)
		if err == nil && len(others) == 0 {
			return true
		}
		if err == nil {
			err = fmt.Errorf("%w; %s: stop its workers, or these", by, strings.Join(others, ", "))
		}
		if ctx.Err() == nil && time.Since(said) >= time.Minute {
			c.log(ctx, slog.LevelError, "partition blocked", number, err)
			said = time.Now()
		}
		if !sleep(ctx, rivalCheck) {
			return false
		}
	}
}

// refuseRivals ends the start of a worker while another group works on the same topics: both would claim the same partitions.
// A group whose workers were killed is waited for until its members have expired.
func (c *Member) refuseRivals(ctx context.Context) error {
	for until := time.Now().Add(c.sessionTimeout + rivalCheck); ; {
		others, err := c.rivals(ctx)
		switch {
		case err != nil: // not to be known: claims tell
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "other groups on these topics not looked for", slog.Any(telemetry.Error, err))
			return nil
		case len(others) == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%s already works on topic %q: stop its workers first, or start this one in their group (--group)",
				strings.Join(others, ", "), c.cfg.Topics.Orders)
		}
		if !sleep(ctx, rivalCheck) {
			return context.Cause(ctx)
		}
	}
}

// rivals describes the other groups whose members are workers on the same topics. Groups that we may not see, or whose
// coordinator is away, are not among them.
func (c *Member) rivals(ctx context.Context) (others []string, err error) {
	admin := kadm.NewClient(c.side.Client)
	listed, err := admin.ListGroups(ctx)
	if err = total(err); err != nil {
		return nil, err
	}
	names := c.others(listed)
	if len(names) == 0 {
		return nil, nil
	}
	classic, err := admin.DescribeGroups(ctx, names...)
	if err = total(err); err != nil {
		return nil, err
	}
	var rest []string // of the brokers' protocol
	for name, g := range classic {
		if len(g.Members) == 0 {
			rest = append(rest, name)
		}
		others = tell(others, name, c.classicWorkers(g))
	}
	if len(rest) > 0 {
		found, err := admin.DescribeConsumerGroups(ctx, rest...)
		if err = total(err); err != nil {
			return nil, err
		}
		for name, g := range found {
			others = tell(others, name, c.brokeredWorkers(g))
		}
	}
	slices.Sort(others)
	return others, nil
}

// total is nil for an error of some brokers only: what the others know is used.
func total(err error) error {
	if some, ok := errors.AsType[*kadm.ShardErrors](err); ok && !some.AllFailed {
		return nil
	}
	return err
}

// others are the groups that have members, without our own.
func (c *Member) others(listed kadm.ListedGroups) (names []string) {
	for name, g := range listed {
		if name != c.cfg.Group && g.State != "Empty" && g.State != "Dead" {
			names = append(names, name)
		}
	}
	return names
}

func (c *Member) classicWorkers(g kadm.DescribedGroup) (workers []string) {
	for _, m := range g.Members {
		// In a rebalance the brokers do not say what a member subscribes to.
		join, known := m.Join.AsConsumer()
		if m.ClientID == clientID && (!known || slices.Contains(join.Topics, c.cfg.Topics.Orders)) {
			workers = append(workers, m.ClientHost)
		}
	}
	return workers
}

func (c *Member) brokeredWorkers(g kadm.DescribedConsumerGroup) (workers []string) {
	for _, m := range g.Members {
		if m.ClientID == clientID && slices.Contains(m.SubscribedTopics, c.cfg.Topics.Orders) {
			workers = append(workers, m.ClientHost)
		}
	}
	return workers
}

func tell(others []string, group string, workers []string) []string {
	if len(workers) == 0 {
		return others
	}
	return append(others, fmt.Sprintf("group %q (%d members, one at %s)", group, len(workers), workers[0]))
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

func (c *Member) log(ctx context.Context, level slog.Level, text string, number int32, err error) {
	c.cfg.Log.LogAttrs(ctx, level, text, slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
}
