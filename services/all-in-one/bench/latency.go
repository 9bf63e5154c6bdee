package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// leastOrders is how many orders the percentiles of a load are taken from, at least.
const leastOrders = 400

// latency measures the time from placing an order to its mail, at parts of the capacity.
func (b *bench) latency(ctx context.Context) (rows []row, err error) {
	f, capacity, err := b.startMeasured(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	for _, percent := range loads {
		best, err := b.placeRandomly(ctx, f, capacity*float64(percent)/100)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("latency: placed to mailed at %d %% of %.0f orders/s", percent, capacity)
		p50, p99 := figure(name+", p50", "%.1f ms", milliseconds(best.p50)), figure(name+", p99", "%.1f ms", milliseconds(best.p99))
		if percent == 10 {
			p50, p99 = below(p50.name, "%.1f ms", milliseconds(best.p50), 10), below(p99.name, "%.1f ms", milliseconds(best.p99), 40)
		}
		rows = append(rows, p50, p99)
	}
	return rows, nil
}

// placeRandomly places orders at a mean rate, and returns how long they took to be mailed. The best turn counts.
func (b *bench) placeRandomly(ctx context.Context, f *flow, rate float64) (best answers, err error) {
	for range b.Turns {
		took, err := f.placeRandomly(ctx, rate, max(leastOrders, int(rate*b.Seconds)))
		if err != nil {
			return best, err
		}
		turn := answers{rate: rate}
		turn.p50, turn.p99 = percentiles(took)
		b.logf("  latency at %.0f orders/s: p50 %s, p99 %s of %d", rate, turn.p50, turn.p99, len(took))
		best.better(turn)
	}
	return best, nil
}

// placeRandomly places n orders at random times, with exponentially distributed gaps, and returns how long those
// took that were mailed. The error is that of the first order that was not.
func (f *flow) placeRandomly(ctx context.Context, rate float64, n int) ([]time.Duration, error) {
	return openLoop{rate: rate, calls: n, gap: rand.New(rand.NewPCG(1, 1)).ExpFloat64}.run(ctx, f.place)
}
