// Package ledger holds what the owner of a partition knows about its orders. It is the only writer
// of orders.status.
//
// Open appends a claim to orders.status. The offset of the claim is the worker's fencing token: every
// state that the worker writes carries it, and all readers ignore a state that is behind a newer claim
// than its own (package status). Open then restores the ledger: it reads the partition up to its claim.
// After that the ledger is complete without reading, because only its own writes count.
//
// # How far back a restore reads
//
// Workers commit marks with their offsets: how far orders.status was when the records of the other
// topics arrived (history.go). A restore begins where the oldest unfinished record arrived, and a
// quarter of an hour before that. A ledger forgets a finished order when the topic orders is read that
// much further. It does not use time stamps of brokers, because clocks can be set.
//
// Still no order is processed twice:
//
//   - A record of orders at or above the committed offset was begun after it was appended. Its states
//     are within the restore. Unfinished orders are never forgotten.
//   - A retrying or waiting record was appended before the state that names it, so that state is within
//     the restore, too. A record whose order is unknown has nothing to do.
//   - A replay can be about an order that finished long ago. Find reads the newest state that the desk
//     saw, and what happened to the order since.
//   - A customer who repeats an idempotency key within a quarter of an hour meets an order that is still
//     remembered. The arrival of the records counts, so a backlog or a pause makes no difference. A
//     later repeat is answered by an API whose view is at most a minute behind, and appends nothing.
//   - When the group's offsets are deleted, all records are read again, and the restore begins at the
//     first one. Until its record is read again, a confirmed order takes a bit; then its ID is
//     remembered as if it had just finished.
//   - An erased order (a tombstone in orders.status) is finished, and is remembered as such.
//
// # Failures
//
// Every write is acknowledged by all in-sync replicas before it returns. While Kafka cannot be reached
// a call blocks: that is not a failure of the order. Only the end of ctx ends the wait, and a write
// that was not acknowledged then may be in Kafka or not. An error of Kafka that waiting does not cure
// is ErrBlocked.
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

// Config is shared by all ledgers of a worker.
type Config struct {
	Topics      topic.Set
	Incarnation string        // of the topic orders
	Group       string        // consumer group, named in claims
	Worker      string        // host and version, named in claims
	Lease       *lease.Lease  // checked before every append; nil in tests without a group
	Producer    *kgo.Client   // of kafka.Config.ConnectProducer; also reads
	Gather      *kafka.Gather // of all ledgers; or nil: no record waits for others
	Meter       *metrics.Meter
	Log         *slog.Logger
	// Wrote is called with the offset of each state that we wrote to orders.status, once it is acknowledged; or nil.
	// It must not block.
	Wrote func(partition int32, offset int64)
	// Applied blocks until each record of orders.status up to an offset of a partition number was read, or is one
	// that Wrote was called with, and no newer claim than ours was found: what we wrote up to there counts. It is
	// nil in tests without a group.
	Applied func(ctx context.Context, partition int32, offset int64) error
	// Deferred is called with the position of each retrying or waiting record once it is
	// acknowledged; or nil. It must not block.
	Deferred func(topic string, partition int32, offset int64)
}

// Ledger knows the orders of one owned partition. Its methods are safe for concurrent use by
// different orders. Open makes one.
type Ledger struct {
	// Immutable after Open.
	cfg       Config
	partition int32
	reader    kafka.Reader
	claim     int64     // offset of our claim: the fencing token of our writes
	claimed   time.Time // broker's time of our claim
	heard     time.Time // when the claim was acknowledged, by our clock

	// Guarded by mu.
	mu        sync.Mutex
	memory    *memory
	histories map[string]history // by topic that orders are read from
	invoices  int64              // end of orders.invoices as far as it is known, or 0
	tail      status.Fold        // of the records behind our claim
	judged    int64              // offset of the last record that tail has
}

// Now is the broker's time: that of our claim and the time since, by our clock. It is behind the
// broker's clock by at most the time that the claim took, apart from drift.
func (l *Ledger) Now() time.Time { return l.claimed.Add(time.Since(l.heard)) }

// Claim is the offset of our claim in orders.status. A state behind it is ours or stale.
func (l *Ledger) Claim() int64 { return l.claim }

// Origin names an offset of the topic orders in the ledger's partition.
func (l *Ledger) Origin(offset int64) order.Origin {
	return order.Origin{Incarnation: l.cfg.Incarnation, Partition: l.partition, Offset: offset}
}

// Hold blocks until an effect is allowed: until all that we wrote, the intent included, is known to count,
// and the lease is held; see lease.Hold.
func (l *Ledger) Hold(ctx context.Context) error {
	if err := l.Fenced(ctx); err != nil {
		return err
	}
	return l.cfg.Lease.Hold(ctx)
}

