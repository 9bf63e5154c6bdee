package meter_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka/meter"
	"example.com/orders/shared/kafkatest"
)

// TestAllClientsAreCountedTogether has two clients, and a third that cannot connect.
func TestAllClientsAreCountedTogether(t *testing.T) {
	t.Parallel()
	k, counts := kafkatest.Start(t), meter.New()
	cfg := k.Config()
	cfg.Meter = counts
	for range 2 {
		cl, err := cfg.ConnectProducer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: k.Topics.Orders, Value: []byte("{}")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		cancel() // one attempt
		return nil, errors.New("no route to host")
	}
	if cl, err := cfg.Connect(ctx); err == nil {
		cl.Close()
		t.Error("got a client without a connection")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(counts)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	got := regexp.MustCompile(`(?m)^orders_kafka_(?:request_seconds_count\{request="Produce"|failures).*$`).FindAllString(w.Body.String(), -1)
	slices.Sort(got)
	want := []string{
		`orders_kafka_failures_total{kind="connection"} 1`,
		`orders_kafka_failures_total{kind="request"} 0`,
		`orders_kafka_request_seconds_count{request="Produce"} 2`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scrape (-want +got):\n%s", diff)
	}
}
