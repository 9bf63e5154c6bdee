package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Ranges are fetched in answers that are large compared with the cost of a round trip, and small
// enough for a worker that restores a dozen partitions at once.
const (
	stretchBytes = 1 << 20
	stretchWait  = 500 * time.Millisecond
)

// leaderAge is how old the cached leader of a partition may be.
const leaderAge = time.Minute

// part is a partition that is read with plain fetch requests, without a consumer.
type part struct {
	cl        *kgo.Client
	topic     string
	partition int32
	bytes     int32         // the size after which an answer ends
	wait      time.Duration // for the first record, at the end of the log
	id        [16]byte      // of the topic, once the leader is known
}

// start returns the offset at which the log starts. It waits while Kafka is away.
func (p *part) start(ctx context.Context) (start int64, err error) {
	err = retry(ctx, func() error {
		at := Partition{p.topic, p.partition}
		o := Starts(ctx, p.cl, at)[at]
		start = o.At
		return o.Err
	}, silent, isAway)
	return start, err
}

// fetch asks the leader for the records from an offset on. It waits while Kafka is away.
func (p *part) fetch(ctx context.Context, offset int64) (fetched *kmsg.FetchResponseTopicPartition, err error) {
	if offset < 0 {
		return nil, kerr.OffsetOutOfRange
	}
	age := leaderAge
	err = retry(ctx, func() error {
		fetched, err = p.ask(ctx, offset, age)
		age = 0 // after a failure the cached leader may be wrong
		return err
	}, silent, isAway)
	return fetched, err
}

// failed adds to an error which read failed, and why ctx ended if it has.
func (p *part) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("reading %s/%d: %w", p.topic, p.partition, err)
}

// ask sends one fetch request to the leader, which may be cached for age.
func (p *part) ask(ctx context.Context, offset int64, age time.Duration) (*kmsg.FetchResponseTopicPartition, error) {
	leader, err := p.leader(ctx, age)
	if err != nil {
		return nil, err
	}
	answer, err := p.cl.Broker(int(leader)).Request(ctx, p.request(offset))
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
	fetched := &resp.Topics[0].Partitions[0] // the only one
	err = kerr.ErrorForCode(fetched.ErrorCode)
	if errors.Is(err, kerr.CorruptMessage) { // in an answer to a fetch it does not pass
		err = p.unreadable(head{from: offset, to: offset + 1}, err)
	}
	return fetched, err
}

func (p *part) request(offset int64) *kmsg.FetchRequest {
	of := kmsg.NewFetchRequestTopicPartition()
	of.Partition, of.FetchOffset, of.PartitionMaxBytes = p.partition, offset, p.bytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = p.topic, p.id, []kmsg.FetchRequestTopicPartition{of}
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxWaitMillis = 1, int32(p.wait.Milliseconds())
	req.IsolationLevel = readCommitted
	req.Topics = []kmsg.FetchRequestTopic{topic}
	return req
}

// leader returns the broker to ask, and sets the topic's ID, which newer brokers need. The client
// caches both.
func (p *part) leader(ctx context.Context, age time.Duration) (int32, error) {
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &p.topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{topic}
	resp, err := p.cl.RequestCachedMetadata(ctx, req, age)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return 0, err
		}
		i := slices.IndexFunc(t.Partitions, func(m kmsg.MetadataResponseTopicPartition) bool { return m.Partition == p.partition })
		if i >= 0 {
			p.id = t.TopicID
			return t.Partitions[i].Leader, kerr.ErrorForCode(t.Partitions[i].ErrorCode)
		}
	}
	return 0, kerr.UnknownTopicOrPartition
}

// unreadable is the error for a batch.
func (p *part) unreadable(h head, err error) error {
	if _, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		// The client's text is for programmers.
		err = fmt.Errorf("its %d bytes unpack to more than %d MiB: %w", len(h.bytes), unpackable>>20, kgo.ErrMaxDecompress)
	}
	return &UnreadableError{
		Topic: p.topic, Partition: p.partition, From: h.from, To: h.to, Batch: bytes.Clone(h.bytes), Err: err, topicID: p.id,
	}
}
