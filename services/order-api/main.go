// Command order-api accepts orders over HTTP, produces them to Kafka, and serves their status.
package main

import (
	"context"
	"io"
	"log/slog"

	"example.com/orders/services/order-api/api"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing/otlp"
)

// softLimit is in bytes. It keeps the process below 200 MB while it reads full topics, or has 5,000 event streams open.
const softLimit = 140 << 20

// heapGrowth is in percent of the live heap. With Go's default of 100 the collector takes about a tenth of
// the CPU time while orders are placed.
const heapGrowth = 200

func main() {
	config.Heap(heapGrowth, softLimit)
	config.Main("order-api", run)
}

type settings struct {
	config.Kafka
	config.Access
	api.Settings
	Database string `env:"ORDERS_DATABASE" placeholder:"URL" secret:"" help:"PostgreSQL database for the read model, which several instances share: postgres://user@host/name. Its password can also be in PGPASSWORD or a password file. Default: a file in --data, for this instance only."`
	RateCard string `env:"ORDERS_RATE_CARD" type:"path" placeholder:"FILE" help:"Rate card with the shipping prices for quotes (YAML); the same as that of the workers. Default: a built-in example."`
	Group    string `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers. Its committed offsets tell which orders have been begun."`
	Health   string `env:"ORDERS_HEALTH" placeholder:"HOST:PORT" help:"Address that serves /healthz/live, /healthz/ready, /metrics and /debug/pprof/. Default: none."`
	telemetry.Log
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	const about = "Accepts orders over HTTP, produces them to Kafka, and serves their status." + otlp.Help
	if err := config.Parse(&s, "order-api", about, args, env, stdout, stderr); err != nil {
		return err
	}
	log := s.Logger(stderr)
	log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	traces, stop, err := otlp.Open(ctx, "order-api", env, log)
	if err != nil {
		return err
	}
	defer stop()
	return api.Run(ctx, api.Config{
		Traces:   traces,
		Settings: s.Settings, Database: s.Database, RateCard: s.RateCard, Group: s.Group, Health: s.Health, Access: s.Access,
		Kafka: kafka.Config{Brokers: s.Brokers, Security: kafka.Security(s.Security), Log: log}, Topics: topic.Names(s.Prefix), Log: log,
	})
}
