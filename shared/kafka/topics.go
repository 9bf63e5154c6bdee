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
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/topic"
)

// Layout describes the topics of a prefix, as Check found them.
type Layout struct {
	Partitions  int    // of each topic
	Incarnation string // six characters of the ID of the topic orders: another if it is created again

	ids    map[string]kadm.TopicID // of all topics
	grants []Grant                 // that Watch looks at
}

// Partition returns the partition of the topic orders for a key, as the client's default partitioner
// chooses it. All records of an order are there, so an ID that is unique in one partition is unique
// in all.
func (l Layout) Partition(key []byte) int32 {
	if key == nil {
		key = []byte{} // for a record without a key, byKey draws a partition
	}
	return int32(byKey().Partition(&kgo.Record{Key: key}, l.Partitions))
}

// byKey is the client's default partitioner. It has no state for records with a key. Each one that is
// made seeds a random generator, which takes longer than to decode an order.
var byKey = sync.OnceValue(func() kgo.TopicPartitioner { return kgo.StickyKeyPartitioner(nil).ForTopic("") })

// partitionsHeader holds, in a record of the topic orders, the number of partitions among which its
// partition was chosen. With more partitions the same key belongs elsewhere, but earlier records stay
// where they are.
const partitionsHeader = "partitions"

// Place sets the partition of a record of the topic orders by its key, and adds the header that
// tells Home among how many partitions.
func (l Layout) Place(r *kgo.Record) {
	r.Partition = l.Partition(r.Key)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: partitionsHeader, Value: []byte(strconv.Itoa(l.Partitions))})
}

// Home returns the partition to which a record of the topic orders with this key and these headers
// belongs. Without the header of Place, the present number of
// partitions decides.
func (l Layout) Home(key []byte, headers []kgo.RecordHeader) int32 {
	for _, h := range headers {
		if n, err := strconv.Atoi(string(h.Value)); h.Key == partitionsHeader && err == nil && n > 0 && n < l.Partitions {
			l.Partitions = n
		}
	}
	return l.Partition(key)
}

// ErrTopics is returned by Check for topics that are missing or have wrong settings. Its text has a
// line for each fault.
var ErrTopics = errors.New("topics are not as they must be")

// Check compares the topics of a prefix with the table of package topic and returns their layout.
// First it checks that all grants are given, and returns a DeniedError otherwise; with no grants, it
// checks those that it needs itself.
func Check(ctx context.Context, cl *kgo.Client, set topic.Set, grants ...Grant) (Layout, error) {
	if grants == nil {
		grants = checked(set, nil)
	}
	names := namesOf(set)
	found, err := listTopics(ctx, cl, names)
	if err != nil {
		return Layout{}, fmt.Errorf("listing topics: %w", err)
	}
	if err := denied(ctx, cl, grants, found); err != nil {
		return Layout{}, err
	}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, names...)
	if Classify(err) == Denied { // ACLs changed just now; the error does not name them
		err = cmp.Or(authorize(ctx, cl, grants), err)
	}
	if err != nil {
		return Layout{}, fmt.Errorf("describing topics: %w", err)
	}
	orders := found[set.Orders]
	var faults []string
	ids := map[string]kadm.TopicID{}
	for _, spec := range set.Specs() {
		faults = append(faults, compare(set.Orders, spec, found, configs)...)
		ids[spec.Name] = found[spec.Name].ID
	}
	if len(faults) > 0 {
		return Layout{}, fmt.Errorf("%w:\n  %s", ErrTopics, strings.Join(faults, "\n  "))
	}
	return Layout{Partitions: len(orders.Partitions), Incarnation: incarnation(orders.ID), ids: ids, grants: grants}, nil
}

func namesOf(set topic.Set) (names []string) {
	for _, spec := range set.Specs() {
		names = append(names, spec.Name)
	}
	return names
}

// listTopics asks a broker for topics, and what is authorized for them. Without the option, kadm may
// answer from a cache. It has no answer if a single topic is denied; then each is asked for alone.
func listTopics(ctx context.Context, cl *kgo.Client, names []string) (kadm.TopicDetails, error) {
	ctx, admin := kadm.WithAuthorizedOps(ctx), kadm.NewClient(cl)
	found, err := admin.ListTopics(ctx, names...)
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		return found, err
	}
	if len(names) == 1 {
		return kadm.TopicDetails{names[0]: {Topic: names[0], Err: err}}, nil
	}
	found = kadm.TopicDetails{}
	for _, name := range names {
		one, err := listTopics(ctx, cl, []string{name})
		if err != nil {
			return nil, err
		}
		maps.Copy(found, one)
	}
	return found, nil
}

// compare returns the faults of one topic of a prefix, which is the name of the topic of orders, too.
func compare(prefix string, spec topic.Spec, found kadm.TopicDetails, configs kadm.ResourceConfigs) []string {
	t, orders := found[spec.Name], found[prefix]
	fault := func(format string, args ...any) string { return spec.Name + ": " + fmt.Sprintf(format, args...) }
	if len(t.Partitions) == 0 && (t.Err == nil || errors.Is(t.Err, kerr.UnknownTopicOrPartition)) {
		return []string{fault("missing (create it with: ordersctl topics create --prefix %s)", prefix)}
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
			continue // a broker without the setting does not elect like this
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

const (
	minInsync       = "min.insync.replicas"
	uncleanElection = "unclean.leader.election.enable"
)

// replicas returns the number of replicas of the partition that has the fewest. Partitions without
// replicas are left out: a broker can answer so for one without a leader.
func replicas(t kadm.TopicDetail) int {
	fewest := 0
	for _, p := range t.Partitions {
		if n := len(p.Replicas); n > 0 && (fewest == 0 || n < fewest) {
			fewest = n
		}
	}
	return fewest
}

// insyncFault returns what min.insync.replicas must be, or "": with three replicas or more, the loss of
// one broker must neither lose acknowledged records nor stop writes.
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

// incarnation returns the start of a topic's ID in Crockford's base 32, which avoids letters that look
// like digits: 30 random bits.
func incarnation(id kadm.TopicID) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(id[:])[:6]
}
