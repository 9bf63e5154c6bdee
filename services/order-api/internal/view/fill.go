package view

import (
	"context"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// Fill applies records that are in no topic, batch by batch, and then stores that nothing of the topics is
// applied: a view that is started on the store later keeps the rows, and reads the topics from their
// starts. It is for measurements of a large read model, instead of Run, on an empty store and empty topics.
//
// The records of each partition have the offsets 0, 1, 2 and so on. The next batch is made, and read, while
// one is written.
func (v *View) Fill(ctx context.Context, batches iter.Seq[[]*kgo.Record]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	none := func([]order.ID) map[order.ID]bool { return nil } // the store is empty
	next := make(chan polled)
	go func() { // ends with ctx
		defer close(next)
		for records := range batches {
			fetches := asPolled(records)
			select {
			case next <- polled{fetches, v.projection.entries(fetches, none)}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for p := range next {
		if err := v.try(ctx, func(ctx context.Context) error { return v.apply(ctx, p) }); err != nil {
			return err
		}
	}
	start := map[kafka.Partition]Position{}
	for _, p := range v.partitions {
		start[p] = Position{Epoch: -1, Claim: -1}
	}
	return v.cfg.Store.Apply(ctx, Batch{Positions: start})
}

// asPolled are records as a poll returns them.
func asPolled(records []*kgo.Record) kgo.Fetches {
	var topics []kgo.FetchTopic
	for _, r := range records {
		part := kgo.FetchPartition{Partition: r.Partition, Records: []*kgo.Record{r}}
		if n := len(topics); n > 0 && topics[n-1].Topic == r.Topic {
			topics[n-1].Partitions = append(topics[n-1].Partitions, part)
		} else {
			topics = append(topics, kgo.FetchTopic{Topic: r.Topic, Partitions: []kgo.FetchPartition{part}})
		}
	}
	return kgo.Fetches{{Topics: topics}}
}
