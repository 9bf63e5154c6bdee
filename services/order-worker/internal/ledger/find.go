package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// Standing is what the ledger knows of an order, seen from the record that asks.
type Standing int

// Every standing.
const (
	NotBegun  Standing = iota // no worker has begun the order under any record
	Begun                     // Snapshot has its state
	Settled                   // another attempt has finished or parked it: the record has nothing to do
	Elsewhere                 // an earlier record placed it: the record repeats its key, or names another order
	Erased                    // an operator has erased it
	Lost                      // it was begun, and its state is gone from orders.status
)

// Snapshot is the answer of Find: all that is known of an order at one moment.
type Snapshot struct {
	Standing Standing
	Origin   int64        // offset in orders of the first record with the ID, unless not begun
	Status   order.Status // empty unless begun, settled, elsewhere or lost
	State    *order.State // the newest; nil unless begun
}

// ErrErased is why a record of an erased order is ignored.
var ErrErased = errors.New("the order was erased")

// Question asks for an order on behalf of a record that was read.
type Question struct {
	ID     order.ID
	Origin int64 // the offset in orders that the record names, or Anywhere
	// By is the record. One of the topic orders tells the ledger how far the topic is read, and so what it
	// can forget: ask for every order before you begin it. One of orders.replay asks for an order however
	// long ago it finished. For nil the whole partition is searched.
	By *kgo.Record
	// Seen is where the desk saw the newest state of the order when it appended By: an offset of
	// orders.status, 0 (unknown) or Unseen. Find searches what is newer, or all if it is unknown or wrong.
	Seen int64
}

// Anywhere is the origin of a question about an ID.
const Anywhere = -1

// Unseen is the value of Question.Seen when the desk saw no state.
const Unseen = -1

// asker is the kind of record that asks.
type asker int

const (
	placed asker = iota // a record of the topic orders
	parked              // the order's own record in a retry topic or orders.waiting
	desk                // a record of orders.replay, or the ledger itself
)

func (l *Ledger) asker(q Question) asker {
	switch {
	case q.By == nil || q.By.Topic == l.cfg.Topics.Replay:
		return desk
	case q.By.Topic == l.cfg.Topics.Orders:
		return placed
	}
	return parked
}

// settled reports whether a record has nothing to do because of the status of its order. Replays and
// cancels are answered whatever the status is.
func (a asker) settled(s order.Status) bool {
	return a != desk && s.Final() || a == placed && s.Parked()
}

// Find returns what is known of an order. It reads the state only if the record has something to do.
func (l *Ledger) Find(ctx context.Context, q Question) (Snapshot, error) {
	e, known, err := l.lookUp(ctx, q)
	if err != nil || !known {
		return Snapshot{}, err
	}
	s := Snapshot{Origin: e.origin, Status: e.status()}
	switch {
	case e.erased():
		outlived, err := l.outlived(ctx, q, e)
		if err != nil || !outlived {
			return Snapshot{}, err
		}
		return Snapshot{Standing: Erased, Origin: e.origin}, nil
	case q.Origin != Anywhere && q.Origin != e.origin:
		s.Standing = Elsewhere
	case l.asker(q).settled(s.Status):
		s.Standing = Settled
	default:
		state, err := l.state(ctx, q.ID, e)
		if errors.Is(err, kafka.ErrGone) {
			s.Standing = Lost
			break
		}
		if err != nil {
			return Snapshot{}, fmt.Errorf("state of %s: %w", q.ID, err)
		}
		s.Standing, s.State = Begun, &state
	}
	return s, nil
}

// Begun reports whether anything is known of the order that a record of the topic orders places. Unlike
// Find it learns nothing.
func (l *Ledger) Begun(r *kgo.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.begun(keyOf(r.Key), r.Offset)
}

// Source reads the record at an offset of the topic orders. It is kafka.ErrGone when there is none, or
// none any more.
func (l *Ledger) Source(ctx context.Context, offset int64) (*kgo.Record, error) {
	return l.read(ctx, l.cfg.Topics.Orders, offset)
}

// Placed reports whether a record has been given an offset of the topic orders.
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

// lookUp is what is remembered of an order, or recalled.
func (l *Ledger) lookUp(ctx context.Context, q Question) (e entry, known bool, err error) {
	who := l.asker(q)
	if who == placed {
		l.mu.Lock()
		defer l.mu.Unlock()
		e, known = l.memory.place(keyOf(q.ID), q.By.Offset, l.histories[q.By.Topic].arrived(q.By.Offset))
		return e, known, nil
	}
	if e, known = l.entry(q.ID); known || who == parked {
		return e, known, nil
	}
	err = l.insist(ctx, "recall", func() error { return l.recall(ctx, q) })
	e, known = l.entry(q.ID)
	return e, known, err
}

// outlived reports whether an erased order is the one that a record is about. A record of the topic
// orders that is younger than the tombstone places another order: the view has forgotten the first one,
// and its customer repeats the key.
func (l *Ledger) outlived(ctx context.Context, q Question, e entry) (bool, error) {
	if l.asker(q) != placed {
		return true, nil
	}
	tombstone, err := l.read(ctx, l.cfg.Topics.Status, e.at())
	if errors.Is(err, kafka.ErrGone) {
		return true, nil // compacted away in time: a younger record arrives long before that
	}
	return err == nil && !q.By.Timestamp.After(tombstone.Timestamp), err
}

