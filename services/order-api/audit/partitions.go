package audit

import (
	"cmp"
	"slices"
)

// shares is the number of parts in which IDs are compared, to limit the memory that this takes.
const shares = 16

// processed is an order that has a state or an invoice.
type processed struct {
	member
	partition int
}

// comparePartitions finds order IDs that were processed in two partitions. States and invoices are
// never deleted, so one round is enough.
func (a *auditor) comparePartitions(verdicts []verdict) {
	var wrong []processed
	for share := range uint64(shares) {
		for rest := a.processed(verdicts, share); len(rest) > 0; {
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
	// Name the oldest faults.
	slices.SortFunc(wrong, func(a, b processed) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for _, w := range wrong {
		verdicts[w.partition].fault(twoPartitions, w.offset, 1)
	}
}

// processed lists the processed orders of a share of the IDs, sorted by ID.
func (a *auditor) processed(verdicts []verdict, share uint64) (all []processed) {
	for number, t := range a.tables {
		if verdicts[number].unread != nil {
			continue
		}
		for page, p := range t.pages {
			for i := range p {
				if e := &p[i]; e.key != 0 && e.key%shares == share && (e.status() != "" || e.kept != 0) {
					all = append(all, processed{member{e.key, page*pageSize + int64(i)}, number})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b processed) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.partition, b.partition))
	})
	return all
}
