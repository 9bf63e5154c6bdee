// Package pipeline takes an order through its steps and decides how it ends.
//
// # Effects
//
// A step first plans: it decides everything that its effect depends on. The plan is written to
// orders.status and acknowledged, as the intent. Only then does the step have its effect. A worker that
// takes over finds in the status how far the order is and resumes there, with the same price, the same
// invoice number and the same Message-ID. So steps are idempotent, except for an effect that cannot be
// undone: its outcome is uncertain if a worker stopped between intent and result, or if the answer was
// lost. That is counted in the order's progress and written before the effect is repeated.
//
// # The way of a record
//
// Handle has the whole way on one screen. open.go decides whether a record has something to do, and from
// where; read.go and edit.go help it: none of them writes. handle.go takes the steps. close.go writes how
// the attempt ended: confirmed, retrying, waiting or dead. A record that cancels an order has its own way
// (cancel.go), and so have one with a payment (payment.go) and one that asks what a replay would do (forecast.go).
package pipeline

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Config is everything that a pipeline needs apart from its steps.
type Config struct {
	Topics topic.Set
	// Home is the partition in which a record of the topic orders belongs; see kafka.Layout.
	Home   func(key []byte, headers []kgo.RecordHeader) int32
	Group  string // consumer group, named in dead letters
	Worker string // host and version, named in dead letters
	Retry  retry.Policy
	Hold   bool // dead-letter an order instead of repeating an effect whose outcome is unknown
	Meter  *metrics.Meter
	Log    *slog.Logger
}

// Pipeline works on orders. It is safe for concurrent use.
type Pipeline struct {
	cfg   Config
	steps []Step
}

// New returns a pipeline with the given steps, in the order in which they are taken.
func New(cfg Config, steps []Step) *Pipeline { return &Pipeline{cfg, steps} }

// ignore logs a record that belongs to no order: no dead letter is written, and no order waits for it.
func (p *Pipeline) ignore(ctx context.Context, r *kgo.Record, err error) {
	p.cfg.Log.WarnContext(ctx, "record ignored", telemetry.Topic, r.Topic, telemetry.Partition, r.Partition, telemetry.Offset, r.Offset, telemetry.Error, err)
}
