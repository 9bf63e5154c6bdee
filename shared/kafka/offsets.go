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

// Offset is the answer for one partition. With an Err the other fields have no meaning.
type Offset struct {
	At    int64
	Epoch int32 // leader epoch of the answer; negative if the broker does not know it
	Err   error
}

// Offsets has an answer for each partition that was asked about. A partition without a leader, or
// whose leader does not answer within DeliveryTimeout, has an error of its own and delays no other.
type Offsets map[Partition]Offset

// Starts returns the offsets at which partitions start.
func Starts(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -2, readCommitted, of)
}

// Ends returns the last stable offsets of partitions. Later records are not written yet, or belong
// to an open transaction.
func Ends(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -1, readCommitted, of)
}

// HighWatermarks returns the ends of partitions with the records of open transactions. A reader that
// must see its own last record reads up to there, and so waits for these transactions to end.
func HighWatermarks(ctx context.Context, cl *kgo.Client, of ...Partition) Offsets {
	return list(ctx, cl, -1, 0, of)
}

// list asks for offsets by time; -1 is the protocol's value for the end, -2 for the start.
func list(ctx context.Context, cl *kgo.Client, millis int64, isolation int8, of []Partition) Offsets {
	request := func(topics map[string][]int32) kmsg.Request {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = -1, isolation
		for name, numbers := range topics {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = name
			for _, number := range numbers {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp = number, millis
				t.Partitions = append(t.Partitions, p)
			}
			req.Topics = append(req.Topics, t)
		}
		return req
	}
	return byLeader(ctx, cl, of, request, func(answer kmsg.Response, found Offsets) {
		for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				found[Partition{t.Topic, p.Partition}] = Offset{p.Offset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}
			}
		}
	})
}

// EpochEnds returns the end of the records that were written by leaders of an epoch or an earlier
// one. An offset that was read in that epoch and is at or above its end now has another record. The
// end is negative if the broker does not know the epoch.
func EpochEnds(ctx context.Context, cl *kgo.Client, epochs map[Partition]int32) Offsets {
	var of []Partition
	for p := range epochs {
		of = append(of, p)
	}
	request := func(topics map[string][]int32) kmsg.Request {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.ReplicaID = -1
		for name, numbers := range topics {
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = name
			for _, number := range numbers {
				p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = number, -1, epochs[Partition{name, number}]
				t.Partitions = append(t.Partitions, p)
			}
			req.Topics = append(req.Topics, t)
		}
		return req
	}
	return byLeader(ctx, cl, of, request, func(answer kmsg.Response, found Offsets) {
		for _, t := range answer.(*kmsg.OffsetForLeaderEpochResponse).Topics {
			for _, p := range t.Partitions {
				found[Partition{t.Topic, p.Partition}] = Offset{p.EndOffset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}
			}
		}
	})
}

// byLeader sends a request to each leader, in parallel, for all of the partitions that it leads.
// Read adds the offsets of an answer to found.
func byLeader(
	ctx context.Context, cl *kgo.Client, of []Partition, request func(topics map[string][]int32) kmsg.Request, read func(_ kmsg.Response, found Offsets),
) Offsets {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	led, all := leaders(ctx, cl, of)
	var mu sync.Mutex // of all
	var asked sync.WaitGroup
	for leader, of := range led {
		asked.Go(func() {
			found := Offsets{}
			answer, err := cl.Broker(int(leader)).Request(ctx, request(byTopic(of)))
			if err == nil {
				read(answer, found)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, p := range of {
				o, ok := found[p]
				if err == nil && !ok {
					o.Err = kerr.UnknownTopicOrPartition
				}
				o.Err = cmp.Or(err, o.Err)
				all[p] = o
			}
		})
	}
	asked.Wait()
	return all
}

// leaders sorts partitions by the broker that leads them. A partition without a leader has an error
// in found.
func leaders(ctx context.Context, cl *kgo.Client, of []Partition) (led map[int32][]Partition, found Offsets) {
	led, found = map[int32][]Partition{}, Offsets{}
	if len(of) == 0 {
		return led, found
	}
	req := kmsg.NewPtrMetadataRequest()
	for name := range byTopic(of) {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
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

// Commit is an offset that a group has committed for a partition, with the metadata of the commit.
type Commit struct {
	Offset
	Metadata string
}

// Commits returns what a group has committed for partitions. At is negative without a commit.
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
				metadata := ""
				if p.Metadata != nil {
					metadata = *p.Metadata
				}
				found[Partition{t.Topic, p.Partition}] = Commit{Offset{p.Offset, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}, metadata}
			}
		}
	}
	return found, nil
}
