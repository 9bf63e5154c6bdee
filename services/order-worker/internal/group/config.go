package group

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// Handler works on one record until it is finished, and returns nil then. It stops waiting when
// draining is closed, and ends when ctx ends. Any other error blocks the partition.
type Handler func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, draining <-chan struct{}) error

// Config says what to consume and how. All fields are needed but Room and Assigned.
type Config struct {
	Kafka      kafka.Config
	Topics     topic.Set
	Partitions int // of each topic, as kafka.Check found them: those beyond are not worked on
	Group      string
	Protocol   string // of the group: "consumer" (KIP-848), or else the classic one
	// SessionTimeout of the classic protocol, as far as the brokers allow it: the partitions of a member
	// that is silent for so long are assigned to others.
	SessionTimeout time.Duration
	Slots          int           // orders in flight at once
	Drain          time.Duration // grace period for orders in flight when a partition is revoked
	AcceptLoss     bool          // continue at the oldest record of a log that has lost unfinished records
	Ledger         ledger.Config
	Meter          *metrics.Meter
	Log            *slog.Logger
	// Room limits the orders of Topics.Waiting that are in flight; see scheduler.Config.
	Room func() (orders int, again time.Duration)
	// Assigned is called with the owned partition numbers after each change; or nil. It must not block.
	Assigned func(partitions []int32)
}

// The reasons for which work is abandoned.
var (
	errLost    = errors.New("the partition belongs to another worker")
	errDrained = errors.New("the grace period is over")
)

// The reasons for which partitions drain.
var (
	errRevoked    = errors.New("revoked by the group")
	errMembership = errors.New("the membership was lost")
	errLeaving    = errors.New("the worker stops")
	errSkipped    = errors.New("the unreadable batch is skipped")
)
