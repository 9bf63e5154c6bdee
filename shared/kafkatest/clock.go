package kafkatest

import (
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Clocks is by how much the clocks of the brokers that lead the partitions of a topic are ahead of the
// true time, or behind if negative. The empty name is for all other topics.
type Clocks map[string]time.Duration

// SetClocks sets the clocks of the brokers. It needs kfake. Each record then has the time at which its
// broker appended it.
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

// clocks has topics by ID, too: newer requests have no names.
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

// shift adds to the times of a record batch of format 2, and sets its checksum.
func shift(batch []byte, millis int64) {
	const first, most = 27, 35
	for _, at := range []int{first, most} {
		binary.BigEndian.PutUint64(batch[at:], uint64(int64(binary.BigEndian.Uint64(batch[at:]))+millis))
	}
	Sum(batch)
}
