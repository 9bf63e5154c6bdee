package kafka

import (
	"cmp"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/topic"
)

// Layout is what Check found out about the topics of a prefix.
type Layout struct {
	Partitions  int
	Incarnation string // six characters of the ID of the topic orders: made anew, it has another
}

// Create makes the topics of a prefix that are missing and returns their names when every broker knows them. Those that
// exist are left as they are: Check compares them. A replication of zero is 3 where there are three brokers, else 1.
func Create(ctx context.Context, cl *kgo.Client, set topic.Set, partitions, replication int) ([]string, error) {
	adm := kadm.NewClient(cl)
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing brokers: %w", err)
	}
	if replication == 0 && len(brokers) >= 3 {
		replication = 3
	}
	var made, names []string
	for _, spec := range set.Specs() {
		names = append(names, spec.Name)
		err := create(ctx, adm, spec, partitions, max(1, replication))
		if errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		if err != nil {
			return made, fmt.Errorf("creating topic %q: %w", spec.Name, err)
		}
		made = append(made, spec.Name)
	}
	return made, settle(ctx, cl, brokers, names)
}

func create(ctx context.Context, adm *kadm.Client, spec topic.Spec, partitions, replication int) error {
	config := make(map[string]*string, len(spec.Config)+1)
	for name, value := range spec.Config {
		config[name] = &value
	}
	if replication >= 3 {
		// With acks=all a record is then on two brokers before it counts.
		two := "2"
		config["min.insync.replicas"] = &two
	}
	answer, err := adm.CreateTopic(ctx, int32(partitions), int16(replication), config, spec.Name)
	if err != nil && answer.ErrMessage != "" {
		return fmt.Errorf("%w: %s", err, answer.ErrMessage)
	}
	return err
}

// settleTimeout bounds how long new topics may take to be known everywhere: milliseconds, as a rule.
const settleTimeout = 10 * time.Second

// settle waits until every broker knows the topics. The controller makes them before the brokers have heard of it, and
// whoever asks one of them then is told that there are none.
func settle(ctx context.Context, cl *kgo.Client, brokers kadm.BrokerDetails, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	ask := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		ask.Topics = append(ask.Topics, t)
	}
	unknown := func(t kmsg.MetadataResponseTopic) bool { return t.ErrorCode != 0 }
	for i := 0; i < len(brokers); {
		answer, err := ask.RequestWith(ctx, cl.Broker(int(brokers[i].NodeID)))
		if err == nil && !slices.ContainsFunc(answer.Topics, unknown) {
			i++
			continue
		}
		if err == nil && !pause(ctx, 20*time.Millisecond) {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("waiting for topics %v: %w", topics, err)
		}
	}
	return nil
}

// Partition is where the topic orders has the records of a key: the client's default, by which the API appends. All records of
// an order stand there, so its ID is unique over all partitions if it is unique in one.
func (l Layout) Partition(key []byte) int32 {
	keyed := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return int32(keyed.Partition(&kgo.Record{Key: key}, l.Partitions))
}

// ErrTopics is what Check returns when a topic is missing or not as it must be. Its text has a line for each fault.
var ErrTopics = errors.New("topics are not as they must be")

// Check compares the topics of a prefix with the table and returns their layout.
func Check(ctx context.Context, cl *kgo.Client, set topic.Set) (Layout, error) {
	adm := kadm.NewClient(cl)
	specs := set.Specs()
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	// Asked for what the client is allowed to do, kadm asks the broker, and not a cache from before a topic was created.
	found, err := adm.ListTopics(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		return Layout{}, fmt.Errorf("listing topics: %w", err)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return Layout{}, fmt.Errorf("describing topics: %w", err)
	}
	orders := found[set.Orders]
	var faults []string
	for _, spec := range specs {
		faults = append(faults, compare(spec, found[spec.Name], orders, configs)...)
	}
	if len(faults) > 0 {
		return Layout{}, fmt.Errorf("%w:\n  %s", ErrTopics, strings.Join(faults, "\n  "))
	}
	return Layout{Partitions: len(orders.Partitions), Incarnation: incarnation(orders.ID)}, nil
}

// compare says what is wrong with one topic.
func compare(spec topic.Spec, t, orders kadm.TopicDetail, configs kadm.ResourceConfigs) []string {
	fault := func(format string, args ...any) string { return spec.Name + ": " + fmt.Sprintf(format, args...) }
	if len(t.Partitions) == 0 && (t.Err == nil || errors.Is(t.Err, kerr.UnknownTopicOrPartition)) {
		return []string{fault("missing (create it with: ordersctl topics create)")}
	}
	described, err := configs.On(spec.Name, nil)
	if err := cmp.Or(t.Err, err, described.Err); err != nil {
		return []string{fault("%v", err)}
	}
	var faults []string
	if n := len(orders.Partitions); n > 0 && len(t.Partitions) != n {
		faults = append(faults, fault("%d partitions, but %s has %d", len(t.Partitions), orders.Topic, n))
	}
	have := map[string]string{}
	for _, c := range described.Configs {
		have[c.Key] = c.MaybeValue()
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
		if want := spec.Config[name]; have[name] != want {
			faults = append(faults, fault("%s is %q, must be %q", name, have[name], want))
		}
	}
	return faults
}

// incarnation is the start of a topic's ID in Crockford's base 32, which has no letters that are mistaken for digits: 30 of its random bits.
func incarnation(id kadm.TopicID) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(id[:])[:6]
}
