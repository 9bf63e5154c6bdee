package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Backlog is the oldest order that no worker has begun. The zero value is not known.
type Backlog struct {
	Known  bool // with a zero Placed there is none
	Order  order.ID
	Placed time.Time
	Origin order.Origin // its partition and offset in orders
}

// backlog is what was measured last. The zero value has measured nothing.
type backlog struct {
	commits map[int32]kadm.Offset // of the worker group in orders; owned by the goroutine of measure

	mu     sync.Mutex
	oldest Backlog
}

func (b *backlog) get() Backlog {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.oldest
}

func (b *backlog) set(oldest Backlog) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.oldest = oldest
}

// measureBacklog looks for the oldest order that no worker has begun, over all partitions that are
// worked on. It is called only while the view is current: one that is catching up may have read
// orders, and not their states.
//
// An accepted order does not count if no worker will read it: its record is below the offset that
// the worker group has committed, or below the start of the log; or its partition is blocked, for
// the view or for the workers; or a dead letter says that the workers found no order there. What is
// older than the topic's retention does not count either.
func (v *View) measureBacklog(ctx context.Context) error {
	v.readCommits(ctx)
	oldest := Backlog{Known: true}
	for partition, from := range v.unbegun() {
		var row *Row
		err := v.ask(func() (err error) {
			row, err = v.cfg.Store.Oldest(ctx, partition, from, time.Now().Add(-topic.Retention))
			return err
		})
		if err != nil {
			return fmt.Errorf("asking for the oldest order that is not begun: %w", err)
		}
		if row != nil && (oldest.Placed.IsZero() || row.PlacedAt.Before(oldest.Placed)) {
			at := order.Origin{Incarnation: v.cfg.Incarnation, Partition: partition, Offset: row.Offset}
			oldest = Backlog{true, row.ID, row.PlacedAt, at}
		}
	}
	v.backlog.set(oldest)
	return nil
}

// unbegun are the offsets in orders at which the workers continue, by partition, without the
// partitions that are blocked.
func (v *View) unbegun() map[int32]int64 {
	leaderless := v.freshness.leaderlessNumbers()
	found := map[int32]int64{}
	for partition, start := range v.freshness.logStarts(v.cfg.Topics.Orders) {
		committed := v.backlog.commits[partition]
		blocked := slices.Contains(strings.Fields(committed.Metadata), kafka.Blocked)
		if !blocked && !leaderless[partition] && v.blockedAt(partition) == nil {
			found[partition] = max(start, committed.At)
		}
	}
	return found
}

// readCommits asks what the worker group has committed. While there is no answer the last one
// counts: offsets only rise.
func (v *View) readCommits(ctx context.Context) {
	if v.cfg.Group == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	found, err := kadm.NewClient(v.direct).FetchOffsetsForTopics(ctx, v.cfg.Group, v.cfg.Topics.Orders)
	if errors.Is(err, kerr.GroupIDNotFound) {
		found, err = nil, nil
	}
	if err != nil {
		if !v.loop.silent { // once an outage
			v.cfg.Log.Warn("the commits of the worker group cannot be read: the age of the backlog may be too high",
				telemetry.Error, err)
		}
		v.loop.silent = true
		return
	}
	v.loop.silent = false
	v.backlog.commits = map[int32]kadm.Offset{}
	for partition, o := range found[v.cfg.Topics.Orders] {
		if o.Err == nil {
			v.backlog.commits[partition] = o.Offset
		}
	}
}
