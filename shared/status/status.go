// Package status is the one rule by which everybody reads orders.status: the worker that owns a partition, the view, and the audit.
//
// An owner begins with a claim; the claim's offset is its fencing token, and every state it writes carries it. A state
// that stands behind a newer claim than its own was written by a worker that had lost the partition without knowing: it
// is void and counts for nobody. So whoever wakes from a long stop cannot overwrite what its successor wrote.
//
// A record without a value is a tombstone: somebody has erased the order on purpose, and compaction removes what stands
// before. It carries no claim, because no worker writes one by itself, and it counts where it stands, until a state follows.
package status

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/wire"
)

// Verdict is what a record of orders.status is worth.
type Verdict int

// The verdicts.
const (
	Claim   Verdict = iota // a worker takes the partition
	Current                // the state of an order
	Void                   // written under a claim that was no longer the newest: to be ignored, and counted
	Erased                 // a tombstone: what stands before of the order does not count any more
)

// Fold reads one partition of orders.status in order. The zero value stands at its start. It is for one goroutine.
type Fold struct {
	claim int64 // offset + 1 of the newest claim, so that zero is none
	start int64 // nothing is known of what stands before
	anew  bool  // what Anew says
}

// From returns a fold that starts at an offset in the middle. The claim before it is known only by what its owner wrote, so
// a void state may come first, and be taken for current: ask Anew after each record.
func From(offset int64) Fold { return Fold{start: offset} }

// Anew reports whether the record that was applied last shows that all before it was void: it was written under a newer
// claim, which stands before the start. A stretch in which that owner wrote nothing does not show it.
func (f *Fold) Anew() bool { return f.anew }

// At returns a fold that has seen a claim at an offset, for a reader that resumes behind it; -1 is none.
func At(claim int64) Fold { return Fold{claim: claim + 1} }

// Newest is the offset of the newest claim that is known of, or -1.
func (f *Fold) Newest() int64 { return f.claim - 1 }

// Apply takes the next record and says what it is worth. The Head is that of a state, and zero for all others. A record that
// is no state, claim or tombstone is wire.ErrUndecodable: skip it.
func (f *Fold) Apply(r *kgo.Record) (wire.Head, Verdict, error) {
	f.anew = false
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
			return wire.Head{}, Void, err
		}
		if h.Owner < f.Newest() {
			return h, Void, nil
		}
		// Compaction keeps the last claim only: that of an earlier owner is known by what it wrote.
		if h.Owner < r.Offset {
			f.anew = f.claim > 0 && f.Newest() < h.Owner && h.Owner < f.start
			f.claim = h.Owner + 1
		}
		return h, Current, nil
	}
	return wire.Head{}, Void, fmt.Errorf("%w: type %.40q in orders.status", wire.ErrUndecodable, wire.Type(r))
}
