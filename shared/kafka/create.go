package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/topic"
)

// Create creates the missing topics of a prefix and returns their names when every broker knows
// them. It leaves existing topics as they are: Check compares them. A replication of zero means 3 if
// there are three brokers, else 1.
func Create(ctx context.Context, cl *kgo.Client, set topic.Set, partitions, replication int) ([]string, error) {
	brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing brokers: %w", err)
	}
	if replication == 0 && len(brokers) >= 3 {
		replication = 3
	}
	var created []string
	for _, spec := range set.Specs() {
		err := create(ctx, cl, spec, place(brokers, partitions, max(1, replication)), replication)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
			return created, &DeniedError{[]Grant{{"topic", spec.Name, []string{"Create"}}}, err}
		}
		if err != nil {
			return created, fmt.Errorf("creating topic %q: %w", spec.Name, err)
		}
		created = append(created, spec.Name)
	}
	return created, settle(ctx, cl, brokers, namesOf(set))
}

// Partitions returns how many partitions the topics of a prefix have: that for orders if it exists, else any
// other. It is zero if none exists.
func Partitions(ctx context.Context, cl *kgo.Client, set topic.Set) (int, error) {
	names := namesOf(set)
	found, err := listTopics(ctx, cl, names)
	if err != nil {
		return 0, fmt.Errorf("listing topics: %w", err)
	}
	n := len(found[set.Orders].Partitions)
	for _, name := range names {
		n = cmp.Or(n, len(found[name].Partitions))
	}
	return n, nil
}

func create(ctx context.Context, cl *kgo.Client, spec topic.Spec, placed kmsg.CreateTopicsRequestTopic, replication int) error {
	config := maps.Clone(spec.Config)
	if config == nil {
		config = map[string]string{}
	}
	// With acks=all and three replicas, a record is then on two brokers before it is acknowledged, and
	// one broker may be down. The default of the brokers may be more than there are replicas.
	config[minInsync] = "1"
	if replication >= 3 {
		config[minInsync] = "2"
	}
	placed.Topic = spec.Name
	for name, value := range config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		placed.Configs = append(placed.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, placed)
	answer, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range answer.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && t.ErrorMessage != nil {
			return fmt.Errorf("%w: %s", err, *t.ErrorMessage)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// place assigns a partition number of all topics to the same brokers, with the same leader. An order
// needs all topics of its partition number: losing brokers then affects whole partition numbers, and
// no others. With several racks the assignment is left to Kafka, which spreads replicas over them.
func place(brokers kadm.BrokerDetails, partitions, replication int) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	if partitions < 1 || replication > len(brokers) || racks(brokers) > 1 {
		t.NumPartitions, t.ReplicationFactor = int32(partitions), int16(replication)
		return t
	}
	t.NumPartitions, t.ReplicationFactor = -1, -1 // as assigned
	for number := range partitions {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition = int32(number)
		for i := range replication {
			a.Replicas = append(a.Replicas, brokers[(number+i)%len(brokers)].NodeID)
		}
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	return t
}

// racks returns the number of racks of the brokers.
func racks(brokers kadm.BrokerDetails) int {
	names := map[string]bool{}
	for _, b := range brokers {
		if b.Rack != nil {
			names[*b.Rack] = true
		}
	}
	return len(names)
}

// settleTimeout bounds how long brokers may take to learn of new topics: usually milliseconds.
const settleTimeout = 30 * time.Second

// settle waits until every broker knows the topics. The controller creates them before the brokers
// learn of it, and until then a broker answers that there is no such topic.
func settle(ctx context.Context, cl *kgo.Client, brokers kadm.BrokerDetails, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	for _, b := range brokers {
		err := retry(ctx, func() error {
			answer, err := req.RequestWith(ctx, cl.Broker(int(b.NodeID)))
			if err != nil {
				return err
			}
			for _, t := range answer.Topics {
				if t.ErrorCode == kerr.TopicAuthorizationFailed.Code {
					return &DeniedError{[]Grant{{"topic", *t.Topic, []string{"Describe"}}}, kerr.TopicAuthorizationFailed}
				}
				if t.ErrorCode != 0 { // not wrapped: a topic that is not there yet is no final error here
					return fmt.Errorf("broker %d does not know topic %q: %v", b.NodeID, *t.Topic, kerr.ErrorForCode(t.ErrorCode))
				}
			}
			return nil
		}, silent, isAway)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if err != nil {
			return fmt.Errorf("waiting for topics %v: %w", topics, err)
		}
	}
	return nil
}
