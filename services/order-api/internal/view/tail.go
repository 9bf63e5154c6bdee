package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// batchSize is how many records one transaction takes at most: enough to rebuild fast, few enough that readers see progress.
const batchSize = 1_000

// tail applies what the topics bring until ctx is done.
func (v *View) tail(ctx context.Context) error {
	for ctx.Err() == nil {
		fetches := v.cl.PollRecords(ctx, batchSize)
		if err := v.apply(ctx, fetches); err != nil && ctx.Err() == nil {
			return fmt.Errorf("applying records to the view: %w", err)
		}
		v.pause(ctx, fetches)
	}
	return nil
}

// pause waits a while when the topics brought errors, which come again at once: what they mean is for measure to find out.
func (v *View) pause(ctx context.Context, fetches kgo.Fetches) {
	if ctx.Err() != nil { // which is among the errors
		return
	}
	failed := false
	fetches.EachError(func(topic string, partition int32, err error) {
		failed = true
		v.cfg.Log.Warn("reading for the view", telemetry.Topic, topic, telemetry.Partition, partition, telemetry.Error, err)
	})
	if failed {
		select {
		case <-time.After(measurePeriod):
		case <-ctx.Done():
		}
	}
}

// batch is one transaction on the view.
type batch struct {
	v       *View
	tx      *sql.Tx
	next    map[source]int64
	changed map[order.ID]bool
}

