package audit

import (
	"cmp"
	"slices"
)

// shares is in how many parts the IDs are compared over all partitions: so little more memory is taken at a time.
const shares = 16

// worked is an order with a state or an invoice, in a partition number.
type worked struct {
	member
	partition int
}

// apart finds order IDs that were worked on under two partition numbers: each has a state or an invoice there. Neither is ever taken
// back, so there is no need to look twice.
func (a *auditor) apart(verdicts []verdict) {
	var wrong []worked
	for share := range uint64(shares) {
		for rest := a.worked(verdicts, share); len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].key == rest[0].key {
				n++
			}
			if rest[0].partition != rest[n-1].partition {
				wrong = append(wrong, rest[:n]...)
			}
			rest = rest[n:]
		}
	}
	// Of many faults the oldest are named.
	slices.SortFunc(wrong, func(a, b worked) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for _, w := range wrong {
		verdicts[w.partition].faults[twoPartitions.index()].add(w.offset, 1)
	}
}

// worked lists the orders of a share of the IDs that were worked on, those of one ID together.
func (a *auditor) worked(verdicts []verdict, share uint64) (all []worked) {
	for number, t := range a.tables {
		if verdicts[number].unread != nil {
			continue
		}
		for page, p := range t.pages {
			for i := range p {
				if e := &p[i]; e.key != 0 && e.key%shares == share && (e.status() != "" || e.kept != 0) {
					all = append(all, worked{member{e.key, page*pageSize + int64(i)}, number})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b worked) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.partition, b.partition)) })
	return all
}
