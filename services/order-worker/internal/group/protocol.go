package group

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/telemetry"
)

// brokered is the protocol (KIP-848) with which the brokers spread the partitions over the members, and say how long a
// silent one may be silent. Any other is the classic one, where members do both.
const brokered = "consumer"

// heartbeat is the interval of heartbeats of the classic group. A rebalance is heard of by the answer to one, and goes on when
// every member has heard of it; until then the partitions that move stand still, twice.
const heartbeat = 500 * time.Millisecond

// longSession is how long partitions of a killed worker may stay idle before that is worth a warning.
const longSession = 12 * time.Second

// protocol is how the member takes part in its group.
func (c *Member) protocol() []kgo.Opt {
	if c.cfg.Protocol == brokered {
		// The sticky balancer stands for the brokers' own, which is called uniform.
		return []kgo.Opt{
			kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()),
			// A partition that drains is waited for inside of a rebalance.
			kgo.RebalanceTimeout(c.cfg.Drain + 30*time.Second),
		}
	}
	return []kgo.Opt{
		kgo.Balancers(workers{kgo.CooperativeStickyBalancer(), c}), kgo.HeartbeatInterval(heartbeat),
		kgo.SessionTimeout(c.sessionTimeout),
		// No member is longer busy between a heartbeat and its next join: a partition that drains is waited for outside of it.
		// So the others need not wait longer for one that was killed.
		kgo.RebalanceTimeout(c.sessionTimeout),
	}
}

// workers shares the partitions out as the cooperative-sticky balancer does, under a name of its own: consumers of any other
// kind do not offer it, so the brokers refuse them in this group. They would be given partitions, and commit orders that
// no worker has seen. It hears of the partitions that drain, too: as long as a member claims one, no other gets it. A member that
// leaves the group wants none any more.
type workers struct {
	kgo.GroupBalancer
	c *Member
}

// ProtocolName is called by kgo.
func (workers) ProtocolName() string { return "order-worker" }

// JoinGroupMetadata is called by kgo at each join, with the topics and partitions that it knows of.
func (w workers) JoinGroupMetadata(topics []string, assigned map[string][]int32, generation int32) []byte {
	orders := w.c.cfg.Topics.Orders
	owned := w.c.lanes.numbers()
	if w.c.leaving.Load() {
		topics = nil
	} else {
		owned = append(owned, assigned[orders]...)
	}
	slices.Sort(owned)
	return w.GroupBalancer.JoinGroupMetadata(topics, map[string][]int32{orders: slices.Compact(owned)}, generation)
}

// session is after how long of silence a member's partitions go to others.
func (c *Member) session(ctx context.Context, cl *kgo.Client) (time.Duration, error) {
	if c.cfg.Protocol != brokered {
		return c.bounded(ctx, cl)
	}
	millis, err := setting(ctx, cl, kmsg.ConfigResourceTypeGroupConfig, c.cfg.Group, "consumer.session.timeout.ms")
	if errors.Is(err, errUnset) {
		millis, err = brokerSetting(ctx, cl, "group.consumer.session.timeout.ms")
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the session time-out of group %q: %w", c.cfg.Group, err)
	}
	session := time.Duration(millis) * time.Millisecond
	c.warnLong(ctx, session)
	return session, nil
}

// bounded is the session time-out that was asked for, within what the brokers allow.
func (c *Member) bounded(ctx context.Context, cl *kgo.Client) (time.Duration, error) {
	session := c.cfg.SessionTimeout
	for _, bound := range []struct {
		key   string
		apply func(a, b time.Duration) time.Duration
	}{
		{"group.min.session.timeout.ms", func(a, b time.Duration) time.Duration { return max(a, b) }},
		{"group.max.session.timeout.ms", func(a, b time.Duration) time.Duration { return min(a, b) }},
	} {
		millis, err := brokerSetting(ctx, cl, bound.key)
		if err != nil { // not to be known: the coordinator tells when it refuses
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the brokers' bounds of the session time-out not read", slog.Any(telemetry.Error, err))
			break
		}
		allowed := bound.apply(session, time.Duration(millis)*time.Millisecond)
		if allowed != session {
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the brokers refuse the session time-out: theirs is used",
				slog.Duration("asked", session), slog.Duration("used", allowed), slog.String("setting", bound.key))
		}
		session = allowed
	}
	if session < SessionLeast {
		return 0, fmt.Errorf("the brokers allow a session time-out of %s at most (group.max.session.timeout.ms), and workers need %s", session, SessionLeast)
	}
	c.warnLong(ctx, session)
	return session, nil
}

// warnLong warns of a session time-out that leaves partitions idle.
func (c *Member) warnLong(ctx context.Context, session time.Duration) {
	if session > longSession {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "partitions of a killed worker stay idle for the session time-out", slog.Duration(telemetry.Took, session))
	}
}

// SessionLeast is the shortest session time-out with which a worker's lease outlasts a few lost heartbeats.
const SessionLeast = 4 * time.Second

// unwelcome is what the group answers to a member for a reason that no waiting cures, with what to do about it; or nil.
func (c *Member) unwelcome(err error) error {
	switch {
	case errors.Is(err, kerr.InvalidSessionTimeout):
		return fmt.Errorf("joining group %q: the brokers refuse a session time-out of %s: set --session-timeout between their "+
			"group.min.session.timeout.ms and group.max.session.timeout.ms: %w", c.cfg.Group, c.sessionTimeout, err)
	case errors.Is(err, kerr.InvalidGroupID), errors.Is(err, kerr.UnsupportedVersion):
		return fmt.Errorf("joining group %q: %w", c.cfg.Group, err)
	}
	return nil
}

var errUnset = errors.New("not set")

// brokerSetting reads a number from the settings of any broker.
func brokerSetting(ctx context.Context, cl *kgo.Client, key string) (int, error) {
	brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err != nil || len(brokers) == 0 {
		return 0, cmp.Or(err, errUnset)
	}
	return setting(ctx, cl, kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(brokers[0].NodeID)), key)
}

// setting reads a number from the settings of a group or a broker. It is errUnset when they have none of that name.
func setting(ctx context.Context, cl *kgo.Client, kind kmsg.ConfigResourceType, name, key string) (int, error) {
	question, resource := kmsg.NewPtrDescribeConfigsRequest(), kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kind, name, []string{key}
	question.Resources = append(question.Resources, resource)
	answer, err := question.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, r := range answer.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return 0, err
		}
		for _, c := range r.Configs {
			if c.Name == key && c.Value != nil {
				return strconv.Atoi(*c.Value)
			}
		}
	}
	return 0, errUnset
}
