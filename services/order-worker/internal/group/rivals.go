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

	"example.com/orders/shared/telemetry"
)

// clientID identifies the members of every worker group: by it a second group on the same topics is found.
const clientID = "orders-worker"

// rivalCheck is how often a worker asks whether another group is still there.
const rivalCheck = 2 * time.Second

// rivals finds other groups that work on the same topics: both groups would claim the same partitions.
type rivals struct{ *core }

// refuse ends the start of a worker while another group works on the same topics. If the workers of
// that group were killed, it waits until its members have expired.
func (r rivals) refuse(ctx context.Context) error {
	for until := time.Now().Add(r.session + rivalCheck); ; {
		others, err := r.find(ctx)
		switch {
		case err != nil: // then claims show it
			r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "other groups on these topics are unknown: allow DescribeGroups", slog.Any(telemetry.Error, err))
			return nil
		case len(others) == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%s already works on topic %q: stop its workers first, or start this one in their group (--group)",
				strings.Join(others, ", "), r.cfg.Topics.Orders)
		}
		if !sleep(ctx, rivalCheck) {
			return context.Cause(ctx)
		}
	}
}

// gone waits until no other group works on the same topics. It reports false when ctx ends first.
func (r rivals) gone(ctx context.Context, number int32, by *claimed) bool {
	var logged time.Time
	for {
		others, err := r.find(ctx)
		if err == nil && len(others) == 0 {
			return true
		}
		if err == nil {
			err = fmt.Errorf("%w; %s: stop its workers, or these", by, strings.Join(others, ", "))
		}
		if ctx.Err() == nil && time.Since(logged) >= time.Minute {
			r.log(ctx, slog.LevelError, "partition blocked: another group works on it", number, err)
			logged = time.Now()
		}
		if !sleep(ctx, rivalCheck) {
			return false
		}
	}
}

// find describes the other groups whose members are workers on the same topics. It does not see
// groups that this worker may not see, or whose coordinator is away.
func (r rivals) find(ctx context.Context) (others []string, err error) {
	admin := kadm.NewClient(r.side.Client)
	listed, err := admin.ListGroups(ctx)
	if err = total(err); err != nil {
		return nil, err
	}
	var names []string
	for name, g := range listed {
		if name != r.cfg.Group && g.State != "Empty" && g.State != "Dead" {
			names = append(names, name)
		}
	}
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
		others = describe(others, name, r.classicWorkers(g))
	}
	if len(rest) > 0 {
		found, err := admin.DescribeConsumerGroups(ctx, rest...)
		if err = total(err); err != nil {
			return nil, err
		}
		for name, g := range found {
			others = describe(others, name, r.brokeredWorkers(g))
		}
	}
	slices.Sort(others)
	return others, nil
}

// total is nil for an error of some brokers only: the answers of the others are used.
func total(err error) error {
	if some, ok := errors.AsType[*kadm.ShardErrors](err); ok && !some.AllFailed {
		return nil
	}
	return err
}

func (r rivals) classicWorkers(g kadm.DescribedGroup) (workers []string) {
	for _, m := range g.Members {
		// During a rebalance the brokers do not say what a member subscribes to.
		join, known := m.Join.AsConsumer()
		if m.ClientID == clientID && (!known || slices.Contains(join.Topics, r.cfg.Topics.Orders)) {
			workers = append(workers, m.ClientHost)
		}
	}
	return workers
}

func (r rivals) brokeredWorkers(g kadm.DescribedConsumerGroup) (workers []string) {
	for _, m := range g.Members {
		if m.ClientID == clientID && slices.Contains(m.SubscribedTopics, r.cfg.Topics.Orders) {
			workers = append(workers, m.ClientHost)
		}
	}
	return workers
}

func describe(others []string, group string, workers []string) []string {
	if len(workers) == 0 {
		return others
	}
	return append(others, fmt.Sprintf("group %q (%d members, one at %s)", group, len(workers), workers[0]))
}
