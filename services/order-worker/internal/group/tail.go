package group

import "github.com/twmb/franz-go/pkg/kgo"

// offerSide hands over what the second client fetched.
func (c *Member) offerSide(topic string, number int32, records []*kgo.Record) {
	if topic == c.cfg.Topics.Status {
		defer c.lanes.observed(number, records[len(records)-1])
		records = c.observe(number, records)
	}
	c.lanes.offer(topic, number, records)
}
