// Package presence publishes what only a worker knows of itself: its lease, the orders in flight, the
// states of its partitions and of its circuit breakers.
//
// It is a record in the topic orders.workers (wire.Worker), apart from everything about orders: with a
// client of its own, so that this topic delays no order. The record is written when something other than
// a number has changed, at most once a second, and every wire.WorkerEvery. A worker that cannot write it
// goes on working; others then take it for gone.
package presence

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// Config is what to publish, and where.
type Config struct {
	Kafka kafka.Config
	Topic string
	Look  func() wire.Worker // called once a second; it must not block
	Log   *slog.Logger
}

// lookEvery is how often the worker looks whether something has changed.
const lookEvery = time.Second

// farewell bounds how long the stop of a worker waits for its tombstone.
const farewell = time.Second

// Run publishes until ctx ends, and then writes the tombstone. It waits for that a second at most.
func Run(ctx context.Context, cfg Config) {
	p := &publisher{Config: cfg}
	defer p.close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if now := cfg.Look(); now.At.Sub(p.last.At) >= wire.WorkerEvery || !reflect.DeepEqual(facts(now), facts(p.last)) {
			p.publish(ctx, now)
		}
		select {
		case <-ctx.Done():
			p.leave(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

type publisher struct {
	Config
	cl     *kgo.Client // nil: not connected
	last   wire.Worker // that was tried
	silent bool        // the last one could not be written
}

// facts is a record without its numbers.
func facts(w wire.Worker) wire.Worker {
	w.At, w.InFlight, w.Lease = time.Time{}, 0, 0
	partitions := w.Partitions
	w.Partitions = nil
	for _, p := range partitions {
		p.InFlight = 0
		w.Partitions = append(w.Partitions, p)
	}
	return w
}

// publish writes a record. Of an outage it logs the first error.
func (p *publisher) publish(ctx context.Context, now wire.Worker) {
	p.last = now
	err := p.append(ctx, now.Record())
	switch {
	case ctx.Err() != nil:
	case err == nil && p.silent:
		p.Log.LogAttrs(ctx, slog.LevelInfo, "the status of the worker is published again", slog.String(telemetry.Topic, p.Topic))
	case err != nil && !p.silent:
		p.Log.LogAttrs(ctx, slog.LevelWarn, "the status of the worker cannot be published: it works on, and is shown as gone",
			slog.String(telemetry.Topic, p.Topic), slog.Any(telemetry.Error, err))
	}
	p.silent = err != nil
}

func (p *publisher) append(ctx context.Context, r *kgo.Record) (err error) {
	if p.cl == nil {
		if p.cl, err = p.Kafka.ConnectProducer(ctx); err != nil {
			return err
		}
	}
	_, err = kafka.Append(ctx, p.cl, p.Topic, wire.WorkersPartition, r)
	return err
}

// leave writes the tombstone, so that the worker is gone at once. Otherwise it is after wire.WorkerGone.
func (p *publisher) leave(ctx context.Context) {
	if p.cl == nil || p.silent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := p.append(ctx, &kgo.Record{Key: []byte(p.last.ID)}); err != nil {
		p.Log.LogAttrs(ctx, slog.LevelInfo, "the end of the worker was not published", slog.Any(telemetry.Error, err))
	}
}

func (p *publisher) close() {
	if p.cl != nil {
		p.cl.Close()
	}
}
