package main

import (
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// perBatch is the number of orders of a batch: as many as the API reads of a backlog.
const perBatch = 2_500

const worker = "worker-1/4711/1.0.0"

// filler makes the records of orders.
type filler struct {
	drawn
	topics topic.Set
	layout kafka.Layout
	n      int
	now    time.Time
	next   map[kafka.Partition]int64 // offsets
	batch  []*kgo.Record
}

func newFiller(topics topic.Set, layout kafka.Layout, n int) *filler {
	return &filler{drawn: newDrawn(), topics: topics, layout: layout, n: n, now: time.Now().UTC().Truncate(time.Millisecond), next: map[kafka.Partition]int64{}}
}

// batches are the records of all orders, in the sequence in which they were placed.
func (f *filler) batches() iter.Seq[[]*kgo.Record] {
	return func(yield func([]*kgo.Record) bool) {
		for p := range int32(f.layout.Partitions) {
			f.add(f.topics.Status, p, wire.Claim{Worker: worker, At: f.now.AddDate(-1, 0, 0)}.Record())
		}
		for i := range f.n {
			f.order(i)
			if i%perBatch == perBatch-1 || i == f.n-1 {
				if !yield(f.batch) {
					return
				}
				f.batch = nil
			}
		}
	}
}

// add adds the next record of a partition.
func (f *filler) add(topic string, partition int32, r *kgo.Record) {
	p := kafka.Partition{Topic: topic, Number: partition}
	r.Topic, r.Partition, r.Offset = topic, partition, f.next[p]
	f.next[p]++
	f.batch = append(f.batch, r)
}

// order adds an order, its newest state, and what operators did.
func (f *filler) order(i int) {
	o := f.placed(i, f.n, f.now)
	s := f.begin(o)
	for _, status := range through(i) {
		if s.Status == order.Dead {
			s.Replays++
		}
		f.change(&s, status)
	}
	if s.Status == order.Confirmed {
		s.Progress = progress(&s)
	}
	f.state(s)
	if s.Status == order.Confirmed && i%50 == 0 {
		f.refund(s)
	}
	if i%500 == 0 {
		f.act(i, o)
	}
}

// begin adds an order as placed.
func (f *filler) begin(o order.Order) order.State {
	r := wire.Order(o)
	r.Timestamp = o.PlacedAt
	f.layout.Place(r)
	f.add(f.topics.Orders, r.Partition, r)
	return o.Begin(order.Origin{Incarnation: f.layout.Incarnation, Partition: r.Partition, Offset: r.Offset})
}

// change changes the status of an order, and adds its dead letter.
func (f *filler) change(s *order.State, status order.Status) {
	c := order.Change{Rev: s.Rev + 1, At: s.Order.PlacedAt.Add(time.Duration(s.Rev+1) * time.Second), Status: status, Replay: s.Replays, Worker: worker}
	if status == order.Dead {
		l := f.dead(s, c)
		c.Step, c.Reason = l.Step, string(l.Reason)
	}
	if err := s.Record(c); err != nil {
		panic(err)
	}
}

// state adds the state of an order that is begun.
func (f *filler) state(s order.State) {
	if s.Rev > 0 {
		f.add(f.topics.Status, s.Origin.Partition, wire.State(s, 0)) // the claim is the first record
	}
}

// cause is why orders fail.
type cause struct {
	step   order.Step
	reason failure.Reason
	text   string
}

func causes() []cause {
	return []cause{
		{order.StepShipping, failure.NoRoute, "step shipping: the rate card has no zone for AQ"},
		{order.StepShipping, failure.TooHeavy, "step shipping: parcel of 71 kg: at most 31.5 kg"},
		{order.StepEmail, failure.RecipientRefused, "step email: 550 5.1.1 mailbox does not exist"},
		{order.StepEmail, failure.RecipientRefused, "step email: 550 5.7.1 relaying denied"},
		{order.StepEmail, failure.MailRejected, "step email: 554 5.6.0 message refused"},
		{order.StepEmail, failure.MailBusy, "step email: 452 4.2.2 mailbox full"},
		{order.StepInvoice, failure.RenderRefused, "step invoice: no glyph for U+1F9FF"},
		{order.StepInvoice, failure.TooLarge, "step invoice: the document has 1,250,000 bytes"},
	}
}

// dead adds the dead letter of an order.
func (f *filler) dead(s *order.State, c order.Change) dlq.DeadLetter {
	all, r := causes(), wire.Order(s.Order)
	why := all[int(s.Origin.Offset)%len(all)]
	l := dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: s.Origin}, Topic: f.topics.Orders, Group: "order-workers",
		Step: why.step, Class: failure.Permanent, Reason: why.reason, Message: why.text, Attempts: 3, FirstFailed: s.Order.PlacedAt, LastFailed: c.At,
		Worker: worker, Rev: c.Rev,
	}
	record := l.Record()
	f.add(f.topics.DLQ, s.Origin.Partition, record)
	s.DeadLetter = &order.DeadLetter{ID: l.ID(), Partition: record.Partition, Offset: record.Offset, Step: l.Step, Reason: string(l.Reason)}
	if s.Origin.Offset%10 == 0 {
		f.add(f.topics.Desk, s.Origin.Partition, wire.Decision{
			ID: "d_" + string(s.Order.ID), At: c.At.Add(time.Hour), Cause: operator(), Kind: wire.Discard, DeadLetter: l.ID(), Text: "paid back by hand",
		}.Record())
	}
	return l
}

