// Command order-api takes orders over HTTP and shows what becomes of them.
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
)

func main() { config.Main("order-api", run) }

type settings struct {
	config.Kafka
	config.Access
	api.Config
	RateCard string `env:"ORDERS_RATE_CARD" type:"path" help:"Rate card (YAML) to quote by; an embedded one by default. Give the workers the same."`
	Group    string `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers: orders below what it has committed are no backlog."`
	telemetry.Log
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "order-api", "Takes orders over HTTP and shows what becomes of them.", args, env, stdout, stderr); err != nil {
		return err
	}
	log := s.Logger(stderr)
	log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	cfg := s.Config
	cfg.RateCard, cfg.Group, cfg.Access = s.RateCard, s.Group, s.Access
	cfg.Kafka = kafka.Config{Brokers: s.Brokers, Log: log}
	cfg.Topics = topic.Names(s.Prefix)
	cfg.Log = log
	return api.Run(ctx, cfg)
}
