// Command order-api accepts orders over HTTP, produces them to Kafka, and serves their status.
package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"example.com/orders/services/order-api/api"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

func main() { config.Main("order-api", run) }

// apiFlags has a flag for each field of api.Settings.
type apiFlags struct {
	HTTP         string        `name:"http" env:"ORDERS_HTTP" default:"127.0.0.1:8080" help:"Address of the HTTP API and its documentation."`
	Data         string        `env:"ORDERS_DATA" default:".data" help:"Directory for data on disk. Each process needs its own."`
	Catalogue    string        `env:"ORDERS_CATALOGUE" placeholder:"FILE" help:"Product catalogue (YAML). Default: a built-in example."`
	SecretFile   string        `env:"ORDERS_SECRET_FILE" placeholder:"FILE" help:"File with the secret key that order IDs are derived from; the same for all instances. ORDERS_SECRET may hold the key itself. Default: a file in --data, created at the first start."`
	Secret       string        `env:"ORDERS_SECRET" secret:"" hidden:"" help:"Secret key that order IDs are derived from."`
	Promise      time.Duration `env:"ORDERS_PROMISE" default:"15m" help:"Backpressure: refuse new orders with 429 while the oldest order that no worker has begun is older than this. 0: never refuse."`
	PerRecipient int           `name:"orders-per-recipient" env:"ORDERS_ORDERS_PER_RECIPIENT" default:"0" help:"Maximum number of orders per hour for one e-mail address; refuse more with 429. 0: no limit."`
}

type settings struct {
	config.Kafka
	config.Access
	apiFlags
	RateCard string `env:"ORDERS_RATE_CARD" type:"path" placeholder:"FILE" help:"Rate card with the shipping prices for quotes (YAML); the same as that of the workers. Default: a built-in example."`
	Group    string `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers. Its committed offsets tell which orders have been begun."`
	telemetry.Log
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	const about = "Accepts orders over HTTP, produces them to Kafka, and serves their status."
	if err := config.Parse(&s, "order-api", about, args, env, stdout, stderr); err != nil {
		return err
	}
	log := s.Logger(stderr)
	log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	return api.Run(ctx, api.Config{
		Settings: api.Settings(s.apiFlags), RateCard: s.RateCard, Group: s.Group, Access: s.Access,
		Kafka: kafka.Config{Brokers: s.Brokers, Security: kafka.Security(s.Security), Log: log}, Topics: topic.Names(s.Prefix), Log: log,
	})
}
