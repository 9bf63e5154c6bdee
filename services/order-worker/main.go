// Command order-worker ships, invoices and confirms orders from Kafka. Workers of one consumer
// group share the partitions.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing/otlp"
)

// softLimit is in bytes. It keeps the process below 150 MB, however many orders are not begun.
const softLimit = 120 << 20

// heapGrowth is in percent of the live heap. Little is live, so that is cheap: it takes 30 MB more than Go's
// default of 100, and saves a tenth of the CPU time of an order. Near softLimit the heap grows less.
const heapGrowth = 200

func main() {
	config.Heap(heapGrowth, softLimit)
	config.Main("order-worker", run)
}

type settings struct {
	config.Kafka
	config.Access
	worker.Settings
	telemetry.Log
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	drain := kong.Vars{"drain": fmt.Sprint(worker.DefaultDrain)}
	const about = "Calculates shipping, issues the invoice and mails the confirmation of each order." + otlp.Help
	if err := config.Parse(&s, "order-worker", about, args, env, stdout, stderr, drain); err != nil {
		return err
	}
	log := s.Logger(stderr)
	log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	traces, stop, err := otlp.Open(ctx, "order-worker", env, log)
	if err != nil {
		return err
	}
	defer stop()
	return worker.Run(ctx, worker.Config{
		Settings: s.Settings, Access: s.Access, Traces: traces,
		Kafka: kafka.Config{Brokers: s.Brokers, Security: kafka.Security(s.Security), Log: log}, Topics: topic.Names(s.Prefix), Log: log,
	})
}
