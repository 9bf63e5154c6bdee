package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

const group = "order-workers"

// act is one operation on Kafka: appending a record or committing an offset.
type act struct {
	record    *kgo.Record
	topic     string
	partition int32
	commit    int64
}

// book is a sequence of acts on the topics of a prefix.
type book struct {
	topics      topic.Set
	incarnation string
	acts        []act
	ends        map[string]int64
}

// newBook creates the topics of a prefix.
func newBook(t fataler, k *kafkatest.Kafka, prefix string) *book {
	t.Helper()
	b := &book{topics: topic.Names(prefix), ends: map[string]int64{}}
	if _, err := kafka.Create(k.Client.Context(), k.Client, b.topics, kafkatest.Partitions, 0); err != nil {
		t.Fatal(err)
	}
	layout, err := kafka.Check(k.Client.Context(), k.Client, b.topics)
	if err != nil {
		t.Fatal(err)
	}
	b.incarnation = layout.Incarnation
	return b
}

// fataler is a testing.T or a rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
}

// append adds the act of appending a record, and returns its offset.
func (b *book) append(name string, partition int32, r *kgo.Record) int64 {
	r.Topic, r.Partition = name, partition
	b.acts = append(b.acts, act{record: r})
	at := fmt.Sprint(name, "/", partition)
	b.ends[at]++
	return b.ends[at] - 1
}

// play performs the next n acts, or all that are left.
func (b *book) play(t fataler, k *kafkatest.Kafka, n int) {
	t.Helper()
	n = min(n, len(b.acts))
	var records []*kgo.Record
	flush := func() {
		if err := k.Client.ProduceSync(k.Client.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		records = nil
	}
	for _, a := range b.acts[:n] {
		if a.record != nil {
			records = append(records, a.record)
			continue
		}
		flush()
		var offsets kadm.Offsets
		offsets.AddOffset(a.topic, a.partition, a.commit, -1)
		if err := kadm.NewClient(k.Client).CommitAllOffsets(k.Client.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	b.acts = b.acts[n:]
}

// lose replaces a record by one without a meaning.
func (b *book) lose(at int) {
	r := b.acts[at].record
	b.acts[at].record = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: []byte("gone"), Value: []byte("gone")}
}

// clerk writes the records of the owner of a partition.
type clerk struct {
	*book
	partition int32
	claims    []int64
	ids       int
}

// paper is the state of one record of orders.
type paper struct {
	order.State
	key     []byte
	value   []byte
	replays int
	job     string        // that asks for the newest replay
	refunds []order.Order // of this order
	// Acts that would be missed: the newest of each kind. A state that was repaired stands twice.
	state, kept, deadLetter, voided, carried int
	twice                                    bool
}

func newClerk(b *book, partition int32) *clerk {
	c := &clerk{book: b, partition: partition}
	c.claim()
	return c
}

func (c *clerk) claim() {
	c.claims = append(c.claims, c.append(c.topics.Status, c.partition, wire.Claim{Worker: "w", At: clock}.Record()))
}

var clock = time.UnixMilli(1_700_000_000_000).UTC()

// place appends an order with a new ID, or a duplicate of one.
func (c *clerk) place(of *paper) *paper {
	p := &paper{}
	if of != nil {
		p.State = of.Order.Begin(order.Origin{})
	} else {
		c.ids++
		p.State = order.Order{
			ID: order.ID(fmt.Sprintf("ord_%d_%d", c.partition, c.ids)), PlacedAt: clock, Service: order.Standard,
			Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
			ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
			Lines:    []order.Line{{SKU: "A", Quantity: 2, Name: "a", UnitPrice: order.EUR.Cents(50)}},
		}.Begin(order.Origin{})
	}
	return c.put(p, wire.Order(p.Order))
}

// refund appends the next refund of an order in any partition: of one item, or of the remainder. It
// returns nil if nothing is left.
func (c *clerk) refund(of *paper, asked ...order.Line) *paper {
	o, wrong := of.Refund(asked, false, of.refunds)
	if len(wrong) > 0 {
		return nil
	}
	o.PlacedAt, o.Refund.Key = clock, "ab"
	of.refunds = append(of.refunds, o)
	return c.put(&paper{State: o.Begin(order.Origin{})}, wire.Order(o))
}

var piece = order.Line{SKU: "A", Quantity: 1}

// poison appends a record that is no order.
func (c *clerk) poison(key string) *paper {
	return c.put(&paper{}, &kgo.Record{Key: []byte(key), Value: []byte("?")})
}

func (c *clerk) put(p *paper, r *kgo.Record) *paper {
	p.key, p.value = r.Key, r.Value
	p.Origin = order.Origin{Incarnation: c.incarnation, Partition: c.partition, Offset: c.append(c.topics.Orders, c.partition, r)}
	return p
}

// write appends the next state of an order.
func (c *clerk) write(p *paper, s order.Status) {
	if s == order.Working && p.Progress.Invoice == nil {
		p.Progress.Shipping = &order.Shipping{Price: order.EUR.Cents(0)}
		p.Progress.Invoice = bill(p)
	}
	kafkatest.Force(&p.State, order.Change{Rev: p.Rev + 1, At: clock, Status: s, Replay: p.replays, Job: p.job})
	p.state, p.twice = len(c.acts), false
	c.append(c.topics.Status, c.partition, wire.State(p.State, c.claims[len(c.claims)-1]))
}

// bill is the invoice of an order, or the credit note of a refund.
func bill(p *paper) *order.Invoice {
	number, net, tax := p.Origin.InvoiceNumber(), order.EUR.Cents(100), order.EUR.Cents(19)
	if r := p.Order.Refund; r != nil {
		number, net, tax = p.Origin.CreditNoteNumber(), p.Order.Refunded(), r.Tax
	}
	taxes := []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: net, Tax: tax}}
	return &order.Invoice{Number: number, IssuedAt: clock, Taxes: taxes, Net: net, Tax: tax, Total: net.Plus(tax)}
}