// refund adds a refund of all lines of an order.
func (f *filler) refund(of order.State) {
	o, wrong := of.Work.Refund(nil, false, nil)
	if len(wrong) > 0 {
		panic(fmt.Sprint(wrong))
	}
	o.PlacedAt, o.Refund.Key, o.Refund.Reason = of.Order.PlacedAt.Add(time.Minute), "00", "returned"
	s := f.begin(o)
	for _, status := range []order.Status{order.Working, order.Mailing, order.Confirmed} {
		f.change(&s, status)
	}
	s.Progress.Finished = order.Steps()
	f.state(s)
}

func operator() order.Cause {
	return order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "bench"}}
}

// act adds an act of an operator.
func (f *filler) act(i int, o order.Order) {
	kinds := []string{"cancel", "refund", "replay", "discard"}
	f.add(f.topics.Desk, f.layout.Partition([]byte(o.ID)), wire.Act{
		ID: fmt.Sprint("a", i), At: o.PlacedAt.Add(time.Minute), Cause: operator(), Kind: kinds[i/500%len(kinds)], Target: "order/" + string(o.ID),
		Reason: "asked by phone", Outcome: wire.Done, Count: 1,
	}.Record())
}

// found is what a client asks for: some values of each, of which all have orders.
type found struct {
	Orders  []string    `json:"orders"` // IDs
	Firsts  []string    `json:"firsts"` // first names
	Lasts   []string    `json:"lasts"`  // last names
	Stems   []string    `json:"stems"`  // that last names begin with
	Wholes  []string    `json:"wholes"` // first and last names of orders
	Mails   []string    `json:"mails"`
	Numbers []string    `json:"numbers"` // of the shop
	Owners  []string    `json:"owners"`  // of a few orders each
	Shop    string      `json:"shop"`    // owner of many orders
	Times   []time.Time `json:"times"`
}

// samples is how many values of each there are at most.
const samples = 200

func (f *filler) found() found {
	x := found{Firsts: f.firstNames, Stems: f.stems, Shop: shopOwner}
	for j := range samples {
		i := draw(j, "sample", f.n)
		first, last := f.nameOf(i)
		x.Orders, x.Mails = append(x.Orders, string(idOf(i))), append(x.Mails, mailOf(i))
		x.Lasts, x.Wholes = append(x.Lasts, last), append(x.Wholes, first+" "+last)
		o := f.placed(i, f.n, f.now)
		x.Times = append(x.Times, o.PlacedAt)
		if o.Reference != "" {
			x.Numbers = append(x.Numbers, o.Reference)
		}
		if o.Owner != (order.Actor{}) && o.Owner.ID != shopOwner {
			x.Owners = append(x.Owners, o.Owner.ID)
		}
	}
	return x
}
