// Package audit accounts for every accepted order. It reads Kafka only, and depends on no service.
//
// Each order is in exactly one place: confirmed, cancelled, dead with its dead letter,
// erased, or in flight. The report counts them, and names orders in no place or in two. It also
// names contradictions: dead letters without a dead order, numbers that were used twice, invoices
// that are not those in the states of their orders, refunds of more than was invoiced.
//
// An order is in flight while a worker will still read a record of it at or above the committed
// offset: the order itself, or a record in another topic that continues it. The function carriers
// lists those topics, and tells which of their records workers ignore. An order below the committed
// offset was processed, so its results must exist.
//
// # Auditing while workers run
//
// Kafka has no snapshot over several topics. Instead the audit reads offsets in reverse order of
// writing. The records of an order are written in a fixed sequence: the order, records that
// continue it, dead letter or invoice, the state that points to them, and the commit. The audit
// reads the committed offsets first, then the ends of orders.status, orders.invoices, orders.dlq
// and the carriers, and the end of orders last. It then reads the topics up to these ends. So
// whatever it sees, it also sees everything that was written before:
//   - for a committed offset, the result of the order;
//   - for a state, the invoice and the dead letter that it points to;
//   - for a state that is not final, a record that was not committed.
//
// This does not hold if somebody resets the offsets of the group, if an unclean leader loses
// records, or while a topic is compacted. So a suspected fault counts only if it is still there in
// the next round of measuring and reading. Rounds are repeated while the suspected faults change,
// at most maxRounds times. Those of the last round are reported as unsettled.
//
// # Horizon
//
// Retention deletes old records of orders; the other topics keep theirs. An order older than the
// oldest record in orders cannot be proved to be accepted: it is judged by state, dead letter and
// invoice only, and counted separately. Offsets that were deleted before the group had committed
// them are lost.
//
// All records of an order have the same partition number, so partitions are audited independently,
// a few at a time. An order takes less than 100 bytes of memory; only hashes of documents are kept.
// Whether an ID was processed in two partitions is checked at the end.
//
// # Refunds
//
// A refund is a separate order, possibly in another partition than the refunded order. So refunds
// are compared with invoices, and with each other, at the end. A refund is computed from the
// invoice and all earlier refunds of its order. So the audit checks only refunds that were in
// orders before it measured anything else.
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
	maxRounds    = 5      // rounds of reading a partition
	atOnce       = 4      // partitions that are read concurrently
	maxNamed     = 20     // places that a report names for each kind of fault; it counts all
	maxUncertain = 10_000 // orders with uncertain mails that a report names; it counts all
)

// Run audits the topics that a consumer group processes, up to their current ends. It blocks until
// all are read. Partitions without a leader are listed in the report instead. It returns
// kafka.ErrTopics for missing topics and wrong settings, and wire.ErrNewer for records of a newer
// version.
func Run(ctx context.Context, cfg kafka.Config, topics topic.Set, group string) (Report, error) {
	cl, err := cfg.Connect(ctx)
	if err != nil {
		return Report{}, err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, topics, kafka.AuditGrants(topics, group)...)
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

// auditor is one run. It is immutable while partitions are audited concurrently.
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

// judge audits all partitions, and then what involves several: refunds, and IDs in two partitions.
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
	a.comparePartitions(verdicts)
	return verdicts, nil
}

// partition reads one partition number of all topics, in rounds until the suspected faults do not
// change any more.
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
