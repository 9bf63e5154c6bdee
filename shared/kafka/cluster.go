package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Brokers returns how many brokers are up, as the cluster knows it, and how many there are: those that are
// up or have a replica of the topics. A broker that is down and has none of them is not counted.
func Brokers(ctx context.Context, cl *kgo.Client, topics ...string) (up, all int, err error) {
	req := kmsg.NewPtrMetadataRequest() // not that of kadm, which can be answered from a cache
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
	}
	answer, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, 0, err
	}
	known := map[int32]bool{}
	for _, b := range answer.Brokers {
		known[b.NodeID] = true
	}
	up = len(known)
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			for _, id := range p.Replicas {
				known[id] = true
			}
		}
	}
	return up, len(known), nil
}

// Sizes returns the bytes that each topic has on the disks of the brokers, without copies: the sum of the
// largest replica of each partition. A topic is left out if no broker tells of one of its partitions,
// as without the permission Describe on the cluster. It waits until each broker has answered or ctx ends.
func Sizes(ctx context.Context, cl *kgo.Client, partitions int, topics ...string) map[string]int64 {
	var asked kadm.TopicsSet
	for _, name := range topics {
		for number := range partitions {
			asked.Add(name, int32(number))
		}
	}
	answers, _ := kadm.NewClient(cl).DescribeAllLogDirs(ctx, asked) // what is missing shows below
	largest := map[Partition]int64{}
	answers.Each(func(dir kadm.DescribedLogDir) {
		dir.Topics.Each(func(d kadm.DescribedLogDirPartition) {
			if p := (Partition{d.Topic, d.Partition}); !d.IsFuture {
				largest[p] = max(largest[p], d.Size)
			}
		})
	})
	sizes := map[string]int64{}
	for _, name := range topics {
		sum, known := int64(0), 0
		for number := range partitions {
			if size, ok := largest[Partition{name, int32(number)}]; ok {
				sum, known = sum+size, known+1
			}
		}
		if known == partitions {
			sizes[name] = sum
		}
	}
	return sizes
}

// Retention is how long Kafka keeps the records of a topic.
type Retention struct {
	Compacted bool          // it keeps the newest record of each key
	For       time.Duration // then it deletes records; negative: never by age
}

// Retentions returns those of topics. A topic is left out if Kafka does not describe it.
func Retentions(ctx context.Context, cl *kgo.Client, topics ...string) map[string]Retention {
	found := map[string]Retention{}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return found
	}
	for _, c := range configs {
		if c.Err == nil {
			found[c.Name] = retention(c)
		}
	}
	return found
}
