// Command fillview fills a read model with orders that were never in Kafka.
//
// It is for scripts/bench: it makes records of orders, their states, dead letters, decisions and acts, and gives
// them to the projection that the API uses, which writes them in its batches. What it saves is to send them
// through Kafka. Then an API can be started on the data directory, with the same, empty topics.
//
// It writes JSON to stdout: orders, words and dates by which a client finds some of the orders.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

func main() { config.Main("fillview", run) }

type settings struct {
	config.Kafka
	telemetry.Log
	Data   string `arg:"" type:"path" help:"Data directory of the API, which must not have a read model."`
	Orders int    `default:"200000" help:"Number of orders."`
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) (err error) {
	var s settings
	if err := config.Parse(&s, "fillview", "Fills a read model with orders that were never in Kafka.", args, env, stdout, stderr); err != nil {
		return err
	}
	cfg := view.Config{Kafka: kafka.Config{Brokers: s.Brokers}, Topics: topic.Names(s.Prefix), Log: s.Logger(stderr)}
	cl, err := cfg.Kafka.Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, cfg.Topics)
	if err != nil {
		return err
	}
	cfg.Incarnation, cfg.Home = layout.Incarnation, layout.Home
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return err
	}
	if cfg.Store, err = sqlite.Open(ctx, filepath.Join(s.Data, "view.db")); err != nil {
		return err
	}
	v, err := view.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	f := newFiller(cfg.Topics, layout, s.Orders)
	if err := v.Fill(ctx, f.batches()); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(f.found())
}