// apply takes records over, in one transaction with their positions. An error leaves the folds ahead of the file: Run must end.
func (v *View) apply(ctx context.Context, fetches kgo.Fetches) error {
	if fetches.NumRecords() == 0 {
		return nil
	}
	tx, err := v.file.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	b := &batch{v, tx, map[source]int64{}, map[order.ID]bool{}}
	for r := range fetches.RecordsAll() {
		s := source{r.Topic, r.Partition}
		// After a reset to the start of a topic the known comes again, and must not turn the view back.
		if r.Offset < max(v.position(s), b.next[s]) || v.holds(s) {
			continue
		}
		err := b.record(ctx, r)
		if errors.Is(err, wire.ErrNewer) {
			v.hold(s, r.Offset, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		b.next[s] = r.Offset + 1
	}
	for s, next := range b.next {
		claim := int64(-1)
		if s.topic == v.cfg.Topics.Status {
			claim = v.folds[s.partition].Newest()
		}
		const put = "INSERT INTO positions (topic, partition, next, claim, void) VALUES (?, ?, ?, ?, ?)" +
			" ON CONFLICT DO UPDATE SET next = excluded.next, claim = excluded.claim, void = excluded.void"
		if _, err := tx.ExecContext(ctx, put, s.topic, s.partition, next, claim, v.void[s.partition]); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	v.publish(b)
	return nil
}

// hold stops at a record that a newer version wrote. The view counts as fresh without the partition: whoever waits for a record of it waits in vain.
func (v *View) hold(s source, offset int64, err error) {
	v.mu.Lock()
	v.held[s] = true
	v.mu.Unlock()
	v.cl.PauseFetchPartitions(map[string][]int32{s.topic: {s.partition}})
	v.cfg.Log.Error("partition held: this version cannot read on",
		telemetry.Topic, s.topic, telemetry.Partition, s.partition, telemetry.Offset, offset, telemetry.Error, err)
}

func (v *View) holds(s source) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held[s]
}

// record applies one record. What cannot be read is skipped: the worker has made a letter of it, or it is not ours.
func (b *batch) record(ctx context.Context, r *kgo.Record) error {
	var err error
	switch {
	case r.Attrs.IsControl():
		return nil
	case r.Topic == b.v.cfg.Topics.Orders:
		err = b.placed(ctx, r)
	case r.Topic == b.v.cfg.Topics.Status:
		err = b.status(ctx, r)
	default:
		err = b.letter(ctx, r)
	}
	if errors.Is(err, wire.ErrUndecodable) || errors.Is(err, dlq.ErrForeign) {
		b.v.cfg.Log.Debug("skipping a record",
			telemetry.Topic, r.Topic, telemetry.Partition, r.Partition, telemetry.Offset, r.Offset, telemetry.Error, err)
		return nil
	}
	return err
}

func (b *batch) placed(ctx context.Context, r *kgo.Record) error {
	o, err := wire.ReadOrder(r)
	if err != nil {
		return err
	}
	const first = "INSERT INTO orders (id, partition, origin, placed_at, status, rev, begun, state_at, who, refund_of, value)" +
		" SELECT ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM erased WHERE id = ? AND at >= ?) ON CONFLICT DO NOTHING"
	_, err = b.tx.ExecContext(ctx, first, o.ID, r.Partition, r.Offset, o.PlacedAt.UnixMilli(), order.Accepted, who(o), refundOf(o), r.Value,
		o.ID, r.Timestamp.UnixMilli())
	b.change(o)
	return err
}

func (b *batch) status(ctx context.Context, r *kgo.Record) error {
	head, verdict, err := b.v.folds[r.Partition].Apply(r)
	if err != nil || verdict == status.Claim {
		return err
	}
	if verdict == status.Void {
		b.v.void[r.Partition]++
		return nil
	}
	if verdict == status.Erased {
		return b.erase(ctx, r)
	}
	s, err := wire.ReadState(r)
	if err != nil {
		return err
	}
	o := s.Order
	const newest = "INSERT INTO orders (id, partition, origin, placed_at, status, rev, begun, state_at, who, refund_of, value)" +
		" VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)" +
		// Also where and when it was placed: of an old order, the topic may hold no more than a repeat.
		" ON CONFLICT DO UPDATE SET origin = excluded.origin, placed_at = excluded.placed_at, status = excluded.status," +
		" rev = excluded.rev, begun = 1, state_at = excluded.state_at, who = excluded.who, refund_of = excluded.refund_of, value = excluded.value"
	_, err = b.tx.ExecContext(ctx, newest, o.ID, r.Partition, head.Origin, o.PlacedAt.UnixMilli(), head.Status, head.Rev, r.Offset, who(o),
		refundOf(o), r.Value)
	b.change(o)
	return err
}

// erase forgets an order. One that was placed later under the same ID, and is not begun yet, stays.
func (b *batch) erase(ctx context.Context, r *kgo.Record) error {
	id, at := string(r.Key), r.Timestamp.UnixMilli()
	const note = "INSERT INTO erased (id, at, partition, origin)" +
		" VALUES (?1, ?2, ?3, coalesce((SELECT origin FROM orders WHERE id = ?1), -1))" +
		" ON CONFLICT DO UPDATE SET at = excluded.at, origin = max(origin, excluded.origin)"
	if _, err := b.tx.ExecContext(ctx, note, id, at, r.Partition); err != nil {
		return err
	}
	_, err := b.tx.ExecContext(ctx, "DELETE FROM orders WHERE id = ? AND partition = ? AND (begun OR placed_at <= ?)", id, r.Partition, at)
	b.changed[order.ID(id)] = true
	return err
}

// change wakes, after the commit, who watches an order: of a refund also who watches the order that it is of.
func (b *batch) change(o order.Order) {
	b.changed[o.ID] = true
	if of := refundOf(o); of != "" {
		b.changed[of] = true
	}
}

func (b *batch) letter(ctx context.Context, r *kgo.Record) error {
	l, err := dlq.Read(r)
	if err != nil {
		return err
	}
	const newest = `INSERT INTO letters (id, partition, origin, "offset", step, class, reason, message, attempts,` +
		" first_failed, last_failed, worker, replays, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		` ON CONFLICT DO UPDATE SET "offset" = excluded."offset", step = excluded.step, class = excluded.class, reason = excluded.reason,` +
		" message = excluded.message, attempts = excluded.attempts, first_failed = excluded.first_failed," +
		" last_failed = excluded.last_failed, worker = excluded.worker, replays = excluded.replays, rev = excluded.rev"
	_, err = b.tx.ExecContext(ctx, newest, l.ID(), l.Origin.Partition, l.Origin.Offset, r.Offset, l.Step, l.Class.String(), l.Reason,
		l.Message, l.Attempts, l.FirstFailed.UnixMilli(), l.LastFailed.UnixMilli(), l.Worker, l.Replays, l.Rev)
	return err
}

// refundOf is the order that a refund is of; of an order it is empty.
func refundOf(o order.Order) order.ID {
	if o.Refund == nil {
		return ""
	}
	return o.Refund.Of
}

// who is what a search for a customer looks in.
func who(o order.Order) string {
	return strings.ToLower(o.Customer.Name + "\n" + o.Customer.Email)
}
