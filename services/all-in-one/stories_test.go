package main

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/orders/services/order-api/ctl"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafkatest"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"all-in-one": main,
		"ordersctl": func() {
			config.Main("ordersctl", func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
				return ctl.Run(ctx, args, env, os.Stdin, stdout, stderr)
			})
		},
	})
}

// TestStories runs a script for each promise of the README, with the real programs.
func TestStories(t *testing.T) { runStories(t, nil) }

// TestStoriesOnKafka runs the same scripts on Apache Kafka.
func TestStoriesOnKafka(t *testing.T) {
	if os.Getenv("ORDERS_TEST_BROKERS") == "" {
		t.Skip("needs a real Kafka: start one with scripts/kafka and set ORDERS_TEST_BROKERS to its address")
	}
	runStories(t, kafkatest.Real)
}
