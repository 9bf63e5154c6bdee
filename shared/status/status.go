// Package status decides which records of orders.status count. The owner of a partition, the read
// model and the audit all read the topic with its Fold.
//
// An owner begins with a claim. The claim's offset is its fencing token, and every state that it
// writes carries it. A state that comes after a newer claim than its own was written by a worker that
// had lost the partition without noticing: it is stale, and every reader ignores it. So a worker that
// was suspended cannot overwrite what the next owner wrote.
//
// A record without a value is a tombstone: the order was erased on purpose, and compaction removes
// its earlier records. It carries no claim, because workers write none of their own accord, and it
// counts until a later state of the order.
package status

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/wire"
)

// Verdict is whether and how a record of orders.status counts.
type Verdict int

// The verdicts.
const (
	Claim   Verdict = iota // a worker becomes the owner of the partition
	Current                // the state of an order
	Stale                  // written under a claim that was not the newest any more: to be ignored, and counted
	Erased                 // a tombstone: earlier states of the order do not count any more
)

// Fold reads one partition of orders.status in order. The zero value begins at its start. A Fold is
// for one goroutine.
type Fold struct {
	claim     int64 // offset + 1 of the newest claim, so that zero is none
	start     int64 // records before it are not known
	restarted bool
}

// From returns a fold that begins at an offset, without the claim before it. That claim is known once
// its owner has written a state, so a stale state that comes first is taken for current: ask Restarted
// after each record.
func From(offset int64) Fold { return Fold{start: offset} }

// At returns a fold that knows of a claim at an offset, for a reader that resumes after it; -1 is none.
func At(claim int64) Fold { return Fold{claim: claim + 1} }

// Restarted reports whether the last applied record shows that all records before it were stale: it
// was written under a newer claim, whose offset is below the start. While that owner writes nothing,
// stale states are not detected.
func (f *Fold) Restarted() bool { return f.restarted }

// Newest is the offset of the newest claim that is known, or -1.
func (f *Fold) Newest() int64 { return f.claim - 1 }

// Apply reads the next record and returns its verdict. The Head is that of a state, and zero for all
// others. A record that is no state, claim or tombstone is wire.ErrUndecodable: skip it.
func (f *Fold) Apply(r *kgo.Record) (wire.Head, Verdict, error) {
	f.restarted = false
	if r.Value == nil && len(r.Key) > 0 {
		return wire.Head{}, Erased, nil
	}
	switch wire.Type(r) {
	case wire.TypeClaim:
		f.claim = r.Offset + 1
		return wire.Head{}, Claim, nil
	case wire.TypeStatus:
		h, err := wire.ReadHead(r)
		if err != nil {
			return wire.Head{}, Stale, err
		}
		if h.Owner < f.Newest() {
			return h, Stale, nil
		}
		// Compaction keeps the last claim alone. An earlier one is known by the states of its owner.
		if h.Owner < r.Offset {
			f.restarted = f.claim > 0 && f.Newest() < h.Owner && h.Owner < f.start
			f.claim = h.Owner + 1
		}
		return h, Current, nil
	}
	return wire.Head{}, Stale, fmt.Errorf("%w: type %.40q in orders.status", wire.ErrUndecodable, wire.Type(r))
}
