package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Backlog is the oldest order that is still to be begun. Its zero value is none.
type Backlog struct {
	Order  order.ID
	Placed time.Time
	Origin order.Origin // its partition and offset in orders
}

// backlog looks for the oldest order that is still to be begun, over all partitions that are worked on. It is called only
// while the view is current: one that is catching up may have read orders, and not their states.
//
// An accepted order is not in the backlog if no worker will come across it: its record is below the offset that the worker
// group has committed, or below the start of the log; or its partition is blocked, for the view or for the workers; or a
// dead letter says that the workers found no order there.
func (v *View) backlog(ctx context.Context) error {
	floors := v.floors(ctx)
	var oldest Backlog
	for partition, floor := range floors {
		b, err := v.oldestIn(ctx, partition, floor)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("asking the view for the oldest order: %w", err)
		}
		if !b.Placed.IsZero() && (oldest.Placed.IsZero() || b.Placed.Before(oldest.Placed)) {
			oldest = b
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.oldest = oldest
	return nil
}

// oldestIn is the oldest order of a partition, at or above an offset, that is accepted and has no dead letter.
func (v *View) oldestIn(ctx context.Context, partition int32, floor int64) (Backlog, error) {
	// The literal status is that of the index orders_accepted. What is older than the topic keeps it will not be begun.
	const query = "SELECT id, placed_at, origin FROM orders o WHERE status = 'accepted' AND partition = ? AND origin >= ? AND placed_at > ?" +
		" AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.id = o.partition || '-' || o.origin AND l.key IN ('', o.id))" +
		" ORDER BY placed_at LIMIT 1"
	b := Backlog{Origin: order.Origin{Incarnation: v.cfg.Incarnation, Partition: partition}}
	var placed int64
	kept := time.Now().Add(-topic.Retention).UnixMilli()
	err := v.read(func(db *sql.DB) error {
		return db.QueryRowContext(ctx, query, partition, floor, kept).Scan(&b.Order, &placed, &b.Origin.Offset)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Backlog{}, nil
	}
	b.Placed = time.UnixMilli(placed)
	return b, err
}

// floors are the offsets in orders from which on the workers go on, by partition, without the partitions that are blocked.
func (v *View) floors(ctx context.Context) map[int32]int64 {
	v.commits(ctx)
	apart := v.apart()
	v.mu.Lock()
	defer v.mu.Unlock()
	floors := map[int32]int64{}
	for s, start := range v.starts {
		if s.topic != v.cfg.Topics.Orders || slices.Contains(apart, s.partition) || v.held[s] != nil || v.held[source{v.cfg.Topics.Status, s.partition}] != nil {
			continue
		}
		done := v.group[s.partition]
		if slices.Contains(strings.Fields(done.Metadata), kafka.Blocked) {
			continue
		}
		floors[s.partition] = max(start, done.At)
	}
	return floors
}

// commits asks what the worker group has committed. While there is no answer the last one counts: offsets only rise.
func (v *View) commits(ctx context.Context) {
	if v.cfg.Group == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, kafka.DeliveryTimeout)
	defer cancel()
	found, err := kadm.NewClient(v.asks).FetchOffsetsForTopics(ctx, v.cfg.Group, v.cfg.Topics.Orders)
	if errors.Is(err, kerr.GroupIDNotFound) {
		found, err = nil, nil
	}
	if err != nil {
		if !v.silent { // once an outage
			v.cfg.Log.Warn("the commits of the worker group cannot be read: the age of the backlog may be too high", telemetry.Error, err)
		}
		v.silent = true
		return
	}
	v.silent = false
	v.mu.Lock()
	defer v.mu.Unlock()
	v.group = map[int32]kadm.Offset{}
	for partition, o := range found[v.cfg.Topics.Orders] {
		if o.Err == nil {
			v.group[partition] = o.Offset
		}
	}
}
