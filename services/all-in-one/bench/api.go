package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"example.com/orders/services/order-api/client"
)

// connectionsOf are the numbers of connections of a closed loop.
var connectionsOf = []int{1, 64, 512}

const (
	apiPort     = 10 // from --port
	bareAPIPort = 11
)

// api compares the API with a bare handler: placing orders, and reading one.
func (b *bench) api(ctx context.Context) (rows []row, err error) {
	prefix, _, err := b.newPrefix(ctx)
	if err != nil {
		return nil, err
	}
	bare, err := b.start(ctx, "bareapi", "listening", b.program("bareapi"), "--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--http", address(b.Port+bareAPIPort))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	if prefix, _, err = b.newPrefix(ctx); err != nil {
		return nil, err
	}
	system, err := b.startAPI(ctx, prefix, "api")
	if err != nil {
		return nil, err
	}
	defer system.stop()
	placing, reading, err := b.requests(ctx)
	if err != nil {
		return nil, err
	}
	for _, connections := range connectionsOf {
		more, err := b.sideBySide(ctx, system, bare, fmt.Sprintf("api: POST, %d connections", connections), placing, http.StatusAccepted, connections)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	more, err := b.sideBySide(ctx, system, bare, "api: GET, 64 connections", reading, http.StatusOK, 64)
	if err != nil {
		return nil, err
	}
	return append(append(rows, more...), below("api: memory", "%.0f MB", system.peak(), 200)), nil
}

// startAPI starts an API without limits on requests and on the age of waiting orders.
func (b *bench) startAPI(ctx context.Context, prefix, data string) (*process, error) {
	return b.start(ctx, "order-api", "msg=listening", b.program("order-api"), "--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--group", prefix,
		"--http", address(b.Port+apiPort), "--data", filepath.Join(b.dir, data), "--rate-limit", "0", "--guest-rate-limit", "0", "--promise", "0")
}

// requests are the requests that place an order, and that read one which it has placed.
func (b *bench) requests(ctx context.Context) (placing, reading string, err error) {
	body, err := request()
	if err != nil {
		return "", "", err
	}
	host := address(b.Port + apiPort)
	o, err := client.New("http://"+host, nil).PlaceJSON(ctx, body, "bench", 0)
	if err != nil {
		return "", "", err
	}
	placing = fmt.Sprintf("POST /v1/orders HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body)
	return placing, fmt.Sprintf("GET /v1/orders/%s HTTP/1.1\r\nHost: %s\r\n\r\n", o.ID, host), nil
}

// sideBySide sends a request to system and floor in turns.
func (b *bench) sideBySide(ctx context.Context, system, bare *process, name, request string, status, connections int) ([]row, error) {
	var ours, floor answers
	for range b.Turns {
		for _, c := range []struct {
			into    *answers
			server  *process
			address string
		}{{&floor, bare, address(b.Port + bareAPIPort)}, {&ours, system, address(b.Port + apiPort)}} {
			a, err := closedLoop(ctx, c.server, c.address, request, status, connections, time.Duration(b.Seconds*float64(time.Second)))
			if err != nil {
				return nil, err
			}
			b.logf("  %s, %s: %.0f requests/s, p50 %s, p99 %s, %.3f ms CPU, %d failed", name, c.server.name, a.rate, a.p50, a.p99, a.cpu, a.failed)
			c.into.better(a)
		}
	}
	return []row{
		atLeast(name+": requests/s", "%.0f", ours.rate, floor.rate, 0.6),
		atMost(name+": p99", "%.1f ms", milliseconds(ours.p99), milliseconds(floor.p99), 2),
		compared(name+": CPU of a request", "%.3f ms", ours.cpu, floor.cpu),
		below(name+": failures", "%.0f", float64(ours.failed), 0),
	}, nil
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
