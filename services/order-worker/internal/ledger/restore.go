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

// Start is where a group continues in a partition.
type Start struct {
	// Next is the offset of the topic orders.
	Next int64
	// Since has the marks that the last owner committed, by topic that orders are read from. If it is
	// nil, all of orders.status is read.
	Since map[string]Mark
}

// Open claims a partition, restores its ledger, and repairs what a former owner wrote after it had lost the
// partition. It blocks until that is done, or returns the cause of the end of ctx.
func Open(ctx context.Context, cfg Config, partition int32, start Start) (*Ledger, error) {
	l := &Ledger{
		cfg: cfg, partition: partition, reader: kafka.NewReader(cfg.Producer, cfg.Topics.DLQ), memory: newMemory(start.Next, 0),
		histories: map[string]history{},
	}
	for topic, m := range start.Since {
		l.histories[topic] = history{{Mark: m}}
	}
	claim, err := l.append(ctx, cfg.Topics.Status, wire.Claim{Group: cfg.Group, Worker: cfg.Worker, At: time.Now()}.Record())
	if err != nil {
		return nil, fmt.Errorf("claiming partition %d: %w", partition, err)
	}
	l.claim, l.judged, l.tail, l.heard = claim.Offset, claim.Offset, status.At(claim.Offset), time.Now()
	var stale map[order.ID]int64
	err = l.insist(ctx, "restore", func() error {
		stale, err = l.restore(ctx, start)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("restoring partition %d: %w", partition, err)
	}
	for id, at := range stale {
		if err := l.restate(ctx, id, at); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// window is how far back a restore reads, and what it remembers of finished orders.
type window struct {
	from   int64 // offset in orders.status: the first that is read
	recent int64 // offset in orders.status: orders with a state from here on are remembered
	repeat int64 // offset in orders: a record that is not read yet can repeat orders from here on
	next   int64 // offset in orders: records from here on are read again
}

// recentStates is how many of the newest states are remembered whether or not their orders are finished. Few
// replays are about orders that finished earlier.
const recentStates = 1 << 16

// extent returns the window for the marks of a start.
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

// restore reads orders.status up to our claim. It returns the orders whose last record is stale, with its
// offset: restate repairs them. Later compaction would keep only that record, and no reader looks here again.
func (l *Ledger) restore(ctx context.Context, start Start) (stale map[order.ID]int64, err error) {
	began := time.Now()
	claim, err := l.reader.One(ctx, l.cfg.Topics.Status, l.partition, l.claim)
	if err != nil {
		return nil, err
	}
	l.claimed = claim.Timestamp
	s := restored{window: l.extent(start), ours: fmt.Appendf(nil, `"incarnation":%q`, l.cfg.Incarnation)}
	s.restart()
	if err := l.walk(ctx, s.from, l.claim, s.restart, s.add); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.memory = s.memory
	l.mu.Unlock()
	l.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "ledger restored", slog.Int(telemetry.Partition, int(l.partition)),
		slog.Int(telemetry.Count, len(s.memory.kept)+len(s.memory.young)), slog.Int(telemetry.Records, s.read), slog.Int(telemetry.Void, s.ignored),
		slog.Duration(telemetry.Took, time.Since(began)))
	return s.stale, nil
}

// restored is what a restore has read so far.
type restored struct {
	window
	ours          []byte // in all states of our incarnation of the topic orders; offsets name records only within it
	memory        *memory
	stale         map[order.ID]int64
	read, ignored int
}

func (s *restored) restart() { s.memory, s.stale = newMemory(s.next, s.recent), map[order.ID]int64{} }

func (s *restored) add(r *kgo.Record, h wire.Head, v status.Verdict, err error) {
	s.read++
	k, id := keyOf(r.Key), order.ID(r.Key)
	switch {
	case err != nil || v == status.Stale:
		s.ignored++
		s.stale[id] = r.Offset
	case v == status.Erased:
		s.memory.erase(k, r.Offset)
		delete(s.stale, id)
	case v == status.Current:
		if e := entryOf(h.Origin, r.Offset, h.Status); !s.packs(e) || bytes.Contains(r.Value, s.ours) {
			s.memory.restore(k, e, s.window)
		} else {
			s.memory.forget(k)
		}
		delete(s.stale, id)
	}
}

// packs reports whether a bit is enough to remember an order.
func (w window) packs(e entry) bool {
	return e.origin >= w.next && e.at() < w.recent && e.status() == order.Confirmed
}

// restore remembers as much of an order as is needed.
func (m *memory) restore(k key, e entry, w window) {
	readAgain := e.origin >= w.next
	switch {
	case w.packs(e):
		m.forget(k)
		m.done.add(e.origin)
	case !e.final(), e.at() >= w.recent, readAgain, e.origin >= w.repeat:
		m.put(k, e) // few are read again, and a replay needs to know how they ended
	default:
		m.forget(k)
	}
}
