package ledger

import (
	"context"
	"errors"
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

// viewLag is more than a view may be behind from which a replay is asked for, and the time that asking takes.
const viewLag = 2 * time.Minute

// NotBegun says to Recall that the desk saw no state of the order.
const NotBegun = -1

// ErrErased is returned by State for an order that was erased on purpose.
var ErrErased = errors.New("the order was erased")

// State reads the whole newest state of an order that has a Standing. It is kafka.ErrGone when no state is left, and
// ErrErased when that is on purpose.
func (l *Ledger) State(ctx context.Context, id order.ID) (order.State, error) {
	r, _, err := l.newest(ctx, id)
	if err == nil && r.Value == nil {
		err = fmt.Errorf("state of %s: %w", id, ErrErased)
	}
	if err != nil {
		return order.State{}, err
	}
	return wire.ReadState(r)
}

// newest reads the record that counts of an order: its newest state, or a tombstone. A state that compaction took away,
// because it kept a void one in its place, is made again of that: the void one is what a predecessor knew of the order, and
// its status is ours. Without either it is kafka.ErrGone.
func (l *Ledger) newest(ctx context.Context, id order.ID) (*kgo.Record, entry, error) {
	l.mu.Lock()
	e, known := l.memory.get(keyOf(id))
	l.mu.Unlock()
	switch {
	case !known:
		return nil, e, fmt.Errorf("state of %s: %w", id, kafka.ErrGone)
	case e.erased(): // whether or not the tombstone still stands
		return &kgo.Record{Key: []byte(id)}, e, nil
	}
	r, err := l.read(ctx, l.cfg.Topics.Status, e.at())
	if err == nil && string(r.Key) != string(id) {
		err = fmt.Errorf("%w: that of %.40q stands at offset %d", kafka.ErrGone, r.Key, e.at())
	}
	if !errors.Is(err, kafka.ErrGone) {
		return r, e, err
	}
	counts, void, err := l.search(ctx, id)
	if err != nil || counts != nil {
		return counts, e, err
	}
	l.cfg.Log.LogAttrs(ctx, slog.LevelError, "state is compacted away", slog.String(telemetry.Order, string(id)),
		slog.Int(telemetry.Partition, int(l.partition)), slog.Int64(telemetry.Offset, e.at()))
	if void == nil {
		return nil, e, fmt.Errorf("state of %s: %w", id, kafka.ErrGone)
	}
	s, err := wire.ReadState(void)
	if err != nil {
		return nil, e, fmt.Errorf("state of %s: %w", id, err)
	}
	s.Status = e.standing().Status
	made := wire.State(s, l.claim)
	made.Partition = void.Partition
	return made, e, nil
}

// search looks through the whole partition for the newest record of an order that counts, a state or a tombstone, and for the
// newest that does not.
func (l *Ledger) search(ctx context.Context, id order.ID) (counts, void *kgo.Record, err error) {
	err = l.insist(ctx, "search", func() error {
		end, err := l.end(ctx, l.cfg.Topics.Status)
		if err != nil {
			return err
		}
		counts, void, err = l.look(ctx, id, 0, end)
		return err
	})
	return counts, void, err
}

// look is search in a stretch.
func (l *Ledger) look(ctx context.Context, id order.ID, from, to int64) (counts, void *kgo.Record, err error) {
	begin := func() { counts, void = nil, nil }
	begin()
	err = l.walk(ctx, from, to, begin, func(r *kgo.Record, _ wire.Head, v status.Verdict, err error) {
		if string(r.Key) != string(id) || err != nil {
			return
		}
		if v == status.Current || v == status.Erased {
			counts = r
		} else {
			void = r
		}
	})
	return counts, void, err
}

// Recall gives an order a Standing that has none because it finished too long ago: for what the desk asks. At is where the
// desk saw its newest state in orders.status, or NotBegun, and asked is the record with which it asked: the desk knew what
// happened to the order before that, but for the lag of its view, and what happened since is looked for. A nil asked, a zero
// at, or one where the state does not stand any more, costs a search of the whole partition. An order that nobody has begun
// is left without a Standing.
func (l *Ledger) Recall(ctx context.Context, id order.ID, at int64, asked *kgo.Record) error {
	if _, known := l.Standing(id); known {
		return nil
	}
	return l.insist(ctx, "recall", func() error {
		r, err := l.recall(ctx, id, at, asked)
		if err != nil || r == nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.Value == nil {
			l.memory.erase(keyOf(id), r.Offset)
			return nil
		}
		h, err := wire.ReadHead(r)
		l.memory.put(keyOf(id), entryOf(h.Origin, r.Offset, h.Status))
		return err
	})
}

// recall returns the newest record of an order that counts, a state or a tombstone, or nil.
func (l *Ledger) recall(ctx context.Context, id order.ID, at int64, asked *kgo.Record) (*kgo.Record, error) {
	l.mu.Lock()
	whole := l.memory.whole // a state from there on would have a Standing
	l.mu.Unlock()
	seen, err := l.seen(ctx, id, at)
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if asked != nil && (seen != nil || at == NotBegun) {
		from = l.unseen(asked)
	}
	newer, _, err := l.look(ctx, id, from, whole)
	if err != nil || newer != nil {
		return newer, err
	}
	return seen, nil
}

// seen is the state of an order at an offset, where the fold of a view has found it to count; nil if there is none.
func (l *Ledger) seen(ctx context.Context, id order.ID, at int64) (*kgo.Record, error) {
	if at == NotBegun {
		return nil, nil
	}
	r, err := l.reader.One(ctx, l.cfg.Topics.Status, l.partition, at)
	if errors.Is(err, kafka.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var fold status.Fold
	if _, v, _ := fold.Apply(r); v != status.Current || string(r.Key) != string(id) {
		return nil, nil
	}
	return r, nil
}

// Source reads the record at an offset of the topic orders. It is kafka.ErrGone when there is none (any more).
func (l *Ledger) Source(ctx context.Context, offset int64) (*kgo.Record, error) {
	return l.read(ctx, l.cfg.Topics.Orders, offset)
}

// Placed reports whether an offset of the topic orders has been given to a record. It blocks while Kafka is away.
func (l *Ledger) Placed(ctx context.Context, offset int64) (bool, error) {
	l.mu.Lock()
	next := l.memory.next
	l.mu.Unlock()
	if offset < next {
		return true, nil
	}
	err := l.insist(ctx, l.cfg.Topics.Orders, func() (err error) {
		next, err = l.end(ctx, l.cfg.Topics.Orders)
		return err
	})
	return offset < next, err
}
