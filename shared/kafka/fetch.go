package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// How a stretch is fetched: in answers that are large enough for their round trip not to count, and that a worker which
// takes a dozen partitions at once can hold.
const (
	stretchBytes = 1 << 20
	stretchWait  = 500 * time.Millisecond
)

// How long a leader is believed to be one, and how much of a batch is believed at all.
const (
	leaderAge  = time.Minute
	unpackable = 64 << 20 // what a batch may be unpacked to
)

// part is a partition that is read with plain fetch requests, without the machinery of a consumer.
type part struct {
	cl        *kgo.Client
	topic     string
	partition int32
	bytes     int32         // after how much an answer ends
	wait      time.Duration // for the first record, at the end of the log
	id        [16]byte      // of the topic, once the leader is known
}

// start asks where the log begins. It waits for brokers that are away.
func (p *part) start(ctx context.Context) (int64, error) {
	var start int64
	err := p.patiently(ctx, func(bool) error {
		place := Partition{p.topic, p.partition}
		o := Starts(ctx, p.cl, place)[place]
		start = o.At
		return o.Err
	})
	return start, err
}

// fetch asks the leader for what stands at an offset and behind it. It waits for brokers that are away, or are choosing a leader.
func (p *part) fetch(ctx context.Context, offset int64) (fetched *kmsg.FetchResponseTopicPartition, err error) {
	if offset < 0 {
		return nil, kerr.OffsetOutOfRange
	}
	err = p.patiently(ctx, func(anew bool) error {
		age := leaderAge
		if anew {
			age = 0 // no older than the client allows
		}
		fetched, err = p.ask(ctx, offset, age)
		return err
	})
	return fetched, err
}

// patiently tries until it is answered, and says from the second time on that what was known may be wrong.
func (p *part) patiently(ctx context.Context, try func(anew bool) error) error {
	var b Backoff
	for anew := false; ; anew = true {
		err := try(anew)
		if err == nil || Classify(err) != Away || !b.Pause(ctx, err, func(error) {}) {
			return err
		}
	}
}

// failed says which read ended, and why ctx did.
func (p *part) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("reading %s/%d: %w", p.topic, p.partition, err)
}

// ask asks once the broker that was the leader a while ago.
func (p *part) ask(ctx context.Context, offset int64, age time.Duration) (*kmsg.FetchResponseTopicPartition, error) {
	leader, id, err := p.leader(ctx, age)
	if err != nil {
		return nil, err
	}
	p.id = id
	place := kmsg.NewFetchRequestTopicPartition()
	place.Partition, place.FetchOffset, place.PartitionMaxBytes = p.partition, offset, p.bytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = p.topic, id, []kmsg.FetchRequestTopicPartition{place}
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxWaitMillis = 1, int32(p.wait.Milliseconds())
	req.IsolationLevel = readCommitted
	req.Topics = []kmsg.FetchRequestTopic{topic}
	answer, err := p.cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return &kmsg.FetchResponseTopicPartition{Partition: p.partition}, nil // nothing new
	}
	fetched := &resp.Topics[0].Partitions[0] // the one that was asked for
	err = kerr.ErrorForCode(fetched.ErrorCode)
	if errors.Is(err, kerr.CorruptMessage) { // of a fetch it does not pass
		err = p.unreadable(head{from: offset, to: offset + 1}, err)
	}
	return fetched, err
}

// leader returns the broker to ask, and the topic's ID, by which newer brokers go. The client remembers both.
func (p *part) leader(ctx context.Context, age time.Duration) (int32, [16]byte, error) {
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &p.topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{topic}
	resp, err := p.cl.RequestCachedMetadata(ctx, req, age)
	if err != nil {
		return 0, [16]byte{}, err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return 0, [16]byte{}, err
		}
		i := slices.IndexFunc(t.Partitions, func(m kmsg.MetadataResponseTopicPartition) bool { return m.Partition == p.partition })
		if i >= 0 {
			return t.Partitions[i].Leader, t.TopicID, kerr.ErrorForCode(t.Partitions[i].ErrorCode)
		}
	}
	return 0, [16]byte{}, kerr.UnknownTopicOrPartition
}