// Fenced blocks until all that we have written so far is known to count: no newer claim is before it. The
// lease keeps the members of our group apart, but neither another group nor a late claim of a former
// owner. Otherwise a mail could be sent, and an order's record committed, whose states are stale.
func (l *Ledger) Fenced(ctx context.Context) error {
	if l.cfg.Applied == nil {
		return nil
	}
	l.mu.Lock()
	newest := max(l.claim, l.memory.newest)
	l.mu.Unlock()
	return l.cfg.Applied(ctx, l.partition, newest)
}

// Guard is a context for effects; see lease.Guard.
func (l *Ledger) Guard(ctx context.Context) context.Context { return l.cfg.Lease.Guard(ctx) }

// Write records a change of an order, whose Rev and At it sets, and appends the whole state.
// A change that the lifecycle does not allow is ErrBlocked.
func (l *Ledger) Write(ctx context.Context, w *order.State, c order.Change) error {
	c.Rev, c.At, c.Worker = w.Rev+1, time.Now().UTC().Truncate(time.Millisecond), l.cfg.Worker
	if err := w.Record(c); err != nil {
		return fmt.Errorf("%w: order %s: %w", ErrBlocked, w.Order.ID, err)
	}
	r, err := l.write(ctx, wire.State(*w, l.claim))
	if err != nil {
		return fmt.Errorf("writing status %s: %w", c.Status, err)
	}
	l.put(w.Order.ID, entryOf(w.Origin.Offset, r.Offset, w.Status))
	return nil
}

func (l *Ledger) entry(id order.ID) (e entry, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.get(keyOf(id))
}

func (l *Ledger) put(id order.ID, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory.put(keyOf(id), e)
}

// write appends a record that carries our claim to orders.status.
func (l *Ledger) write(ctx context.Context, r *kgo.Record) (*kgo.Record, error) {
	r, err := l.append(ctx, l.cfg.Topics.Status, r)
	if err == nil && l.cfg.Wrote != nil {
		l.cfg.Wrote(l.partition, r.Offset)
	}
	return r, err
}

// append appends to our partition of a topic and returns the record with its offset. It blocks while
// Kafka cannot be reached. When an answer was lost, the record can be there twice.
func (l *Ledger) append(ctx context.Context, topic string, r *kgo.Record) (appended *kgo.Record, err error) {
	err = l.insist(ctx, topic, func() error {
		appended, err = l.appendOnce(ctx, topic, r)
		return err
	})
	return appended, tooLarge(err)
}

// appendOnce fails when there is no answer in time. The record can be there or not.
func (l *Ledger) appendOnce(ctx context.Context, topic string, r *kgo.Record) (*kgo.Record, error) {
	if err := l.cfg.Lease.Hold(ctx); err != nil {
		return nil, err
	}
	return l.cfg.Gather.Append(ctx, l.cfg.Producer, topic, l.partition, r)
}

// tooLarge marks the one error of an append that is a failure of the order.
func tooLarge(err error) error {
	if errors.Is(err, kerr.MessageTooLarge) {
		return failure.New(failure.Permanent, failure.TooLarge, err)
	}
	return err
}

// read reads one record of our partition, and blocks while Kafka cannot be reached.
func (l *Ledger) read(ctx context.Context, topic string, offset int64) (*kgo.Record, error) {
	var found *kgo.Record
	err := l.insist(ctx, topic, func() (err error) {
		found, err = l.reader.One(ctx, topic, l.partition, offset)
		return err
	})
	return found, err
}

// end is the end of our partition of a topic now. It includes what we appended behind an open
// transaction of another client.
func (l *Ledger) end(ctx context.Context, topic string) (int64, error) {
	p := kafka.Partition{Topic: topic, Number: l.partition}
	o := kafka.HighWatermarks(ctx, l.cfg.Producer, p)[p]
	return o.At, o.Err
}

// ErrBlocked marks an error of Kafka that waiting does not cure, or a change that the lifecycle of orders
// does not allow. It is never a failure of the order: the partition is blocked.
var ErrBlocked = errors.New("blocked")

// insist repeats a call while Kafka cannot be reached.
func (l *Ledger) insist(ctx context.Context, what string, try func() error) error {
	err := kafka.Insist(ctx, try, func(err error) {
		l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka", slog.String(telemetry.Waiting, what),
			slog.Int(telemetry.Partition, int(l.partition)), slog.Any(telemetry.Error, err))
	})
	switch kafka.Classify(err) {
	case kafka.Away, kafka.Absent:
		return err
	}
	if errors.Is(err, kerr.MessageTooLarge) { // a failure of the order
		return err
	}
	return fmt.Errorf("%w: %w", ErrBlocked, err)
}
