package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// batchSize is how many records one transaction takes at most: enough to rebuild fast, few enough that readers see progress.
const batchSize = 1_000

// tail applies what the topics bring until ctx is done, and pauses after errors, which come again at once.
func (v *View) tail(ctx context.Context) error {
	var backoff kafka.Backoff
	for ctx.Err() == nil {
		fetches := v.poll(ctx)
		v.spin.Polled()
		cut, err := v.forgotten(ctx, fetches)
		if err == nil && cut {
			v.lose(errCut)
		}
		built := false
		if err == nil {
			built, err = v.take(ctx, fetches)
		}
		if built {
			continue
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("applying records to the view: %w", err)
		}
		if err := v.faults(ctx, fetches); err == nil || ctx.Err() != nil {
			backoff.Succeeded()
		} else if kafka.Classify(err) == kafka.Denied {
			return kafka.Explain(err)
		} else {
			backoff.Pause(ctx, err, func(err error) { v.cfg.Log.Warn("reading for the view", telemetry.Error, err) })
		}
	}
	return nil
}

// batch is one transaction on the view.
type batch struct {
	v       *View
	tx      *sql.Tx
	next    map[source]int64
	epochs  map[source]int32 // leader epoch of the record before next
	changed map[order.ID]bool
	held    map[source]error // what cannot be applied, and comes behind all that is
	// What the statuses add up to with this batch.
	folds map[int32]*status.Fold
	void  map[int32]int64
}

// fold is that of a partition of orders.status.
func (b *batch) fold(partition int32) *status.Fold {
	if b.folds[partition] == nil {
		fold := *b.v.folds[partition]
		b.folds[partition], b.void[partition] = &fold, b.v.void[partition]
	}
	return b.folds[partition]
}

