package view

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/cause"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// projection says which record changes what. It remembers of each partition of orders.status who
// owns it. It is for one goroutine, but for total.
type projection struct {
	topics topic.Set
	home   func(key []byte, headers []kgo.RecordHeader) int32 // or nil
	log    *slog.Logger
	owners map[int32]owner // by partition of orders.status
	total  atomic.Int64    // stale states of all partitions
}

// owner is what the records of a partition of orders.status add up to.
type owner struct {
	fold  status.Fold
	stale int64 // states that were skipped
}

func newProjection(topics topic.Set, home func([]byte, []kgo.RecordHeader) int32, log *slog.Logger) *projection {
	return &projection{topics: topics, home: home, log: log, owners: map[int32]owner{}}
}

// resume takes over what a store has applied; nil is nothing.
func (p *projection) resume(positions map[kafka.Partition]Position) {
	clear(p.owners)
	for at, position := range positions {
		if at.Topic == p.topics.Status {
			p.owners[at.Number] = owner{status.At(position.Claim), position.Stale}
		}
	}
	p.count()
}

// commit takes over a batch that a store has applied.
func (p *projection) commit(d *draft) {
	maps.Copy(p.owners, d.owners)
	p.count()
}

func (p *projection) count() {
	var n int64
	for _, o := range p.owners {
		n += o.stale
	}
	p.total.Store(n)
}

// draft is a batch in the making. It changes nothing in the projection before commit.
type draft struct {
	Batch
	p        *projection
	dlqStart map[int32]int64 // where the partitions of the dead-letter topic start
	changed  map[order.ID]bool
	owners   map[int32]owner // of the partitions that records were added of
}

func (p *projection) draft(dlqStart map[int32]int64) *draft {
	return &draft{
		Batch: Batch{Positions: map[kafka.Partition]Position{}}, p: p, dlqStart: dlqStart,
		changed: map[order.ID]bool{}, owners: map[int32]owner{},
	}
}

// add adds what a record changes, and its position. It is wire.ErrNewer for a record of a newer
// schema version, which it does not add.
func (d *draft) add(r *kgo.Record) error {
	position := Position{Next: r.Offset + 1, Epoch: r.LeaderEpoch, Claim: -1}
	if err := d.record(r); err != nil {
		if !errors.Is(err, wire.ErrUndecodable) && !errors.Is(err, dlq.ErrForeign) {
			return err
		}
		d.p.log.Debug("skipping a record", telemetry.Topic, r.Topic, telemetry.Partition, r.Partition,
			telemetry.Offset, r.Offset, telemetry.Error, err)
	}
	if r.Topic == d.p.topics.Status {
		o := d.owner(r.Partition)
		position.Claim, position.Stale = o.fold.Newest(), o.stale
	}
	d.Positions[kafka.Partition{Topic: r.Topic, Number: r.Partition}] = position
	return nil
}

func (d *draft) record(r *kgo.Record) error {
	switch {
	case r.Attrs.IsControl():
		return nil
	case r.Topic == d.p.topics.Orders:
		return d.placed(r)
	case r.Topic == d.p.topics.Status:
		return d.status(r)
	case r.Topic == d.p.topics.Desk:
		return d.desk(r)
	case r.Topic != d.p.topics.DLQ:
		d.fromForeign(r)
		return nil
	}
	return d.deadLetter(r)
}

func (d *draft) placed(r *kgo.Record) error {
	o, err := wire.ReadOrder(r)
	if err != nil {
		return err
	}
	if home := d.p.home; home != nil && home(r.Key, r.Headers) != r.Partition {
		return fmt.Errorf("%w: order %s belongs to partition %d", wire.ErrUndecodable, o.ID, home(r.Key, r.Headers))
	}
	row := newRow(o, r)
	row.Offset, row.Status = r.Offset, order.Accepted
	d.change(o, Placed{row, r.Timestamp})
	return nil
}

// newRow is the part of a row that is the same for an order that was placed and one that is begun.
func newRow(o order.Order, r *kgo.Record) Row {
	row := Row{ID: o.ID, Partition: r.Partition, PlacedAt: o.PlacedAt, Owner: o.Owner, Reference: o.Reference, Value: r.Value}
	row.Words = words(people(o))
	if o.Refund != nil {
		row.RefundOf = o.Refund.Of
	}
	return row
}

// people are the texts of an order by which people look for it.
func people(o order.Order) string {
	buyer, _ := o.Buyer()
	return strings.Join([]string{o.Customer.Name, o.Customer.Company, buyer.Name, buyer.Company, o.Customer.Email}, " ")
}

