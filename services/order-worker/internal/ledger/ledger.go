// Package ledger is what the owner of a partition knows about its orders, and the only writer of what it learns.
//
// A ledger is opened when a worker is assigned a partition. It appends a claim to orders.status, whose offset is the
// worker's fencing token, and restores itself by reading that partition up to its own claim: whatever a predecessor
// wrote later is void for every reader (package status). From then on the ledger is right without reading, because
// nobody else's writes count.
//
// How far back a restore reads is committed with the group's offsets: an owner observes what orders.status held when the
// records of the other topics arrived (history.go). It reads from where the oldest record that the group has not finished
// arrived, and a quarter of an hour before that; a ledger forgets a finished order when the topic orders is read that much
// further. No time stamp of a broker is used for it: clocks may be set. Still nothing is done twice:
//
//   - A record of orders that is not finished, at or above the committed offset, was begun after it was appended: its
//     states stand within the restore. Unfinished orders are never forgotten.
//   - A record that carries an order which was put off was appended before the state that says so: the same holds. One
//     whose order has no Standing has nothing to do.
//   - A replay may be about an order that finished long ago. Recall reads the newest state that the desk saw, and what
//     happened to the order since.
//   - A customer who repeats a key within a quarter of an hour meets an order that is still remembered: what counts is when
//     the records arrived, so neither a backlog nor a pause makes a difference. A later repeat is answered by an API whose
//     view is at most a minute behind, and appends nothing.
//   - When the group's offsets are deleted, all is read again: the restore reaches back to the first record. Confirmed orders
//     cost a bit each then, by the offset of their record, until that is read again; from then on their IDs are remembered
//     as if they had just finished, and so are known to the repeats that follow.
//   - An order that was erased on purpose (a tombstone in orders.status) is finished, and is remembered like one. Nothing that
//     carries it, repairs it or asks for it brings it back.
//
// Every write is acknowledged by all in-sync replicas before it returns, and blocks while Kafka is away: that is never
// the failure of an order. Only the end of ctx ends the wait, and what was not acknowledged then may stand in Kafka or not.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/lease"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Config is what all ledgers of a worker share.
type Config struct {
	Topics      topic.Set
	Incarnation string       // of the topic orders
	Group       string       // the consumer group, named in claims
	Worker      string       // who claims: host and version
	Lease       *lease.Lease // looked at before every append; nil in tests without a group
	Producer    *kgo.Client  // of kafka.Config.ConnectProducer; what a ledger reads, it reads with it too
	Meter       *metrics.Meter
	Log         *slog.Logger
	// Applied blocks until orders.status has been read past an offset of a partition number and no newer claim than ours was
	// found: what we wrote up to there counts. It is nil in tests without a group.
	Applied func(ctx context.Context, partition int32, offset int64) error
	// Deferred is called with the place of each record that puts an order off, once it is acknowledged; or nil. It must not block.
	Deferred func(topic string, partition int32, offset int64)
}

// Ledger knows the orders of one owned partition. Its methods are safe for concurrent use by different orders.
type Ledger struct {
	cfg       Config
	partition int32
	reader    kafka.Reader
	claim     int64       // offset of our claim: the fencing token of all that we write
	claimed   time.Time   // the broker's time of our claim
	heard     time.Time   // when we heard of it, by our clock
	fold      status.Fold // of what comes behind our claim; owned by who calls Judge

	mu        sync.Mutex
	memory    *memory
	histories map[string]history // of the topics that orders come from
	invoices  int64              // in orders.invoices: the end as far as it is known, or 0
}

// Start is where a group goes on in a partition.
type Start struct {
	// Next is the offset of the topic orders.
	Next int64
	// Since are the marks that the last owner committed, of each topic that orders come from. With nil all is read.
	Since map[string]Mark
}

