package kafka

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/topic"
)

// Layout is what Check found out about the topics of a prefix.
type Layout struct {
	Partitions  int
	Incarnation string // six characters of the ID of the topic orders: made anew, it has another
}

// Create makes the topics of a prefix that are missing and returns their names. Those that exist are left as they are: Check compares them.
// A replication of zero is 3 where there are three brokers, else 1.
func Create(ctx context.Context, cl *kgo.Client, set topic.Set, partitions, replication int) ([]string, error) {
	adm := kadm.NewClient(cl)
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing brokers: %w", err)
	}
	if replication == 0 && len(brokers) >= 3 {
		replication = 3
	}
	var made []string
	for _, spec := range set.Specs() {
		config := make(map[string]*string, len(spec.Config)+1)
		for name, value := range spec.Config {
			config[name] = &value
		}
		if replication >= 3 {
			// With acks=all a record is then on two brokers before it counts.
			two := "2"
			config["min.insync.replicas"] = &two
		}
		_, err := adm.CreateTopic(ctx, int32(partitions), int16(max(1, replication)), config, spec.Name)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		if err != nil {
			return made, fmt.Errorf("creating topic %q: %w", spec.Name, err)
		}
		made = append(made, spec.Name)
	}
	return made, nil
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
	found, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return Layout{}, fmt.Errorf("listing topics: %w", err)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return Layout{}, fmt.Errorf("describing topics: %w", err)
	}
	var faults []string
	orders := found[set.Orders]
	for _, spec := range specs {
		t := found[spec.Name]
		switch {
		case t.Err != nil || len(t.Partitions) == 0:
			faults = append(faults, fmt.Sprintf("%s: missing (create it with: ordersctl topics create)", spec.Name))
			continue
		case len(t.Partitions) != len(orders.Partitions):
			faults = append(faults, fmt.Sprintf("%s: %d partitions, but %s has %d", spec.Name, len(t.Partitions), set.Orders, len(orders.Partitions)))
		}
		faults = append(faults, compare(spec, configs)...)
	}
	if len(faults) > 0 {
		return Layout{}, fmt.Errorf("%w:\n  %s", ErrTopics, strings.Join(faults, "\n  "))
	}
	return Layout{Partitions: len(orders.Partitions), Incarnation: incarnation(orders.ID)}, nil
}

func compare(spec topic.Spec, configs kadm.ResourceConfigs) []string {
	described, err := configs.On(spec.Name, nil)
	if err != nil || described.Err != nil {
		return []string{fmt.Sprintf("%s: settings unknown: %v", spec.Name, errors.Join(err, described.Err))}
	}
	have := map[string]string{}
	for _, c := range described.Configs {
		have[c.Key] = c.MaybeValue()
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
		if want := spec.Config[name]; have[name] != want {
			faults = append(faults, fmt.Sprintf("%s: %s is %q, must be %q", spec.Name, name, have[name], want))
		}
	}
	return faults
}

// incarnation is the start of a topic's ID in Crockford's base 32, which has no letters that are mistaken for digits: 30 of its random bits.
func incarnation(id kadm.TopicID) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(id[:])[:6]
}