// haunt appends a state of a worker that has lost the partition (a stale state).
func (c *clerk) haunt(p *paper) {
	s := p.State
	kafkatest.Force(&s, order.Change{Rev: s.Rev + 1, At: clock, Status: order.Dead})
	c.append(c.topics.Status, c.partition, wire.State(s, c.claims[len(c.claims)-2]))
}

// repair appends the newest state again, after a stale one.
func (c *clerk) repair(p *paper) {
	p.twice = true
	c.append(c.topics.Status, c.partition, wire.State(p.State, c.claims[len(c.claims)-1]))
}

// keep appends an invoice; point makes the state point to it.
func (c *clerk) keep(p *paper, document string) (point func()) {
	p.Document = []byte(document)
	at := len(c.acts)
	offset := c.append(c.topics.Invoices, c.partition, wire.Invoice(&p.State, clock))
	return func() {
		p.kept = at
		p.Progress.Invoice.Kept = &order.Kept{Offset: offset, SHA256: wire.SHA256([]byte(document)), Bytes: len(document)}
	}
}

func (c *clerk) asDeadLetter(p *paper) *dlq.DeadLetter {
	return &dlq.DeadLetter{
		Source: p.source(), Topic: c.topics.Orders, Reason: failure.NoRoute, Rev: p.Rev + 1, Replays: p.replays, Job: p.job, Progress: p.Progress,
	}
}

// deadLetter appends a dead letter; a later state points to it.
func (c *clerk) deadLetter(p *paper) {
	l := c.asDeadLetter(p)
	p.deadLetter = len(c.acts)
	p.DeadLetter = &order.DeadLetter{ID: l.ID(), Partition: c.partition, Offset: c.append(c.topics.DLQ, c.partition, l.Record())}
}

func (c *clerk) void(p *paper, reason failure.Reason) {
	p.voided = len(c.acts)
	c.append(c.topics.Invoices, c.partition, wire.VoidNumber{Origin: p.Origin, Reason: string(reason), At: clock}.Record())
}

// replay appends a replay request.
func (c *clerk) replay(p *paper) int64 {
	p.replays++
	return c.append(c.topics.Replay, c.partition, p.request().Record())
}

// request asks for the newest replay of a dead letter.
func (p *paper) request() *wire.ReplayRequest {
	return &wire.ReplayRequest{Source: p.source(), At: clock, Number: p.replays, Rev: p.Rev, Progress: p.Progress, Job: p.job}
}

func (p *paper) source() wire.Source {
	return wire.Source{Key: p.key, Value: p.value, Origin: p.Origin}
}

// carry appends the retry or waiting record of an order. Its state is written next.
func (c *clerk) carry(p *paper, topic string) int64 {
	p.carried = len(c.acts)
	parked := wire.Parked{Source: p.source(), At: clock, Status: order.Retrying, Rev: p.Rev + 1, Replay: p.replays, Job: p.job, Progress: p.Progress}
	if topic == c.topics.Waiting {
		parked.Status = order.Waiting
	}
	return c.append(topic, c.partition, parked.Record())
}

// park makes an order retrying or waiting.
func (c *clerk) park(p *paper, s order.Status) *paper {
	c.carry(p, c.pen(s))
	c.write(p, s)
	return p
}

// pen is the topic of a parked status.
func (c *clerk) pen(s order.Status) string {
	if s == order.Waiting {
		return c.topics.Waiting
	}
	return c.topics.Retry10s
}

// sources are the topics that a worker commits.
func (c *clerk) sources() []string {
	return []string{c.topics.Orders, c.topics.Retry10s, c.topics.Retry2m, c.topics.Waiting, c.topics.Replay}
}

func (c *clerk) commit(topic string, offset int64) {
	c.acts = append(c.acts, act{topic: topic, partition: c.partition, commit: offset})
}

// commitAll commits the ends of all topics that a worker reads.
func (c *clerk) commitAll() {
	for _, name := range c.sources() {
		c.commit(name, c.ends[fmt.Sprint(name, "/", c.partition)])
	}
}

// confirm processes an order completely.
func (c *clerk) confirm(p *paper) *paper {
	c.write(p, order.Working)
	c.keep(p, "%PDF "+p.Progress.Invoice.Number)()
	c.write(p, order.Mailing)
	c.write(p, order.Confirmed)
	return p
}

// fail makes an order dead that could not be shipped.
func (c *clerk) fail(p *paper) *paper {
	c.deadLetter(p)
	c.write(p, order.Dead)
	return p
}

// clean writes a history with all kinds of orders and no faults.
func clean(c *clerk) {
	a := c.confirm(c.place(nil))
	c.fail(c.place(nil))
	c.void(c.place(a), failure.Duplicate)
	x := c.poison("")
	c.deadLetter(x)
	c.void(x, failure.Undecodable)
	again := c.fail(c.place(nil))
	c.replay(again)
	c.confirm(again)
	c.place(nil) // not begun: in flight
	half := c.place(nil)
	c.write(half, order.Working)
	c.commit(c.topics.Orders, 5)
	c.commit(c.topics.Replay, 1)
	c.commit(c.topics.Retry10s, 0)
}

// produce writes to partition 1 of the topics that are there already, one clerk for all.
func produce(t testing.TB, k *kafkatest.Kafka, write ...func(*clerk)) {
	t.Helper()
	b := newBook(t, k, k.Prefix)
	c := newClerk(b, 1)
	for _, w := range write {
		w(c)
	}
	b.play(t, k, len(b.acts))
}