// Open claims a partition, restores its ledger, and puts right what a predecessor wrote last without being the owner any
// more. It blocks until all is done, or returns the cause of the end of ctx.
func Open(ctx context.Context, cfg Config, partition int32, start Start) (*Ledger, error) {
	l := &Ledger{
		cfg: cfg, partition: partition, reader: kafka.NewReader(cfg.Producer, cfg.Topics.DLQ), memory: newMemory(start.Next, 0),
		histories: map[string]history{},
	}
	for topic, m := range start.Since {
		l.histories[topic] = history{{Mark: m}}
	}
	claim, err := l.append(ctx, cfg.Topics.Status, wire.Claim{Group: cfg.Group, Worker: cfg.Worker, At: time.Now()}.Record())
	if err != nil {
		return nil, fmt.Errorf("claiming partition %d: %w", partition, err)
	}
	l.claim, l.fold, l.heard = claim.Offset, status.At(claim.Offset), time.Now()
	var void map[order.ID]bool
	err = l.insist(ctx, "restore", func() error {
		void, err = l.restore(ctx, start)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("restoring partition %d: %w", partition, err)
	}
	return l, l.repair(ctx, void)
}

// Now is the broker's time as far as we know it: that of our claim, and what our clock has counted since we heard of it.
// It is behind the broker's clock by no more than that took, and ahead by no more than the two have drifted apart since.
func (l *Ledger) Now() time.Time { return l.claimed.Add(time.Since(l.heard)) }

// Standing is what the ledger knows of an order without reading.
type Standing struct {
	Origin int64 // offset in orders of the first record with this ID: the one that counts
	Status order.Status
}

// Standing returns what is known of an order. False means that it was never begun, or that it finished before what the
// ledger remembers: a record of orders asks Known, and a replay asks again after Recall.
func (l *Ledger) Standing(id order.ID) (Standing, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.memory.get(keyOf(id))
	return e.standing(), known
}

// Known is Standing for a record of the topic orders. False means that the order is to be begun: nobody has begun it
// under any record. The ledger learns from it how far the topic is read, and so what it may forget; each record must be
// shown to it, lane by lane in order.
func (l *Ledger) Known(r *kgo.Record) (Standing, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.memory.place(keyOf(r.Key), r.Offset, l.histories[r.Topic].arrived(r.Offset))
	return e.standing(), known
}

// Begun reports whether the ledger knows anything of the order that a record of the topic orders places. Unlike Known it changes nothing.
func (l *Ledger) Begun(r *kgo.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.begun(keyOf(r.Key), r.Offset)
}

// Origin names an offset of the topic orders in the ledger's partition.
func (l *Ledger) Origin(offset int64) order.Origin {
	return order.Origin{Incarnation: l.cfg.Incarnation, Partition: l.partition, Offset: offset}
}

// Write records a change of an order, whose Rev and At it fills in, and appends the whole state. A change that the lifecycle does
// not allow is ErrBlocked.
func (l *Ledger) Write(ctx context.Context, w *order.State, c order.Change) error {
	c.Rev, c.At = w.Rev+1, time.Now().UTC().Truncate(time.Millisecond)
	if err := w.Record(c); err != nil {
		return fmt.Errorf("%w: order %s: %w", ErrBlocked, w.Order.ID, err)
	}
	r, err := l.append(ctx, l.cfg.Topics.Status, wire.State(*w, l.claim))
	if err != nil {
		return fmt.Errorf("writing status %s: %w", c.Status, err)
	}
	l.put(w.Order.ID, entryOf(w.Origin.Offset, r.Offset, w.Status))
	return nil
}

func (l *Ledger) put(id order.ID, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory.put(keyOf(id), e)
}

// append appends to our partition of a topic and returns the record with its offset. It blocks while Kafka is away. A
// record can stand there twice then, when the answer was lost.
func (l *Ledger) append(ctx context.Context, topic string, r *kgo.Record) (appended *kgo.Record, err error) {
	err = l.insist(ctx, topic, func() error {
		appended, err = l.appendOnce(ctx, topic, r)
		return err
	})
	return appended, tooLarge(err)
}

// appendOnce fails when there is no answer in time. The record may stand there or not.
func (l *Ledger) appendOnce(ctx context.Context, topic string, r *kgo.Record) (*kgo.Record, error) {
	if err := l.cfg.Lease.Hold(ctx); err != nil {
		return nil, err
	}
	return kafka.Append(ctx, l.cfg.Producer, topic, l.partition, r)
}

// tooLarge marks the one failure of an append that no patience helps.
func tooLarge(err error) error {
	if errors.Is(err, kerr.MessageTooLarge) {
		return failure.New(failure.Permanent, failure.TooLarge, err)
	}
	return err
}

// read reads one record of our partition, and blocks while Kafka is away.
func (l *Ledger) read(ctx context.Context, topic string, offset int64) (*kgo.Record, error) {
	var found *kgo.Record
	err := l.insist(ctx, topic, func() (err error) {
		found, err = l.reader.One(ctx, topic, l.partition, offset)
		return err
	})
	return found, err
}

// ErrBlocked marks an error of Kafka that waiting does not cure, or a change that the lifecycle of orders does not allow. It is
// never the failure of an order: the partition is blocked.
var ErrBlocked = errors.New("blocked")

// insist blocks while Kafka is away: that is never the failure of an order.
func (l *Ledger) insist(ctx context.Context, what string, try func() error) error {
	err := kafka.Insist(ctx, try, func(err error) {
		l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka", slog.String(telemetry.Waiting, what),
			slog.Int(telemetry.Partition, int(l.partition)), slog.Any(telemetry.Error, err))
	})
	switch kafka.Classify(err) {
	case kafka.Away, kafka.Absent:
		return err
	}
	if errors.Is(err, kerr.MessageTooLarge) { // that is the order's
		return err
	}
	return fmt.Errorf("%w: %w", ErrBlocked, err)
}