// change adds a change of an order. Those that watch the order that a refund is of learn of it,
// too.
func (d *draft) change(o order.Order, c Change) {
	d.Changes = append(d.Changes, c)
	d.changed[o.ID] = true
	if o.Refund != nil {
		d.changed[o.Refund.Of] = true
	}
}

func (d *draft) owner(partition int32) owner {
	if o, ok := d.owners[partition]; ok {
		return o
	}
	return d.p.owners[partition]
}

func (d *draft) status(r *kgo.Record) error {
	owner := d.owner(r.Partition)
	head, verdict, err := owner.fold.Apply(r)
	if err == nil && verdict == status.Stale {
		owner.stale++
	}
	d.owners[r.Partition] = owner
	if err != nil {
		return err
	}
	switch verdict {
	case status.Erased:
		id := order.ID(r.Key)
		d.change(order.Order{ID: id}, Erased{id, r.Partition, r.Timestamp})
	case status.Current:
		return d.state(r, head)
	}
	return nil
}

func (d *draft) state(r *kgo.Record, head wire.Head) error {
	s, err := wire.ReadState(r)
	if err != nil {
		return err
	}
	row := newRow(s.Order, r)
	row.Offset, row.Status, row.Rev, row.Begun, row.StateAt = head.Origin, head.Status, head.Rev, true, r.Offset
	d.change(s.Order, Changed{row})
	d.replayed(replays(s)...)
	if s.Status == order.Dead && s.DeadLetter != nil {
		d.Changes = append(d.Changes, d.pointed(s))
	}
	return nil
}

// pointed is the dead letter that a dead order points at, as far as its state tells. The record may
// be gone from its topic.
func (d *draft) pointed(s order.State) Failed {
	died := s.Timeline[len(s.Timeline)-1]
	for _, c := range slices.Backward(s.Timeline) {
		if c.Status == order.Dead && !c.Answers() {
			died = c
			break
		}
	}
	at := s.DeadLetter
	l := dlq.DeadLetter{
		Step: at.Step, Class: failure.Permanent, Reason: failure.Reason(at.Reason), FirstFailed: died.At, LastFailed: died.At,
		Replays: s.Replays, Rev: died.Rev,
	}
	l.Key, l.Origin, l.Cause, l.Topic = []byte(s.Order.ID), s.Origin, s.Order.Cause, d.p.topics.Orders
	gone := at.Offset < d.dlqStart[at.Partition]
	return described(Failed{DeadLetter: l, Partition: at.Partition, Offset: at.Offset, Gone: gone, FromState: true}, s.Order)
}

func (d *draft) deadLetter(r *kgo.Record) error {
	l, err := dlq.Read(r)
	if err == nil && l.Topic != d.p.topics.Orders {
		err = fmt.Errorf("%w: origin in topic %.100q", dlq.ErrForeign, l.Topic)
	}
	if err != nil {
		return err
	}
	gone := r.Offset < d.dlqStart[r.Partition]
	o, _ := l.Order() // what is no order is a dead letter, too
	d.changed[deadLetters] = true
	d.Changes = append(d.Changes, described(Failed{DeadLetter: l, Partition: r.Partition, Offset: r.Offset, Gone: gone}, o))
	if l.Replays > 0 { // of an order, its state says the same, and counts
		d.replayed(Answered{
			Origin: l.Origin, Number: l.Replays, Job: l.Job, Outcome: FailedAgain, At: l.LastFailed, Step: l.Step, Reason: string(l.Reason),
		})
	}
	return nil
}

// described adds to a dead letter what it is grouped and found by. The order may be zero.
func described(l Failed, o order.Order) Failed {
	l.Text = cause.Normalise(l.Message, cause.Of(l.Key, l.Value))
	l.CauseID = cause.ID(l.Foreign, string(l.Step), string(l.Reason), l.Text)
	trace := strings.Split(l.Cause.Trace+"--", "-")[1]
	l.Words = append(words(strings.Join([]string{string(l.Key), trace, l.Message, o.Reference, people(o)}, " ")), idWord(l.ID()))
	return l
}

func (d *draft) desk(r *kgo.Record) error {
	if wire.Type(r) == wire.TypeDecision {
		decision, err := wire.ReadDecision(r)
		if err == nil {
			d.Changes = append(d.Changes, Decided{decision})
		}
		return err
	}
	if known, err := d.ofJob(r); known {
		return err
	}
	a, err := wire.ReadAct(r)
	if err == nil {
		d.Changes = append(d.Changes, Acted{a})
	}
	return err
}
