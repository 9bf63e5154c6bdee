package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
)

// position is where the reading of a topic's partition continues.
type position struct {
	topic      string
	next       kgo.EpochOffset // the first record that the group has not finished; start if it has finished none
	committed  bool
	metadata   string // of the commit
	since      ledger.Mark
	foreign    bool  // the commit was made by another client, or by a tool
	passed     int64 // its offset then
	start, end int64 // of the log; records of open transactions are behind the end
	cut        int64 // where the records of the epoch end: if below next, a leader has lost some, and others may be there now; or unknown
}

// unknown is no offset, and no epoch.
const unknown = -1

// signed takes what an order worker wrote into the metadata of a commit. The offset of another client
// is not used: the position is the start of the log. Status is the end of orders.status.
func (p *position) signed(commit kafka.Commit, status int64) {
	_, since, ours := signer(commit)
	switch {
	case ours:
		p.metadata, p.since = commit.Metadata, since
	case p.committed:
		p.metadata, p.foreign, p.passed, p.cut = commit.Metadata, true, commit.At, unknown
		p.restart(p.start)
	case p.next.Offset < p.end:
		p.since = ledger.Mark{Offset: p.next.Offset}
	default: // the log is empty: the states of later records are behind the end
		p.since = ledger.Mark{Offset: p.next.Offset, Floor: status}
	}
}

// restart sets the position to an offset of which nothing is known.
func (p *position) restart(at int64) {
	p.next = kgo.EpochOffset{Epoch: unknown, Offset: at}
	p.since = ledger.Mark{Offset: at}
}

// loss is a stretch of a log that is gone although, as far as is known, its records were not finished.
type loss struct {
	topic    string
	number   int32
	from, to int64
}

// Error names the lost offsets.
func (l *loss) Error() string {
	return fmt.Sprintf("lost: offsets %d to %d of %s/%d", l.from, l.to-1, l.topic, l.number)
}

// lost is what is missing between a position and the log, or nil. Behind the end, or behind a cut, a
// leader has lost records: the records that are there now, or soon, are not those that were finished.
func (p *position) lost(number int32) *loss {
	switch at := p.next.Offset; {
	case at < p.start:
		return &loss{p.topic, number, at, p.start}
	case p.cut != unknown && p.cut < at:
		return &loss{p.topic, number, p.cut, at}
	case at > p.end:
		return &loss{p.topic, number, p.end, at}
	}
	return nil
}

// behind is where the reading continues when the loss is accepted.
func (p *position) behind() int64 {
	if p.cut != unknown && p.cut < p.next.Offset {
		return max(p.start, p.cut)
	}
	return p.start
}

// start is where the ledger of a partition begins to read.
func start(found []position) ledger.Start {
	s := ledger.Start{Next: found[0].next.Offset, Since: map[string]ledger.Mark{}}
	for _, p := range found {
		s.Since[p.topic] = p.since
	}
	return s
}
