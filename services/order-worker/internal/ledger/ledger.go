// Package ledger is what the owner of a partition knows about its orders, and the only writer of what it learns.
//
// A ledger is opened when a worker is assigned a partition. It appends a claim to orders.status, whose offset is the
// worker's fencing token, and restores itself by reading that partition up to its own claim: whatever a predecessor
// wrote later is void for every reader (package status). From then on the ledger is right without reading, because
// nobody else's writes count.
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
	Kafka       kafka.Config
	Topics      topic.Set
	Incarnation string       // of the topic orders
	Worker      string       // who claims: host and version
	Lease       *lease.Lease // looked at before every append; nil in tests without a group
	Producer    *kgo.Client  // with kgo.ManualPartitioner: everything goes to the partition number of its origin
	Log         *slog.Logger
}

// Connect returns the client that all ledgers of a worker append with. The caller closes it.
func Connect(ctx context.Context, k kafka.Config) (*kgo.Client, error) {
	return k.Connect(ctx,
		// Everything goes to the partition number of its origin.
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// By itself the client never gives up a record that was sent and not answered. It would write it at the end of an
		// outage, when the partition has another owner.
		kgo.AllowIdempotentProduceCancellation(),
	)
}

// Ledger knows the orders of one owned partition. Its methods are safe for concurrent use by different orders.
type Ledger struct {
	cfg       Config
	partition int32
	claim     int64       // offset of our claim: the fencing token of all that we write
	fold      status.Fold // of what comes behind our claim; owned by who calls Judge

	mu     sync.Mutex
	orders map[order.ID]entry
}

// entry is what the ledger remembers of an order; the rest it reads when it needs it.
type entry struct {
	origin int64
	status order.Status
	offset int64 // of the newest state in orders.status
}

// Open claims a partition and restores its ledger. Since is the broker's time at which the oldest record was appended that
// the group has not finished, over all topics that orders come from; zero is none. It blocks until both are done, or
// returns the cause of the end of ctx.
func Open(ctx context.Context, cfg Config, partition int32, since time.Time) (*Ledger, error) {
	l := &Ledger{cfg: cfg, partition: partition, orders: map[order.ID]entry{}}
	claim, err := l.append(ctx, cfg.Topics.Status, wire.Claim(cfg.Worker, time.Now()))
	if err != nil {
		return nil, fmt.Errorf("claiming partition %d: %w", partition, err)
	}
	l.claim, l.fold = claim.Offset, status.At(claim.Offset)
	if err := l.insist(ctx, "restore", func() error { return l.restore(ctx) }); err != nil {
		return nil, err
	}
	return l, nil
}

// restore reads orders.status from its start up to our claim.
func (l *Ledger) restore(ctx context.Context) error {
	clear(l.orders)
	var fold status.Fold
	var voids int
	began := time.Now()
	err := l.cfg.Kafka.Read(ctx, l.cfg.Topics.Status, l.partition, 0, l.claim, func(r *kgo.Record) error {
		head, verdict, err := fold.Apply(r)
		switch {
		case err != nil || verdict == status.Void:
			voids++
		case verdict == status.Current:
			l.orders[order.ID(r.Key)] = entry{head.Origin, head.Status, r.Offset}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "ledger restored", slog.Int(telemetry.Partition, int(l.partition)),
		slog.Int(telemetry.Count, len(l.orders)), slog.Int(telemetry.Void, voids), slog.Duration(telemetry.Took, time.Since(began)))
	return nil
}

// Standing is what the ledger knows of an order without reading.
type Standing struct {
	Origin int64 // offset in orders of the first record with this ID: the one that counts
	Status order.Status
}

// Standing returns what is known of an order; false means that it was never begun.
func (l *Ledger) Standing(id order.ID) (Standing, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.orders[id]
	return Standing{e.origin, e.status}, ok
}

// Origin names an offset of the topic orders in the ledger's partition.
func (l *Ledger) Origin(offset int64) order.Origin {
	return order.Origin{Incarnation: l.cfg.Incarnation, Partition: l.partition, Offset: offset}
}

// State reads the whole newest state of an order that has a Standing, and the broker's time of it.
func (l *Ledger) State(ctx context.Context, id order.ID) (order.State, time.Time, error) {
	l.mu.Lock()
	at := l.orders[id].offset
	l.mu.Unlock()
	r, err := l.read(ctx, l.cfg.Topics.Status, at)
	if err != nil {
		return order.State{}, time.Time{}, err
	}
	s, err := wire.ReadState(r)
	return s, r.Timestamp, err
}

// Write records a change of an order, whose Rev and At it fills in, and appends the whole state.
func (l *Ledger) Write(ctx context.Context, w *order.State, c order.Change) error {
	c.Rev, c.At = w.Rev+1, time.Now().UTC().Truncate(time.Millisecond)
	w.Record(c)
	r, err := l.append(ctx, l.cfg.Topics.Status, wire.State(*w, l.claim))
	if err != nil {
		return fmt.Errorf("writing status %s: %w", c.Status, err)
	}
	l.remember(w, r.Offset)
	return nil
}

func (l *Ledger) remember(s *order.State, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders[s.Order.ID] = entry{s.Origin.Offset, s.Status, offset}
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
	attempt := *r
	attempt.Topic, attempt.Partition = topic, l.partition
	answer := make(chan error, 1)
	l.cfg.Producer.Produce(ctx, &attempt, func(_ *kgo.Record, err error) { answer <- err })
	select {
	case err := <-answer:
		return &attempt, err
	case <-ctx.Done(): // the client hears it too, but looks at it only now and then
		return nil, context.Cause(ctx)
	}
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
		found, err = l.cfg.Kafka.ReadOne(ctx, topic, l.partition, offset)
		return err
	})
	return found, err
}

// insist tries again and again while Kafka is away: that is never the failure of an order. Only what no patience helps, and the end of ctx, end it.
func (l *Ledger) insist(ctx context.Context, what string, try func() error) error {
	for {
		err := try()
		switch {
		case err == nil, errors.Is(err, kafka.ErrGone), errors.Is(err, kerr.MessageTooLarge):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka", slog.String(telemetry.Waiting, what), slog.Int(telemetry.Partition, int(l.partition)), slog.Any(telemetry.Error, err))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}
