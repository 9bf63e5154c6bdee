package kafkatest

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Clocks say how far ahead of the true time the clocks of the brokers are that lead the partitions of a topic, or behind if
// negative. The empty name is for all other topics.
type Clocks map[string]time.Duration

// SetClocks sets the clocks of brokers. The broker is in memory. Each record has the time of its appending by its broker.
func (k *Kafka) SetClocks(ahead Clocks) {
	c := &clocks{byName: ahead, byID: map[[16]byte]time.Duration{}}
	for topic, d := range ahead {
		if topic != "" {
			c.byID[k.Cluster.TopicInfo(topic).TopicID] = d
		}
	}
	if k.clocks.Swap(c) != nil {
		return
	}
	k.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		for _, t := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				shift(p.Records, k.clocks.Load().of(t).Milliseconds())
			}
		}
		return nil, nil, false
	})
}

// clocks finds topics by ID, too: newer requests name no others.
type clocks struct {
	byName Clocks
	byID   map[[16]byte]time.Duration
}

func (c *clocks) of(t kmsg.ProduceRequestTopic) time.Duration {
	if d, ok := c.byID[t.TopicID]; ok {
		return d
	}
	if d, ok := c.byName[t.Topic]; ok {
		return d
	}
	return c.byName[""]
}

// shift moves the times of a record batch of format 2, and signs it again.
func shift(batch []byte, millis int64) {
	const crc, attributes, first, most = 17, 21, 27, 35
	for _, at := range []int{first, most} {
		binary.BigEndian.PutUint64(batch[at:], uint64(int64(binary.BigEndian.Uint64(batch[at:]))+millis))
	}
	binary.BigEndian.PutUint32(batch[crc:], crc32.Checksum(batch[attributes:], crc32.MakeTable(crc32.Castagnoli)))
}
