package ledger

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// window is how far a restore looks back, and what it remembers of finished orders.
type window struct {
	from   int64 // orders.status: what is read
	recent int64 // orders.status: what is remembered, finished or not
	repeat int64 // orders: finished orders from here on may be repeated by a record that is not read yet
	next   int64 // orders: what stands from here on comes again
}

// recentStates is how many of the newest states are remembered whether or not their orders are finished: few replays are
// about orders that finished earlier.
const recentStates = 1 << 16

// extent is what a restore needs, by the marks of its start.
func (l *Ledger) extent(start Start) window {
	orders := start.Since[l.cfg.Topics.Orders]
	w := window{from: l.claim, repeat: orders.Offset, next: start.Next}
	for _, m := range start.Since {
		w.from = min(w.from, m.Floor)
	}
	if len(start.Since) == 0 || start.Next < orders.Offset {
		w.from, w.repeat = 0, start.Next
	}
	w.recent = max(w.from, l.claim-recentStates)
	return w
}

// end is where our partition of a topic ends now, with what we appended behind an open transaction of somebody else.
func (l *Ledger) end(ctx context.Context, topic string) (int64, error) {
	p := kafka.Partition{Topic: topic, Number: l.partition}
	o := kafka.HighWatermarks(ctx, l.cfg.Producer, p)[p]
	return o.At, o.Err
}

// restore reads orders.status up to our claim. It returns the orders whose last record counts for nobody.
func (l *Ledger) restore(ctx context.Context, start Start) (void map[order.ID]bool, err error) {
	began, read, voids := time.Now(), 0, 0
	claim, err := l.reader.One(ctx, l.cfg.Topics.Status, l.partition, l.claim)
	if err != nil {
		return nil, err
	}
	l.claimed = claim.Timestamp
	w := l.extent(start)
	var m *memory
	begin := func() { m, void = newMemory(w.next, w.recent), map[order.ID]bool{} }
	begin()
	// Offsets say who is who only within one life of the topic orders.
	ours := fmt.Appendf(nil, `"incarnation":%q`, l.cfg.Incarnation)
	err = l.walk(ctx, w.from, l.claim, begin, func(r *kgo.Record, h wire.Head, v status.Verdict, err error) {
		read++
		switch {
		case err != nil || v == status.Stale:
			voids++
			void[order.ID(r.Key)] = true
		case v == status.Erased:
			m.erase(keyOf(r.Key), r.Offset)
			delete(void, order.ID(r.Key))
		case v == status.Current:
			if k, e := keyOf(r.Key), entryOf(h.Origin, r.Offset, h.Status); !w.packs(e) || bytes.Contains(r.Value, ours) {
				m.restore(k, e, w)
			} else {
				m.forget(k)
			}
			delete(void, order.ID(r.Key))
		}
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.memory = m
	l.mu.Unlock()
	l.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "ledger restored", slog.Int(telemetry.Partition, int(l.partition)),
		slog.Int(telemetry.Count, len(m.kept)+len(m.young)), slog.Int(telemetry.Records, read), slog.Int(telemetry.Void, voids),
		slog.Duration(telemetry.Took, time.Since(began)))
	return void, nil
}

// repair puts right what a predecessor wrote last, before our claim, when it was not the owner any more. What comes behind our
// claim is looked at one by one, but nobody would look here again, and in an hour compaction keeps the void ones alone.
func (l *Ledger) repair(ctx context.Context, void map[order.ID]bool) error {
	for id := range void {
		if err := l.Repair(ctx, id); err != nil {
			return fmt.Errorf("repairing %s: %w", id, err)
		}
	}
	return nil
}

// restore remembers of what was read as much as is needed.
func (m *memory) restore(k key, e entry, w window) {
	comes := e.origin >= w.next
	switch {
	case w.packs(e):
		m.forget(k)
		m.done.add(e.origin)
	case !e.final(), e.at() >= w.recent, !comes && e.origin >= w.repeat:
		m.put(k, e)
	case comes:
		m.put(k, e) // few, and how they ended matters to a replay
	default:
		m.forget(k)
	}
}

// packs reports whether a bit is enough to remember an order by.
func (w window) packs(e entry) bool {
	return e.origin >= w.next && e.at() < w.recent && e.standing().Status == order.Confirmed
}

// walk reads a stretch of orders.status, and says of each record what it is worth. It begins anew when it shows that all
// that was given so far was void.
func (l *Ledger) walk(
	ctx context.Context, from, to int64, anew func(), each func(r *kgo.Record, h wire.Head, v status.Verdict, err error),
) error {
	fold := status.From(from)
	return l.reader.Read(ctx, l.cfg.Topics.Status, l.partition, from, to, func(r *kgo.Record) error {
		head, verdict, err := fold.Apply(r)
		if fold.Restarted() {
			anew()
		}
		each(r, head, verdict, err)
		return nil
	})
}
