package main

import (
	"context"
	"fmt"
	"net/http"
)

// What the lists of reads have.
const (
	readOrders  = 5000
	readLetters = 500
)

// reads measures getting an order, and each list of the API, with 64 connections. The API has confirmed orders and
// dead letters, and nothing else to do.
func (b *bench) reads(ctx context.Context) (rows []row, err error) {
	f, err := b.startFlow(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	if err := b.placeFailing(ctx, f.set, readLetters); err != nil {
		return nil, err
	}
	if err := b.place(ctx, f.set, readLetters, readOrders); err != nil {
		return nil, err
	}
	if err := b.dead(ctx, f.api, readLetters); err != nil {
		return nil, err
	}
	if err := f.settled(ctx); err != nil {
		return nil, err
	}
	failed := 0
	for _, q := range readings() {
		var best answers
		for range b.Turns {
			a, err := closedLoop(ctx, f.server, address(b.Port+apiPort), q.requests(address(b.Port+apiPort)), http.StatusOK, 64, b.turn())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			best.better(a)
		}
		b.logf("  reads: %s: %.0f requests/s, p50 %s, p99 %s, %.3f ms CPU, %d failed", q.name, best.rate, best.p50, best.p99, best.cpu, best.failed)
		failed += best.failed
		rows = append(rows, figure(fmt.Sprintf("reads: %s, requests/s (p99 %.1f ms, %.2f ms CPU)", q.name, milliseconds(best.p99), best.cpu), "%.0f", best.rate))
	}
	return append(rows, below("reads: failures", "%.0f", float64(failed), 0), figure("reads: memory", "%.0f MB", f.server.peak())), nil
}

// reading is a request that is read in many places.
type reading struct {
	name  string
	paths []string // in turns
}

func readings() []reading {
	one := reading{name: "an order"}
	for i := range readOrders {
		one.paths = append(one.paths, "/v1/orders/"+string(sample(readLetters+i).ID))
	}
	return []reading{
		one,
		{"orders", []string{"/v1/orders?limit=50"}},
		{"orders of a status", []string{"/v1/orders?status=confirmed&limit=50"}},
		{"orders of a customer", []string{fmt.Sprintf("/v1/orders?limit=50&customer=customer-%d@example.com", readOrders)}},
		{"dead letters", []string{"/v1/dead-letters?limit=50"}},
		{"groups of dead letters", []string{"/v1/dead-letters/groups"}},
		{"replay jobs", []string{"/v1/replays"}},
		{"the audit trail", []string{"/v1/audit?limit=50"}},
		{"products", []string{"/v1/products"}},
		{"statistics", []string{"/v1/stats"}},
	}
}

// requests are the bytes of the requests to a server.
func (r reading) requests(host string) (all []string) {
	for _, path := range r.paths {
		all = append(all, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host))
	}
	return all
}
