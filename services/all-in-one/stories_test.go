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
	testscript.Main(m, map[string]func(){
		"all-in-one": main,
		"ordersctl": func() {
			config.Main("ordersctl", func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
				return ctl.Run(ctx, args, env, os.Stdin, stdout, stderr)
			})
		},
	})
}

// The stories are what the README claims, told by the programs themselves.
func TestStories(t *testing.T) { tell(t, nil) }

func TestStoriesOnKafka(t *testing.T) {
	if os.Getenv("ORDERS_TEST_BROKERS") == "" {
		t.Skip("needs a real Kafka: start one with scripts/kafka and set ORDERS_TEST_BROKERS to its address")
	}
	tell(t, kafkatest.Real)
}
