package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// The classic group's times. A killed worker's partitions go to another one after sessionTimeout: the client's default of
// 45 s would leave them idle that long. A rebalance is heard of by the answer to a heartbeat, and goes on when every member
// has heard of it; until then the partitions that move stand still, twice.
const (
	sessionTimeout = 8 * time.Second
	heartbeat      = 500 * time.Millisecond
)

// longSession is how long partitions of a killed worker may stay idle before that is worth a warning.
const longSession = 12 * time.Second

// protocol is how the member takes part in its group.
func (c *Consumer) protocol() []kgo.Opt {
	if c.cfg.Protocol == brokered {
		// The sticky balancer stands for the brokers' own, which is called uniform.
		return []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}
	}
	return []kgo.Opt{
		kgo.Balancers(workers{kgo.CooperativeStickyBalancer()}), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(heartbeat),
	}
}

// workers shares the partitions out as the cooperative-sticky balancer does, under a name of its own: consumers of any other
// kind do not offer it, so the brokers refuse them in this group. They would be given partitions, and commit orders that
// no worker has seen.
type workers struct{ kgo.GroupBalancer }

// ProtocolName is called by kgo.
func (workers) ProtocolName() string { return "order-worker" }

// session is after how long of silence a member's partitions go to others.
func (c *Consumer) session(ctx context.Context, cl *kgo.Client) (time.Duration, error) {
	if c.cfg.Protocol != brokered {
		return sessionTimeout, nil
	}
	millis, err := setting(ctx, cl, kmsg.ConfigResourceTypeGroupConfig, c.cfg.Group, "consumer.session.timeout.ms")
	if errors.Is(err, errUnset) {
		millis, err = brokerSetting(ctx, cl, "group.consumer.session.timeout.ms")
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the session time-out of group %q: %w", c.cfg.Group, err)
	}
	session := time.Duration(millis) * time.Millisecond
	if session > longSession {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "partitions of a killed worker stay idle for the brokers' session time-out", slog.Duration(telemetry.Took, session))
	}
	return session, nil
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
