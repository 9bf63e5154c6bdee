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
	owners map[int32]owner   // by partition of orders.status
	gone   map[order.ID]bool // the orders that the last batch erased
	total  atomic.Int64      // stale states of all partitions
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
	p.gone = nil
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
	p.gone = d.gone
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
	owners   map[int32]owner   // of the partitions that records were added of
	gone     map[order.ID]bool // the orders that it erases
	known    entries           // of some of the records
	newest   *newest           // or nil: each record is read when it is added
}

func (p *projection) draft(dlqStart map[int32]int64, known entries) *draft {
	return &draft{
		Batch: Batch{Positions: map[kafka.Partition]Position{}}, p: p, dlqStart: dlqStart,
		changed: map[order.ID]bool{}, gone: map[order.ID]bool{}, owners: map[int32]owner{}, known: known,
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
	if d.newest != nil {
		return d.newest.placed(d, r)
	}
	return d.place(r)
}

// place adds an order as placed.
func (d *draft) place(r *kgo.Record) error {
	e := d.read(r)
	if id := order.ID(r.Key); e.known && (d.p.gone[id] || d.gone[id]) { // it was known before that
		e = d.p.read(r)
	}
	if e.err == nil && !e.known {
		d.change(e.row, Placed{e.row, r.Timestamp})
	}
	return e.err
}

// change adds a change of an order. Those that watch the order that a refund is of learn of it,
// too.
func (d *draft) change(o Row, c Change) {
	d.Changes = append(d.Changes, c)
	d.changed[o.ID] = true
	if o.RefundOf != "" {
		d.changed[o.RefundOf] = true
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
		return d.erased(r)
	case status.Current:
		return d.state(r, head)
	}
	return nil
}

func (d *draft) erased(r *kgo.Record) error {
	if d.newest != nil {
		if err := d.newest.settle(d, r); err != nil {
			return err
		}
	}
	id := order.ID(r.Key)
	d.gone[id] = true
	d.change(Row{ID: id}, Erased{id, r.Partition, r.Timestamp})
	return nil
}

func (d *draft) state(r *kgo.Record, head wire.Head) error {
	if d.newest != nil {
		return d.newest.state(d, r, head)
	}
	return d.replace(r, head)
}

// replace adds the state of an order.
func (d *draft) replace(r *kgo.Record, head wire.Head) error {
	e := d.read(r)
	if e.err != nil {
		return e.err
	}
	row := e.row
	row.Offset, row.Status, row.Rev, row.StateAt = head.Origin, head.Status, head.Rev, r.Offset
	d.change(row, Changed{row})
	d.replayed(e.replays...)
	if e.dead != nil {
		d.Changes = append(d.Changes, d.pointed(*e.dead))
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
