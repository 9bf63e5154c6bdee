package group

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
)

// partition is one owned partition number over all topics that it is read from. Its fields are guarded by lanes.mu, but for those set at the start.
type partition struct {
	number   int32
	ledger   *ledger.Ledger
	work     func(r *kgo.Record) error // works on one record until it is finished; nil means that it is
	abandon  func(cause error)         // ends every work in hand before its next effect
	repeat   string                    // of a partition that is not worked on: what was said beside the group's last commit
	stopping chan struct{}             // closed when the partition is about to go: work that waits gives up

	sources []*source            // in turn: the first is asked first
	lanes   map[string][]record  // by key, while an order of it is in hand: what waits behind it
	ready   []record             // heads of lanes whose predecessor has finished
	inHand  map[record]time.Time // since when
	held    error                // why nothing of it may be begun any more; or nil
	idle    chan struct{}        // set while draining; closed when nothing is in hand
	removed chan struct{}        // closed when lanes know it no more
}

// record is a fetched record and where it came from.
type record struct {
	*kgo.Record
	from *source
}

// maxSpan is the most that a crash can make a partition look at again.
const maxSpan = 1000

// begins reports whether records of it are begun at all.
func (p *partition) begins() bool { return p.idle == nil && p.held == nil }

// next begins the next record that may be worked on: the head of a lane that is free. Records of a busy lane are begun
// too, in their place behind it. Sources take turns: a flood of replays must not hold up the orders, nor they the replays.
func (p *partition) next() (record, bool) {
	if !p.begins() {
		return record{}, false
	}
	if len(p.ready) > 0 {
		r := p.ready[0]
		p.ready = p.ready[1:]
		r.from.bytes -= size(r.Record)
		return r, true
	}
	now := time.Now()
	for range p.sources {
		s := p.sources[0]
		p.sources = append(p.sources[1:], s)
		for len(s.queue) > 0 && s.mark.span(s.queue[0].Offset) < maxSpan {
			if _, shut := s.shut(now); shut {
				break
			}
			r := record{s.queue[0], s}
			s.queue = s.queue[1:]
			s.mark.begin(r.Offset, r.LeaderEpoch)
			key := lane(r)
			behind, busy := p.lanes[key]
			if !busy {
				p.lanes[key] = nil
				s.bytes -= size(r.Record)
				return r, true
			}
			p.lanes[key] = append(behind, r)
		}
	}
	return record{}, false
}

// finish frees the lane of a record, and marks the record if it is finished.
func (p *partition) finish(r record, finished bool) {
	if finished {
		r.from.mark.finish(r.Offset)
	}
	key := lane(r)
	delete(p.inHand, r)
	if behind := p.lanes[key]; len(behind) > 0 {
		p.ready, p.lanes[key] = append(p.ready, behind[0]), behind[1:]
		return
	}
	delete(p.lanes, key)
}

// lane is the key by which records are worked on one after the other: the order's ID, whatever topic the record comes
// from. A record without a key stands alone.
func lane(r record) string {
	if len(r.Key) > 0 {
		return string(r.Key)
	}
	return r.from.topic + "@" + strconv.FormatInt(r.Offset, 10)
}
