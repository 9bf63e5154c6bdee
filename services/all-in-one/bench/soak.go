package main

import (
	"context"
	"fmt"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

const (
	// soakShort is the shortest soak whose memory is judged, in minutes: a program still grows after its start.
	soakShort = 5
	// soakGrowth is how much the memory of a program may grow in a minute to be flat, in percent.
	soakGrowth = 1
)

// soak places orders at half of the capacity for some minutes. It shows the memory of worker and API, how long the
// orders took to be mailed, and whether one was lost or mailed twice.
func (b *bench) soak(ctx context.Context) ([]row, error) {
	f, capacity, err := b.startMeasured(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	before, err := f.done(ctx)
	if err != nil {
		return nil, err
	}
	rate := capacity / 2
	placed := max(1, int(rate*60*b.Minutes))
	b.logf("  soak: %d orders, %.0f a second", placed, rate)
	stop := b.watchMemory(f.worker, f.server)
	took, err := f.placeRandomly(ctx, rate, placed)
	memory := stop()
	if len(took) == 0 {
		return nil, err
	}
	if err != nil {
		b.logf("  soak: %d orders were not mailed, the first one: %v", placed-len(took), err)
	}
	after, err := f.done(ctx)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("soak: %g minutes at 50 %% of %.0f orders/s", b.Minutes, capacity)
	p50, p99 := percentiles(took)
	return append([]row{
		figure(name+": placed to mailed, p50", "%.1f ms", milliseconds(p50)),
		figure(name+": placed to mailed, p99", "%.1f ms", milliseconds(p99)),
		below(fmt.Sprintf("soak: orders not confirmed, of %d", placed), "%.0f", float64(placed-(after.confirmed-before.confirmed)), 0),
		below("soak: orders mailed twice", "%.0f", float64((after.mails-before.mails)-len(took)), 0),
	}, b.flat(memory, f.worker, f.server)...), nil
}

// total is how many orders are confirmed, and how many mails were sent.
type total struct{ confirmed, mails int }

// done waits until all orders are confirmed, or for settleTimeout, and counts those that are.
func (f *flow) done(ctx context.Context) (total, error) {
	if err := f.settled(ctx); err != nil && ctx.Err() != nil {
		return total{}, err
	}
	n := total{mails: f.sink.count()}
	for q := (client.OrderQuery{Status: string(order.Confirmed), Limit: 200}); ; {
		page, next, err := f.api.Orders(ctx, q)
		if n.confirmed += len(page); err != nil || next == "" {
			return n, err
		}
		q.Cursor = next
	}
}

// watchMemory reads the resident sets of programs once a second, and prints them once a minute, until stop is called.
// Stop returns them in MB.
func (b *bench) watchMemory(programs ...*process) (stop func() [][]float64) {
	samples, end, ended := make([][]float64, len(programs)), make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			for i, p := range programs {
				now := p.resident()
				samples[i] = append(samples[i], now)
				if n%60 == 0 {
					b.logf("  soak: minute %d: %s has %.0f MB", n/60, p.name, now)
				}
			}
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	return func() [][]float64 {
		close(end)
		<-ended
		return samples
	}
}

// flat says how fast the memory of programs grew in the second half of the samples, which were taken once a second.
func (b *bench) flat(samples [][]float64, programs ...*process) (rows []row) {
	for i, p := range programs {
		half := samples[i][len(samples[i])/2:]
		name := fmt.Sprintf("soak: memory of %s (%.0f MB), growth a minute", p.name, mean(half))
		growth := 100 * 60 * slope(half) / mean(half)
		if b.Minutes < soakShort {
			rows = append(rows, figure(name+", too early to judge", "%.1f %%", growth))
			continue
		}
		rows = append(rows, below(name, "%.1f %%", growth, soakGrowth))
	}
	return rows
}

// slope is how much samples grow from one to the next: that of the line with the least squares. It is zero for fewer
// than two samples.
func slope(samples []float64) float64 {
	middle, average := float64(len(samples)-1)/2, mean(samples)
	var both, squares float64
	for i, sample := range samples {
		x := float64(i) - middle
		both, squares = both+x*(sample-average), squares+x*x
	}
	if squares == 0 {
		return 0
	}
	return both / squares
}

// mean is zero for no samples.
func mean(samples []float64) float64 {
	sum := 0.0
	for _, sample := range samples {
		sum += sample
	}
	return sum / float64(max(1, len(samples)))
}
