package sender

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/wire"
)

// Reading reads one dead-letter topic for a job. It is for one goroutine.
type Reading struct {
	s               *Sender
	topic, replayTo string
	ahead           *ahead // of the partition that was read last; or nil
}

// Close ends the reading. It can be used again: it begins where it is asked to.
func (g *Reading) Close() {
	if g.ahead != nil {
		g.ahead.close()
		g.ahead = nil
	}
}

// maxBytes bounds the records of a call, apart from the last one.
const maxBytes = 16 << 20

// Next returns an item for each of some dead letters, in their sequence. It stops when the records have
// 16 MiB: then the items are fewer, but at least one. Values has the values of those that were edited,
// by ID. It is fast when the dead letters are sorted by partition and offset, and follow those of the
// call before. It blocks while Kafka is away, until ctx ends; after an error it can be called again
// with the same.
func (g *Reading) Next(ctx context.Context, ids []string, values map[string][]byte) ([]Item, error) {
	items, bytes := make([]Item, 0, len(ids)), 0
	for _, id := range ids {
		item, err := g.item(ctx, id, values[id])
		if err != nil {
			g.Close()
			return nil, fmt.Errorf("dead letter %s: %w", id, err)
		}
		items = append(items, item)
		if item.Record != nil {
			bytes += kafka.Size(item.Record)
		}
		if bytes >= maxBytes {
			break
		}
	}
	return items, nil
}

// item makes the item of a dead letter, with a value unless that is nil.
func (g *Reading) item(ctx context.Context, id string, value []byte) (Item, error) {
	p, ok := foreign.ParseID(id)
	if !ok || p.Topic != g.topic {
		return Item{Skip: wire.SkipUnknown}, nil
	}
	dead, err := g.record(ctx, p)
	if err != nil {
		return Item{}, err
	}
	if dead == nil {
		return Item{Skip: wire.SkipLost}, nil
	}
	return g.s.item(ctx, dead, g.replayTo, value)
}

// maxSkip is how many records are read and dropped rather than jumped over.
const maxSkip = 10_000

// record returns the record at a place, or nil if there is none.
func (g *Reading) record(ctx context.Context, at foreign.Place) (*kgo.Record, error) {
	a := g.ahead
	if a == nil || a.partition != at.Partition || at.Offset < a.next || at.Offset > a.next+maxSkip || at.Offset >= a.to {
		g.Close()
		topic, err := g.s.find(ctx, read(g.topic))
		if err = cmp.Or(err, topic.err); err != nil || int(at.Partition) >= topic.Partitions {
			return nil, err
		}
		p := kafka.Partition{Topic: g.topic, Number: at.Partition}
		end := kafka.Ends(ctx, g.s.cl, p)[p]
		if end.Err != nil || at.Offset >= end.At {
			return nil, end.Err
		}
		g.ahead = begin(ctx, g.s.records, p, at.Offset, end.At)
	}
	return g.ahead.record(ctx, at.Offset)
}

// ahead reads a partition from an offset to where the log ended. It holds a few megabytes.
type ahead struct {
	partition int32
	to        int64
	end       func()             // ends the goroutine
	ended     sync.WaitGroup     // the goroutine
	runs      chan []*kgo.Record // closed at the end
	err       error              // once runs is closed

	run  []*kgo.Record // received and not returned yet
	next int64         // no record below it will come
}

// A run is sent when it has this many records, or this many bytes.
const (
	runRecords = 1000
	runBytes   = 1 << 20
	runs       = 3 // that wait
)

func begin(ctx context.Context, records kafka.Reader, p kafka.Partition, from, to int64) *ahead {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the call
	a := &ahead{partition: p.Number, to: to, end: cancel, runs: make(chan []*kgo.Record, runs), next: from}
	a.ended.Go(func() {
		defer close(a.runs)
		a.err = a.read(ctx, records, p, from, to)
	})
	return a
}

func (a *ahead) read(ctx context.Context, records kafka.Reader, p kafka.Partition, from, to int64) error {
	var run []*kgo.Record
	bytes := 0
	send := func() error {
		select {
		case a.runs <- run:
			run, bytes = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := records.Read(ctx, p.Topic, p.Number, from, to, func(r *kgo.Record) error {
		run, bytes = append(run, r), bytes+len(r.Key)+len(r.Value)
		if len(run) < runRecords && bytes < runBytes {
			return nil
		}
		return send()
	})
	if err == nil {
		err = send()
	}
	return err
}

// record returns the record at an offset, or nil if there is none. Those before it are dropped.
func (a *ahead) record(ctx context.Context, offset int64) (*kgo.Record, error) {
	for {
		for i, r := range a.run {
			if r.Offset >= offset {
				a.run, a.next = a.run[i:], offset
				if r.Offset > offset {
					return nil, nil
				}
				return r, nil
			}
		}
		select {
		case run, more := <-a.runs:
			if !more {
				a.run = nil
				return nil, a.err
			}
			a.run = run
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (a *ahead) close() {
	a.end()
	a.ended.Wait()
}