// state reads the newest state of an order that is not erased.
func (l *Ledger) state(ctx context.Context, id order.ID, e entry) (order.State, error) {
	r, err := l.newest(ctx, id, e)
	if err != nil {
		return order.State{}, err
	}
	return wire.ReadState(r)
}

// newest reads the record that counts of an order: its newest state, or a tombstone. If compaction has
// kept a stale state instead, the record is made of that: the stale one is what a former owner knew of
// the order, with the status that is remembered. Without either it is kafka.ErrGone.
func (l *Ledger) newest(ctx context.Context, id order.ID, e entry) (*kgo.Record, error) {
	if e.erased() { // whether or not the tombstone is still there
		return &kgo.Record{Key: []byte(id)}, nil
	}
	r, err := l.read(ctx, l.cfg.Topics.Status, e.at())
	if err == nil && string(r.Key) != string(id) {
		err = fmt.Errorf("%w: offset %d has a state of %.40q", kafka.ErrGone, e.at(), r.Key)
	}
	if !errors.Is(err, kafka.ErrGone) {
		return r, err
	}
	current, stale, err := l.search(ctx, id)
	if err != nil || current != nil {
		return current, err
	}
	l.cfg.Log.LogAttrs(ctx, slog.LevelError, "state compacted away", slog.String(telemetry.Order, string(id)),
		slog.Int(telemetry.Partition, int(l.partition)), slog.Int64(telemetry.Offset, e.at()))
	if stale == nil {
		return nil, kafka.ErrGone
	}
	s, err := wire.ReadState(stale)
	if err != nil {
		return nil, err
	}
	s.Status = e.status()
	made := wire.State(s, l.claim)
	made.Partition = stale.Partition
	return made, nil
}

// search reads the whole partition. It returns the newest record of an order that counts, a state or a
// tombstone, and the newest that is stale.
func (l *Ledger) search(ctx context.Context, id order.ID) (current, stale *kgo.Record, err error) {
	err = l.insist(ctx, "search", func() error {
		end, err := l.end(ctx, l.cfg.Topics.Status)
		if err != nil {
			return err
		}
		current, stale, err = l.look(ctx, id, 0, end)
		return err
	})
	return current, stale, err
}

// recall remembers an order that has finished too long ago. It leaves one that was never begun unknown.
func (l *Ledger) recall(ctx context.Context, q Question) error {
	r, err := l.recalled(ctx, q)
	if err != nil || r == nil {
		return err
	}
	if r.Value == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.memory.erase(keyOf(q.ID), r.Offset)
		return nil
	}
	h, err := wire.ReadHead(r)
	if err == nil {
		l.put(q.ID, entryOf(h.Origin, r.Offset, h.Status))
	}
	return err
}

// recalled returns the newest record of an order that counts, a state or a tombstone, or nil.
func (l *Ledger) recalled(ctx context.Context, q Question) (*kgo.Record, error) {
	l.mu.Lock()
	whole := l.memory.whole // an order with a state from there on is remembered
	var missed Mark         // from its floor on, the desk's view can have missed states
	if q.By != nil {
		missed, _ = l.mark(q.By.Topic, q.By.Offset)
	}
	l.mu.Unlock()
	seen, err := l.seen(ctx, q)
	if err != nil {
		return nil, err
	}
	if seen == nil && q.Seen != Unseen {
		missed.Floor = 0
	}
	newer, _, err := l.look(ctx, q.ID, missed.Floor, whole)
	if err != nil || newer != nil {
		return newer, err
	}
	return seen, nil
}

// seen is the state that the desk saw, which the fold of its view has found to count; nil if there is none.
func (l *Ledger) seen(ctx context.Context, q Question) (*kgo.Record, error) {
	if q.Seen == Unseen {
		return nil, nil
	}
	r, err := l.reader.One(ctx, l.cfg.Topics.Status, l.partition, q.Seen)
	if errors.Is(err, kafka.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var fold status.Fold
	if _, v, _ := fold.Apply(r); v != status.Current || string(r.Key) != string(q.ID) {
		return nil, nil
	}
	return r, nil
}

// look is search in a stretch.
func (l *Ledger) look(ctx context.Context, id order.ID, from, to int64) (current, stale *kgo.Record, err error) {
	begin := func() { current, stale = nil, nil }
	begin()
	err = l.walk(ctx, from, to, begin, func(r *kgo.Record, _ wire.Head, v status.Verdict, err error) {
		if string(r.Key) != string(id) || err != nil {
			return
		}
		if v == status.Current || v == status.Erased {
			current = r
		} else {
			stale = r
		}
	})
	return current, stale, err
}

// walk reads a stretch of orders.status and gives each record with its verdict. It calls restart when a
// record shows that all records given so far were stale.
func (l *Ledger) walk(
	ctx context.Context, from, to int64, restart func(), each func(r *kgo.Record, h wire.Head, v status.Verdict, err error),
) error {
	fold := status.From(from)
	return l.reader.Read(ctx, l.cfg.Topics.Status, l.partition, from, to, func(r *kgo.Record) error {
		head, verdict, err := fold.Apply(r)
		if fold.Restarted() {
			restart()
		}
		each(r, head, verdict, err)
		return nil
	})
}
