package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/shared/kafkatest"
)

// TestInstancesShareAReadModel places orders at both of two instances, while their PostgreSQL is restarted and the instance that
// was started first is stopped.
func TestInstancesShareAReadModel(t *testing.T) {
	t.Parallel()
	k, server := kafkatest.Start(t), storetest.StartPostgres(t)
	url := server.Database(t)
	instance := func() (*client.Client, func() error) {
		cfg := settings(t, k)
		cfg.Secret, cfg.Database = "a key of at least sixteen", url
		c, _, stop := start(t, cfg)
		return c, stop
	}
	first, stop := instance()
	second, _ := instance()
	var placed []string
	place := func(c *client.Client) {
		t.Helper()
		o, err := c.Place(t.Context(), wanted(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		placed = append(placed, o.ID)
	}
	// known waits until an instance knows all orders. A keyed order waits until the instance has all that was placed before.
	known := func(c *client.Client, key string) {
		t.Helper()
		for {
			if _, err := c.Place(t.Context(), wanted(), key, 0); err == nil {
				break
			} else if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusServiceUnavailable {
				t.Fatal(err)
			}
		}
		for _, id := range placed {
			if _, err := c.Order(t.Context(), id); err != nil {
				t.Errorf("order %s: %v", id, err)
			}
		}
	}
	place(first)
	place(second)
	known(first, "1")
	known(second, "1")
	server.Stop(t)
	place(first) // Kafka has it
	place(second)
	server.Start(t)
	known(second, "2")
	known(first, "2")
	place(second)
	if err := stop(); err != nil {
		t.Errorf("stopped: got %v, want nil", err)
	}
	place(second)
	known(second, "3")
}

func TestASharedReadModelNeedsASharedSecret(t *testing.T) {
	t.Parallel()
	cfg := settings(t, kafkatest.Start(t))
	cfg.Database = "postgres://127.0.0.1:1/orders"
	if err := api.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "--database needs --secret-file") {
		t.Errorf("got %v, want an error that names --secret-file", err)
	}
}
