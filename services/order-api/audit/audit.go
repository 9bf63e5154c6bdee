// Package audit says from Kafka alone what has become of every order that was accepted. It asks no service and trusts none.
//
// Each order is in exactly one place: confirmed, cancelled, discarded, dead with its dead letter,
// or in flight. The report counts them and names those that are in none or in two, and whatever
// contradicts itself: dead letters without a dead order, numbers used twice, invoices that are not
// the ones their orders point at, refunds of more than was invoiced.
//
// An order is in flight while a worker will still come across it: its record in the topic orders, or one that carries it
// on in another topic (carriers has the list, and says which of them are left behind), stands at or above the offset that
// the worker group has committed there.
// Whatever stands below was finished when it was committed, so what its worker wrote about it must be there.
//
// # Why a system at work raises no alarm
//
// Kafka has no snapshot over topics, but asking backwards will do. An order leaves its records in a
// fixed sequence: the order itself, what carries it on, dead letter or invoice, the state that
// points at them, and last the commit. The audit asks for the committed offsets first, then for the
// ends of orders.status, orders.invoices, orders.dlq and the carriers, and of orders last, and
// reads up to these. So of whatever it sees, it sees all that was written before:
//   - behind a committed offset stands the trace of what was finished;
//   - behind a state stand the invoice and the dead letter that it points at;
//   - an order that is unfinished by its state has a record that was not committed when the audit asked.
//
// Nothing promises that against a group whose offsets are set by hand, a leader that forgets records, or a compaction
// at our heels. So a suspicion becomes a fault only if it is still there after asking and reading on once more. That is
// repeated while suspicions come and go, up to maxRounds; those that came last are unsettled, and for the next run.
//
// # The horizon
//
// The topic orders forgets, the others do not. Of an order older than the oldest record in orders
// there is no proof that it was accepted: it is judged by its state, dead letter and invoice alone,
// and counted apart. Offsets that the log dropped before the group had committed them are lost for
// certain, and named.
//
// All there is about an order stands under one partition number, so partitions are audited one by one, a few at a time. That no
// ID was worked on under two of them is looked at when all are read. An order takes less than 100 bytes of memory; documents are hashed and let go.
//
// # Refunds
//
// A refund is an order of its own, and may stand under another partition number than the order that it refunds. So refunds
// are held against invoices, and against each other, when all partitions are read. Whoever appends a refund has seen the invoice and
// all earlier refunds of its order. So there the audit asks backwards too: it judges those refunds that stood in orders before
// it asked for anything else.
package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

const (
	maxRounds = 5  // of reading on, until no suspicion is new
	atOnce    = 4  // partitions: the broker and the decoding take turns
	maxNamed  = 20 // places of each kind of fault that a report names; it counts all

	maxUncertain = 10_000 // orders with uncertain mails that a report names; it counts all
)

// Run audits topics that a consumer group works on, up to where they end while it runs. It blocks until all of them are
// read; one whose leader does not answer is named instead. It returns kafka.ErrTopics for topics that are not as they must be, and wire.ErrNewer for what a newer version wrote.
func Run(ctx context.Context, cfg kafka.Config, topics topic.Set, group string) (Report, error) {
	cl, err := cfg.Connect(ctx)
	if err != nil {
		return Report{}, err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, topics)
	if err != nil {
		return Report{}, err
	}
	a := &auditor{
		cl: cl, kafka: kafka.NewReader(cl, topics.DLQ), topics: topics, group: group,
		incarnation: layout.Incarnation, seed: maphash.MakeSeed(), carriers: carriers(topics),
	}
	report := Report{Prefix: topics.Orders, Group: group, Began: time.Now().UTC().Truncate(time.Second), Uncertain: Uncertain{IDs: []order.ID{}}}
	for number := range layout.Partitions {
		a.tables = append(a.tables, newTable(order.Origin{Incarnation: a.incarnation, Partition: int32(number)}, topics.Orders, a.seed))
	}
	verdicts, err := a.judge(ctx)
	if err != nil {
		return Report{}, err
	}
	for _, v := range verdicts {
		report.add(v)
	}
	report.Faults = named(verdicts)
	return report, a.name(ctx, report.Faults)
}

// auditor is one run. It is not changed while its partitions are audited side by side.
type auditor struct {
	cl          *kgo.Client
	kafka       kafka.Reader
	topics      topic.Set
	group       string
	incarnation string // of the topic orders
	seed        maphash.Seed
	carriers    []carrier
	tables      []*table // by partition number
}

// judge audits all partition numbers, and then what reaches over them: refunds, and the IDs of orders.
func (a *auditor) judge(ctx context.Context) ([]verdict, error) {
	var orders []kafka.Partition
	for number := range a.tables {
		orders = append(orders, kafka.Partition{Topic: a.topics.Orders, Number: int32(number)})
	}
	before := kafka.Ends(ctx, a.cl, orders...)
	verdicts := make([]verdict, len(a.tables))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for number, t := range a.tables {
		g.Go(func() (err error) {
			verdicts[number], err = a.partition(ctx, t)
			if errors.Is(err, errSilent) && ctx.Err() == nil {
				verdicts[number], err = verdict{unread: err}, nil
			}
			if err != nil {
				return fmt.Errorf("auditing partition %d: %w", number, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	a.balance(verdicts, before)
	a.apart(verdicts)
	return verdicts, nil
}

// partition reads a partition number over all topics, and reads on while suspicions come and go.
func (a *auditor) partition(ctx context.Context, t *table) (verdict, error) {
	for round := uint8(1); ; round++ {
		b, err := a.measure(ctx, t.origin.Partition)
		if err != nil {
			return verdict{}, err
		}
		if err := a.readOn(ctx, t, b, round); err != nil {
			return verdict{}, err
		}
		if v := t.judge(b, round); v.fresh == 0 || round == maxRounds {
			return v, nil
		}
	}
}
