package kafka

import (
	"cmp"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

	ids map[string]kadm.TopicID // of all topics
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
		err := create(ctx, cl, spec, place(brokers, partitions, max(1, replication)), replication)
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

const minInsync = "min.insync.replicas"

func create(ctx context.Context, cl *kgo.Client, spec topic.Spec, placed kmsg.CreateTopicsRequestTopic, replication int) error {
	config := maps.Clone(spec.Config)
	if config == nil {
		config = map[string]string{}
	}
	// With acks=all a record is then on two brokers before it counts, and one of three may be away. The brokers' own
	// default may be more than there are replicas.
	insync := "1"
	if replication >= 3 {
		insync = "2"
	}
	config[minInsync] = insync
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

// place puts a partition number of all topics on the same brokers, with the same leader: who loses brokers loses whole
// partition numbers, where an order needs all topics of its number, and nothing of the others. Where brokers stand in several
// racks it is left to Kafka, which spreads copies over them.
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

// racks counts the racks that brokers stand in.
func racks(brokers kadm.BrokerDetails) int {
	names := map[string]bool{}
	for _, b := range brokers {
		if b.Rack != nil {
			names[*b.Rack] = true
		}
	}
	return len(names)
}

// settleTimeout bounds the time until every broker knows new topics. It is milliseconds, and seconds on a busy machine.
const settleTimeout = 30 * time.Second

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

// partitionsHeader says, in a record of the topic orders, among how many partitions its partition was chosen. With more partitions the
// same key belongs elsewhere, and a record that was appended before stays where it is.
const partitionsHeader = "partitions"

// Place sends a record of the topic orders where its key belongs, and notes among how many partitions that is.
func (l Layout) Place(r *kgo.Record) {
	r.Partition = l.Partition(r.Key)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: partitionsHeader, Value: []byte(strconv.Itoa(l.Partitions))})
}

// Home is where a record of the topic orders with this key and these headers belongs: as Place noted it, or by today's number of
// partitions if nothing was noted.
func (l Layout) Home(key []byte, headers []kgo.RecordHeader) int32 {
	for _, h := range headers {
		if n, err := strconv.Atoi(string(h.Value)); h.Key == partitionsHeader && err == nil && n > 0 && n < l.Partitions {
			l.Partitions = n
		}
	}
	return l.Partition(key)
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
	ids := map[string]kadm.TopicID{}
	for _, spec := range specs {
		faults = append(faults, compare(spec, found[spec.Name], orders, configs)...)
		ids[spec.Name] = found[spec.Name].ID
	}
	if len(faults) > 0 {
		return Layout{}, fmt.Errorf("%w:\n  %s", ErrTopics, strings.Join(faults, "\n  "))
	}
	return Layout{Partitions: len(orders.Partitions), Incarnation: incarnation(orders.ID), ids: ids}, nil
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
	if spec.Name == orders.Topic && orders.ID == (kadm.TopicID{}) {
		faults = append(faults, fault("has no topic ID, which makes invoice numbers unique: "+
			"Kafka 2.8 or later is needed, on all brokers and as inter.broker.protocol.version"))
	}
	if n := len(orders.Partitions); n > 0 && len(t.Partitions) != n {
		faults = append(faults, fault("%d partitions, but %s has %d", len(t.Partitions), orders.Topic, n))
	}
	have := map[string]string{}
	for _, c := range described.Configs {
		have[c.Key] = c.MaybeValue()
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
		value, reported := have[name]
		if !reported && name == uncleanElection {
			continue // a broker that does not know the setting does not do it
		}
		if must := spec.Fault(name, value); must != "" {
			faults = append(faults, fault("%s is %q, %s", name, value, must))
		}
	}
	if must := insyncFault(have[minInsync], replicas(t)); must != "" && replicas(t) > 0 {
		faults = append(faults, fault("%s is %q, %s", minInsync, have[minInsync], must))
	}
	return faults
}

const uncleanElection = "unclean.leader.election.enable"

// replicas is how many copies there are of the partition that has the fewest. One without a leader may not have any, as far as a
// broker can tell.
func replicas(t kadm.TopicDetail) int {
	fewest := 0
	for _, p := range t.Partitions {
		if n := len(p.Replicas); n > 0 && (fewest == 0 || n < fewest) {
			fewest = n
		}
	}
	return fewest
}

// insyncFault says what min.insync.replicas must be when acknowledged records could be lost with one broker, or when
// nothing could be written without it.
func insyncFault(value string, replicas int) string {
	least, most := 1, replicas
	if replicas >= 3 {
		least, most = 2, replicas-1
	}
	n, err := strconv.Atoi(value)
	switch {
	case err == nil && n >= least && n <= most:
		return ""
	case least == most:
		return fmt.Sprintf("must be \"%d\" with %d replicas", least, replicas)
	}
	return fmt.Sprintf("must be from \"%d\" to \"%d\" with %d replicas", least, most, replicas)
}

// incarnation is the start of a topic's ID in Crockford's base 32, which has no letters that are mistaken for digits: 30 of its random bits.
func incarnation(id kadm.TopicID) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(id[:])[:6]
}
