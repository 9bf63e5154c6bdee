package kafka

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition names a partition of a topic.
type Partition struct {
	Topic  string
	Number int32
}

// Offset is the answer to a question about one partition. With an Err the rest means nothing.
type Offset struct {
	At    int64
	Epoch int32 // leader epoch of the answer; negative if the broker does not know it
	Err   error
}

// Offsets are answers by partition: one for each partition that was asked about. A partition without a leader, or whose
// leader does not answer within DeliveryTimeout, has an error of its own and holds up none of the others.
type Offsets map[Partition]Offset

// Starts asks where partitions begin.
func Starts(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -2, readCommitted, of)
}

// Ends asks for the last stable offsets of partitions: what stands from there on is not there yet, or belongs to a transaction that is open.
func Ends(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -1, readCommitted, of)
}

// HighWatermarks asks where partitions end, with the records of open transactions. To read that far is to wait for the ends
// of these transactions: it is for those who must not miss what they have appended behind one.
func HighWatermarks(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -1, 0, of)
}

// list asks for offsets by time; -1 and -2 are the protocol's words for end and start.
func list(ctx context.Context, cl *kgo.Client, millis int64, isolation int8, of []Partition) Offsets {
	return byLeader(ctx, cl, of, func(ctx context.Context, leader *kgo.Broker, of []Partition) (Offsets, error) {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = -1, isolation
		for name, numbers := range byTopic(of) {
			topic := kmsg.NewListOffsetsRequestTopic()
			topic.Topic = name
			for _, number := range numbers {
				place := kmsg.NewListOffsetsRequestTopicPartition()
				place.Partition, place.Timestamp = number, millis
				topic.Partitions = append(topic.Partitions, place)
			}
			req.Topics = append(req.Topics, topic)
		}
		answer, err := leader.Request(ctx, req)
		if err != nil {
			return nil, err
		}
		found := Offsets{}
		for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				found[Partition{t.Topic, p.Partition}] = Offset{p.Offset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}
			}
		}
		return found, nil
	})
}

// EpochEnds asks where the records end that leaders of an epoch, or of an earlier one, have written. An offset that was
// read in that epoch and stands above its end is that of another record now. It is negative if the broker has never heard of the epoch.
func EpochEnds(ctx context.Context, cl *kgo.Client, epochs map[Partition]int32) Offsets {
	var of []Partition
	for p := range epochs {
		of = append(of, p)
	}
	return byLeader(ctx, cl, of, func(ctx context.Context, leader *kgo.Broker, of []Partition) (Offsets, error) {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.ReplicaID = -1
		for name, numbers := range byTopic(of) {
			topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
			topic.Topic = name
			for _, number := range numbers {
				place := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				place.Partition, place.CurrentLeaderEpoch, place.LeaderEpoch = number, -1, epochs[Partition{name, number}]
				topic.Partitions = append(topic.Partitions, place)
			}
			req.Topics = append(req.Topics, topic)
		}
		answer, err := leader.Request(ctx, req)
		if err != nil {
			return nil, err
		}
		found := Offsets{}
		for _, t := range answer.(*kmsg.OffsetForLeaderEpochResponse).Topics {
			for _, p := range t.Partitions {
				found[Partition{t.Topic, p.Partition}] = Offset{p.EndOffset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}
			}
		}
		return found, nil
	})
}

// Commit is an offset that a group has committed for a partition, and what its committer wrote beside it.
type Commit struct {
	Offset
	Metadata string
}

// Commits asks what a group has committed for partitions. At is negative where it has committed nothing.
func Commits(ctx context.Context, cl *kgo.Client, group string, of ...Partition) (map[Partition]Commit, error) {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	req := kmsg.NewPtrOffsetFetchRequest()
	asked := kmsg.NewOffsetFetchRequestGroup()
	asked.Group = group
	for name, numbers := range byTopic(of) {
		topic := kmsg.NewOffsetFetchRequestGroupTopic()
		topic.Topic, topic.Partitions = name, numbers
		asked.Topics = append(asked.Topics, topic)
	}
	req.Groups = append(req.Groups, asked)
	answer, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	found := map[Partition]Commit{}
	for _, p := range of {
		found[p] = Commit{Offset: Offset{At: -1, Epoch: -1}}
	}
	for _, g := range answer.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				c := Commit{Offset: Offset{p.Offset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}}
				if p.Metadata != nil {
					c.Metadata = *p.Metadata
				}
				found[Partition{t.Topic, p.Partition}] = c
			}
		}
	}
	return found, nil
}

// byLeader asks the leaders of partitions side by side, each for all that it leads.
func byLeader(
	ctx context.Context, cl *kgo.Client, of []Partition, ask func(context.Context, *kgo.Broker, []Partition) (Offsets, error),
) Offsets {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	led, found := leaders(ctx, cl, of)
	var mu sync.Mutex // of found
	var all sync.WaitGroup
	for leader, of := range led {
		all.Go(func() {
			answer, err := ask(ctx, cl.Broker(int(leader)), of)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range of {
				o, ok := answer[p]
				if err == nil && !ok {
					o.Err = kerr.UnknownTopicOrPartition
				}
				o.Err = cmp.Or(err, o.Err)
				found[p] = o
			}
		})
	}
	all.Wait()
	return found
}

// leaders sorts partitions by the broker that leads them. What has no leader is found already: it has an error.
func leaders(ctx context.Context, cl *kgo.Client, of []Partition) (led map[int32][]Partition, found Offsets) {
	led, found = map[int32][]Partition{}, Offsets{}
	req := kmsg.NewPtrMetadataRequest()
	for name := range byTopic(of) {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
	}
	if len(of) == 0 {
		return led, found
	}
	answer, err := cl.RequestCachedMetadata(ctx, req, 0) // no older than the client allows
	for _, p := range of {
		found[p] = Offset{Err: cmp.Or(err, error(kerr.UnknownTopicOrPartition))}
	}
	if err != nil {
		return led, found
	}
	for _, t := range answer.Topics {
		for _, m := range t.Partitions {
			p := Partition{*t.Topic, m.Partition}
			if _, asked := found[p]; !asked {
				continue
			}
			err := kerr.ErrorForCode(m.ErrorCode)
			if err == nil && m.Leader < 0 {
				err = kerr.LeaderNotAvailable
			}
			if found[p] = (Offset{Err: err}); err == nil {
				led[m.Leader] = append(led[m.Leader], p)
			}
		}
	}
	return led, found
}

func byTopic(of []Partition) map[string][]int32 {
	topics := map[string][]int32{}
	for _, p := range of {
		topics[p.Topic] = append(topics[p.Topic], p.Number)
	}
	return topics
}
