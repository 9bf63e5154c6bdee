// Command order-worker is a member of the worker group: as many as you like share the orders.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// softLimit is what the heap may grow to before the garbage collector works harder, so that a worker stays below 200 MB
// whatever waits for it in Kafka. GOMEMLIMIT says otherwise.
const softLimit = 150 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
	config.Main("order-worker", run)
}

type settings struct {
	config.Kafka
	config.Access
	worker.Config
	telemetry.Log
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	drain := kong.Vars{"drain": fmt.Sprint(worker.DefaultDrain)}
	if err := config.Parse(&s, "order-worker", "Works on orders: ships, invoices, mails.", args, env, stdout, stderr, drain); err != nil {
		return err
	}
	log := s.Logger(stderr)
	log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	cfg := s.Config
	cfg.Access = s.Access
	cfg.Kafka = kafka.Config{Brokers: s.Brokers, Log: log}
	cfg.Topics = topic.Names(s.Prefix)
	cfg.Log = log
	return worker.Run(ctx, cfg)
}