// apply takes records over, in one transaction with their positions. After an error it can be called again with the same.
func (v *View) apply(ctx context.Context, fetches kgo.Fetches) error {
	if fetches.NumRecords() == 0 {
		return nil
	}
	tx, err := v.file.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	b := &batch{
		v: v, tx: tx, next: map[source]int64{}, epochs: map[source]int32{}, changed: map[order.ID]bool{}, held: map[source]error{},
		folds: map[int32]*status.Fold{}, void: map[int32]int64{},
	}
	for r := range fetches.RecordsAll() {
		s := source{r.Topic, r.Partition}
		if b.held[s] != nil {
			continue
		}
		if bad := v.gap(ctx, s, max(v.position(s), b.next[s]), r); bad != nil {
			b.held[s] = bad
			continue
		}
		// After a reset to the start of a topic the known comes again, and must not turn the view back.
		if r.Offset < max(v.position(s), b.next[s]) || v.holds(s) {
			continue
		}
		err := b.record(ctx, r)
		if errors.Is(err, wire.ErrNewer) {
			b.held[s] = fmt.Errorf("offset %d: %w", r.Offset, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		b.next[s], b.epochs[s] = r.Offset+1, r.LeaderEpoch
	}
	if err := b.positions(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	v.stop(b.held)
	v.publish(b)
	return nil
}

// positions writes how far each partition is applied.
func (b *batch) positions(ctx context.Context) error {
	for s, next := range b.next {
		claim, void := int64(-1), int64(0)
		if s.topic == b.v.cfg.Topics.Status {
			claim, void = b.fold(s.partition).Newest(), b.void[s.partition]
		}
		const put = "INSERT INTO positions (topic, partition, next, epoch, claim, void) VALUES (?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT DO UPDATE SET next = excluded.next, epoch = excluded.epoch, claim = excluded.claim, void = excluded.void"
		if _, err := b.tx.ExecContext(ctx, put, s.topic, s.partition, next, b.epochs[s], claim, void); err != nil {
			return err
		}
	}
	return nil
}

// stop holds the partitions in which a batch met what it could not apply.
func (v *View) stop(held map[source]error) {
	for s, reason := range held {
		if bad, ok := errors.AsType[*kafka.UnreadableError](reason); ok {
			v.block(s, bad)
			continue
		}
		v.hold(s, reason)
		v.cfg.Log.Error("partition held: this version cannot read on", telemetry.Topic, s.topic, telemetry.Partition, s.partition, telemetry.Error, reason)
	}
}

// hold stops at what cannot be read. The view counts as fresh without the partition: whoever waits for a record of it waits in vain.
func (v *View) hold(s source, reason error) {
	v.mu.Lock()
	v.held[s] = reason
	v.mu.Unlock()
	v.cl.PauseFetchPartitions(map[string][]int32{s.topic: {s.partition}})
}

func (v *View) holds(s source) bool { return v.heldBy(s) != nil }

// heldBy is why nothing more is applied of a partition, or nil.
func (v *View) heldBy(s source) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held[s]
}

// record applies one record. What cannot be read is skipped: the worker has made a dead letter of
// it, or it is not ours.
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
		err = b.deadLetter(ctx, r)
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
	if home := b.v.cfg.Home; home != nil && home(r.Key, r.Headers) != r.Partition {
		return fmt.Errorf("%w: order %s belongs to partition %d", wire.ErrUndecodable, o.ID, home(r.Key, r.Headers))
	}
	const first = "INSERT INTO orders (id, partition, origin, placed_at, status, rev, begun, state_at, who, refund_of, value)" +
		" SELECT ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM erased WHERE id = ? AND at >= ?) ON CONFLICT DO NOTHING"
	added, err := b.tx.ExecContext(ctx, first, o.ID, r.Partition, r.Offset, o.PlacedAt.UnixMilli(), order.Accepted, who(o), refundOf(o), r.Value,
		o.ID, r.Timestamp.UnixMilli())
	b.change(o)
	if err != nil {
		return err
	}
	if n, err := added.RowsAffected(); n == 0 || err != nil {
		return err
	}
	row, err := added.LastInsertId()
	if err != nil {
		return err
	}
	return b.addCustomer(ctx, customer{row, o.PlacedAt.UnixMilli(), who(o)})
}

func (b *batch) status(ctx context.Context, r *kgo.Record) error {
	head, verdict, err := b.fold(r.Partition).Apply(r)
	if err != nil || verdict == status.Claim {
		return err
	}
	if verdict == status.Stale {
		b.void[r.Partition]++
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
	was, err := b.customer(ctx, o.ID)
	if err != nil {
		return err
	}
	const newest = "INSERT INTO orders (id, partition, origin, placed_at, status, rev, begun, state_at, who, refund_of, value)" +
		" VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)" +
		// Also where and when it was placed: of an old order, the topic may hold no more than a repeat.
		" ON CONFLICT DO UPDATE SET partition = excluded.partition, origin = excluded.origin, placed_at = excluded.placed_at, status = excluded.status," +
		" rev = excluded.rev, begun = 1, state_at = excluded.state_at, who = excluded.who, refund_of = excluded.refund_of, value = excluded.value"
	_, err = b.tx.ExecContext(ctx, newest, o.ID, r.Partition, head.Origin, o.PlacedAt.UnixMilli(), head.Status, head.Rev, r.Offset, who(o),
		refundOf(o), r.Value)
	b.change(o)
	if err == nil {
		err = b.replaceCustomer(ctx, was, o)
	}
	if err == nil && s.Status == order.Dead && s.DeadLetter != nil {
		err = b.pointed(ctx, s)
	}
	return err
}

// pointed lists the dead letter that a dead order points at as far as its state tells, unless the
// view has the dead letter itself: that may be gone from its topic.
func (b *batch) pointed(ctx context.Context, s order.State) error {
	died := s.Timeline[len(s.Timeline)-1]
	for _, c := range slices.Backward(s.Timeline) {
		if c.Status == order.Dead && !c.Answers() {
			died = c
			break
		}
	}
	l := dlq.DeadLetter{
		Source: wire.Source{Key: []byte(s.Order.ID), Origin: s.Origin}, Cause: s.Order.Cause, Step: s.DeadLetter.Step, Class: failure.Permanent, Reason: failure.Reason(s.DeadLetter.Reason),
		FirstFailed: died.At, LastFailed: died.At, Replays: s.Replays, Rev: died.Rev,
	}
	return b.list(ctx, l, s.DeadLetter.Partition, s.DeadLetter.Offset, "DO NOTHING")
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
	was, err := b.customer(ctx, order.ID(id))
	if err != nil {
		return err
	}
	gone, err := b.tx.ExecContext(ctx, "DELETE FROM orders WHERE id = ? AND partition = ? AND (begun OR placed_at <= ?)", id, r.Partition, at)
	b.changed[order.ID(id)] = true
	if err != nil {
		return err
	}
	if n, err := gone.RowsAffected(); n == 0 || err != nil {
		return err
	}
	return b.removeCustomer(ctx, was)
}

// change wakes, after the commit, who watches an order: of a refund also who watches the order that it is of.
func (b *batch) change(o order.Order) {
	b.changed[o.ID] = true
	if of := refundOf(o); of != "" {
		b.changed[of] = true
	}
}

func (b *batch) deadLetter(ctx context.Context, r *kgo.Record) error {
	l, err := dlq.Read(r)
	if err == nil && l.Topic != b.v.cfg.Topics.Orders {
		err = fmt.Errorf("%w: origin in topic %.100q", dlq.ErrForeign, l.Topic)
	}
	if err != nil {
		return err
	}
	// The newest counts of those in the partition of their origin, where the workers write. One elsewhere is a copy: it counts
	// while there is no other. That of the order at the place which it names is not replaced by that of something else.
	const newest = "DO UPDATE SET key = excluded.key, at_partition = excluded.at_partition, " +
		`"offset" = excluded."offset", gone = excluded.gone, step = excluded.step, class = excluded.class, reason = excluded.reason,` +
		" message = excluded.message, attempts = excluded.attempts, first_failed = excluded.first_failed," +
		" last_failed = excluded.last_failed, worker = excluded.worker, replays = excluded.replays, rev = excluded.rev" +
		" WHERE (excluded.at_partition = partition OR at_partition <> partition OR gone)" +
		" AND (excluded.key IN ('', key) OR NOT EXISTS (SELECT 1 FROM orders o" +
		" WHERE o.partition = dead_letters.partition AND o.origin = dead_letters.origin AND o.id = dead_letters.key))"
	return b.list(ctx, l, r.Partition, r.Offset, newest)
}

// list puts a dead letter that stands at a place of the dead-letter topic into the file.
func (b *batch) list(ctx context.Context, l dlq.DeadLetter, partition int32, offset int64, conflict string) error {
	b.v.mu.Lock()
	start := b.v.starts[source{b.v.cfg.Topics.DLQ, partition}]
	b.v.mu.Unlock()
	const insert = `INSERT INTO dead_letters (id, partition, origin, key, at_partition, "offset", gone, step, class, reason, message, attempts,` +
		" first_failed, last_failed, worker, replays, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT "
	_, err := b.tx.ExecContext(ctx, insert+conflict, l.ID(), l.Origin.Partition, l.Origin.Offset, string(l.Key), partition, offset,
		offset < start, l.Step, l.Class.String(), l.Reason, l.Message, l.Attempts, l.FirstFailed.UnixMilli(), l.LastFailed.UnixMilli(),
		l.Worker, l.Replays, l.Rev)
	return err
}

// refundOf is the order that a refund is of; of an order it is empty.
func refundOf(o order.Order) order.ID {
	if o.Refund == nil {
		return ""
	}
	return o.Refund.Of
}
