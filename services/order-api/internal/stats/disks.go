package stats

import (
	"context"
	"time"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/kafka"
)

// disksEvery is how often the brokers are asked: they read the directories of all their logs.
const disksEvery = time.Minute

// disksTimeout bounds how long their answers are waited for. No snapshot waits for them.
const disksTimeout = 30 * time.Second

// disks is what the brokers tell of topics, by name. What they do not tell is not known.
type disks struct {
	sizes      map[string]int64 // bytes
	retentions map[string]kafka.Retention
}

// describe asks the brokers until ctx ends.
func (s *Stats) describe(ctx context.Context) {
	read, others := topicNames(s.cfg.Topics)
	all := append(read, others...)
	tick := time.NewTicker(disksEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		asked, cancel := context.WithTimeout(ctx, disksTimeout)
		told := disks{kafka.Sizes(asked, s.cfg.Client, s.cfg.Partitions, all...), kafka.Retentions(asked, s.cfg.Client, all...)}
		cancel()
		s.mu.Lock()
		s.disks = told
		s.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// show adds what is known of the topics. The size of one that was empty when the brokers were asked, as just
// after its creation, is known only while it still is.
func (d *disks) show(s *system.Stats) {
	for i := range s.Topics {
		t := &s.Topics[i]
		empty := t.Records != nil && *t.Records == 0
		if size, ok := d.sizes[t.Name]; ok && (size > 0 || empty) {
			t.Bytes = &size
		}
		if r, ok := d.retentions[t.Name]; ok {
			t.Kept = &system.Kept{Compacted: r.Compacted, Seconds: max(0, int64(r.For.Seconds()))}
		}
	}
}
