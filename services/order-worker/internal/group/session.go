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

// brokered is the protocol (KIP-848) with which the brokers assign the partitions and set the
// session timeout. With any other, the classic one, the members do both.
const brokered = "consumer"

// heartbeat is the interval of heartbeats of the classic group. A member learns of a rebalance from
// the answer to one, and the rebalance waits for every member; until then the partitions that move
// are not worked on, twice.
const heartbeat = 500 * time.Millisecond

// longSession is the session timeout above which partitions of a killed worker are idle for so long
// that it is worth a warning.
const longSession = 12 * time.Second

// SessionLeast is the shortest session timeout with which a worker's lease outlasts a few lost heartbeats.
const SessionLeast = 4 * time.Second

// protocol is how the member takes part in its group.
func (c *core) protocol() []kgo.Opt {
	if c.cfg.Protocol == brokered {
		// The client calls the brokers' own balancer, uniform, by the name of the sticky one.
		return []kgo.Opt{
			kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()),
			// Within a rebalance the member waits for partitions that drain.
			kgo.RebalanceTimeout(c.cfg.Drain + 30*time.Second),
		}
	}
	return []kgo.Opt{
		kgo.Balancers(balancer{kgo.CooperativeStickyBalancer(), c}), kgo.HeartbeatInterval(heartbeat),
		kgo.SessionTimeout(c.session),
		// No member is busy for longer between a heartbeat and its next join: it waits for partitions
		// that drain outside of the rebalance. So the others need not wait longer for a killed member.
		kgo.RebalanceTimeout(c.session),
	}
}

// balancer assigns partitions as the cooperative-sticky balancer does, under a name of its own:
// consumers of any other kind do not offer it, so the brokers refuse them in this group. They would
// be assigned partitions, and commit orders that no worker has seen. Its metadata claims partitions
// that drain, too: as long as a member claims one, no other gets it.
type balancer struct {
	kgo.GroupBalancer
	c *core
}

// ProtocolName is called by kgo.
func (balancer) ProtocolName() string { return "order-worker" }

// JoinGroupMetadata is called by kgo at each join, with the topics and partitions that it knows of.
// A member that leaves the group subscribes to nothing any more.
func (b balancer) JoinGroupMetadata(topics []string, assigned map[string][]int32, generation int32) []byte {
	orders := b.c.cfg.Topics.Orders
	owned := b.c.scheduler.Numbers()
	if b.c.leaving.Load() {
		topics = nil
	} else {
		owned = append(owned, assigned[orders]...)
	}
	slices.Sort(owned)
	return b.GroupBalancer.JoinGroupMetadata(topics, map[string][]int32{orders: slices.Compact(owned)}, generation)
}

// unwelcome is a refusal of the group that waiting does not cure, with what to do about it; or nil.
func (c *core) unwelcome(err error) error {
	switch {
	case errors.Is(err, kerr.InvalidSessionTimeout):
		return fmt.Errorf("joining group %q: the brokers refuse a session timeout of %s: set --session-timeout between their "+
			"group.min.session.timeout.ms and group.max.session.timeout.ms: %w", c.cfg.Group, c.session, err)
	case errors.Is(err, kerr.InvalidGroupID), errors.Is(err, kerr.UnsupportedVersion):
		return fmt.Errorf("joining group %q: %w", c.cfg.Group, err)
	}
	return nil
}

// sessionTimeout is the session timeout of the group.
func sessionTimeout(ctx context.Context, cfg Config, cl *kgo.Client) (session time.Duration, err error) {
	if cfg.Protocol == brokered {
		session, err = brokersSession(ctx, cfg, cl)
	} else {
		session, err = boundedSession(ctx, cfg, cl)
	}
	if session > longSession {
		cfg.Log.LogAttrs(ctx, slog.LevelWarn, "long session timeout: partitions of a killed worker stay idle for this time",
			slog.Duration(telemetry.Took, session))
	}
	return session, err
}

// brokersSession is the session timeout that the brokers set for the group.
func brokersSession(ctx context.Context, cfg Config, cl *kgo.Client) (time.Duration, error) {
	session, err := setting(ctx, cl, kmsg.ConfigResourceTypeGroupConfig, cfg.Group, "consumer.session.timeout.ms")
	if errors.Is(err, errUnset) {
		session, err = brokerSetting(ctx, cl, "group.consumer.session.timeout.ms")
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the session timeout of group %q: %w", cfg.Group, err)
	}
	return session, nil
}

// boundedSession is the session timeout of the settings, within what the brokers allow.
func boundedSession(ctx context.Context, cfg Config, cl *kgo.Client) (time.Duration, error) {
	session := cfg.SessionTimeout
	least, err := brokerSetting(ctx, cl, "group.min.session.timeout.ms")
	most, failed := brokerSetting(ctx, cl, "group.max.session.timeout.ms")
	if err = cmp.Or(err, failed); err != nil { // then the coordinator may refuse the member
		cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the brokers' bounds of the session timeout are unknown: allow DescribeConfigs on the cluster",
			slog.Any(telemetry.Error, err))
	} else if session = min(max(session, least), most); session != cfg.SessionTimeout {
		cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the brokers do not allow the session timeout: their bound is used",
			slog.Duration(telemetry.Asked, cfg.SessionTimeout), slog.Duration(telemetry.Used, session))
	}
	if session < SessionLeast {
		return 0, fmt.Errorf("the brokers allow a session timeout of %s at most (group.max.session.timeout.ms), and workers need %s",
			session, SessionLeast)
	}
	return session, nil
}

var errUnset = errors.New("not set")

// brokerSetting reads a time in milliseconds from the settings of any broker.
func brokerSetting(ctx context.Context, cl *kgo.Client, key string) (time.Duration, error) {
	brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err != nil || len(brokers) == 0 {
		return 0, cmp.Or(err, errUnset)
	}
	return setting(ctx, cl, kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(brokers[0].NodeID)), key)
}

// setting reads a time in milliseconds from the settings of a group or a broker. It is errUnset when they have none of that name.
func setting(ctx context.Context, cl *kgo.Client, kind kmsg.ConfigResourceType, name, key string) (time.Duration, error) {
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
				millis, err := strconv.Atoi(*c.Value)
				return time.Duration(millis) * time.Millisecond, err
			}
		}
	}
	return 0, errUnset
}
