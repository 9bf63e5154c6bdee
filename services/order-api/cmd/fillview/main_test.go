//go:build synctests

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestAViewKeepsWhatWasFilled fills a read model in two batches, and starts a view on it, which has nothing to
// catch up with.
func TestAViewKeepsWhatWasFilled(t *testing.T) {
	t.Parallel()
	k, data := kafkatest.Start(t), t.TempDir()
	var out bytes.Buffer
	args := []string{data, "--brokers", k.Config().Brokers[0], "--prefix", k.Topics.Orders, "--orders", "3000"}
	must(t, run(t.Context(), args, func(string) string { return "" }, &out, io.Discard))
	var x found
	must(t, json.Unmarshal(out.Bytes(), &x))
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(data, "view.db"))
	must(t, err)
	v, err := view.New(t.Context(), view.Config{
		Kafka: k.Config(), Topics: k.Topics, Incarnation: layout.Incarnation, Home: layout.Home, Store: store, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }() // ends with cancel
	defer func() {
		cancel()
		must(t, <-done)
		must(t, v.Close())
	}()
	must(t, v.Fresh(t.Context()))
	for _, id := range x.Orders {
		_, err := v.Order(t.Context(), order.ID(id))
		must(t, err)
	}
	for name, f := range map[string]view.Filter{
		"e-mail": {Customer: x.Mails[7]}, "name": {Customer: x.Wholes[7]}, "stem": {Customer: strings.ToLower(x.Stems[0])}, "number": {Reference: x.Numbers[0]},
		"shop": {Owner: order.Actor{Kind: order.ActorCustomer, ID: x.Shop}}, "owner": {Owner: order.Actor{Kind: order.ActorCustomer, ID: x.Owners[0]}},
		"refunds": {Refunds: true}, "dead": {Status: order.Dead}, "accepted": {Status: order.Accepted},
	} {
		f.Limit = 10
		if all, _, err := v.Orders(t.Context(), f); err != nil || len(all) == 0 {
			t.Errorf("%s: got %d orders, %v, want some", name, len(all), err)
		}
	}
	groups, err := v.Groups(t.Context(), view.DeadLetterFilter{})
	must(t, err)
	acts, _, err := v.Acts(t.Context(), view.ActFilter{Limit: 10})
	must(t, err)
	if len(groups) < 5 || len(acts) != 6 {
		t.Errorf("got %d causes and %d acts, want several and 6", len(groups), len(acts))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
