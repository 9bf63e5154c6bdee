package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/topic"
)

// inFlight is the number of orders in flight when the capacity is measured.
const inFlight = 128

// leastOrders is how many orders the percentiles of a load are taken from, at least.
const leastOrders = 400

// flow is an API, a worker and a mail server, through which an order goes the whole way.
type flow struct {
	sink           *sink
	set            topic.Set
	server, worker *process
	api            *client.Client
	body           []byte // of a request

	mu     sync.Mutex
	mailed map[string]chan time.Time // by order; each channel has room for one time
}

// latency measures the time from placing an order to its mail, at parts of the capacity: that is the
// most that API, worker and broker do together with a fixed number of orders in flight.
func (b *bench) latency(ctx context.Context) (rows []row, err error) {
	f, err := b.startFlow(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	capacity := 0.0
	for range b.Turns {
		rate, err := f.capacity(ctx, time.Duration(b.Seconds*float64(time.Second)))
		if err != nil {
			return nil, err
		}
		b.logf("  latency: capacity %.0f orders/s", rate)
		capacity = max(capacity, rate)
	}
	for _, percent := range []int{10, 50, 90} {
		best, err := b.openLoop(ctx, f, capacity*float64(percent)/100)
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

// startFlow starts a flow, and mails one order, so that all connections are open. The caller stops it.
func (b *bench) startFlow(ctx context.Context) (*flow, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1024}
	f := &flow{api: client.New("http://"+address(b.Port+apiPort), &http.Client{Transport: transport}), mailed: map[string]chan time.Time{}}
	if err := f.start(ctx, b); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *flow) start(ctx context.Context, b *bench) (err error) {
	if f.sink, err = newSink(ctx, 0); err != nil {
		return err
	}
	f.sink.each = func(order string, at time.Time) { f.order(order) <- at }
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return err
	}
	f.set = set
	if f.server, err = b.startAPI(ctx, prefix, prefix); err != nil {
		return err
	}
	if f.worker, err = b.consumer(ctx, "order-worker", prefix, f.sink, 64); err != nil {
		return err
	}
	if f.body, err = request(); err != nil {
		return err
	}
	_, err = f.place(ctx, time.Now())
	return err
}

// stop stops what was started.
func (f *flow) stop() {
	for _, p := range []*process{f.worker, f.server} {
		if p != nil {
			p.stop()
		}
	}
	if f.sink != nil {
		f.sink.close()
	}
}

// order is where the time of an order's mail arrives.
func (f *flow) order(id string) chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mailed[id] == nil {
		f.mailed[id] = make(chan time.Time, 1)
	}
	return f.mailed[id]
}

// place places an order, waits for its mail, and returns how long that took since a time.
func (f *flow) place(ctx context.Context, since time.Time) (time.Duration, error) {
	o, err := f.api.PlaceJSON(ctx, f.body, "", 0)
	if err != nil {
		return 0, err
	}
	mailed := f.order(o.ID)
	select {
	case at := <-mailed:
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.mailed, o.ID)
		return at.Sub(since), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// capacity is how many orders a second are mailed when a new one is placed as soon as one is mailed.
// The first quarter of the time is for warming up.
func (f *flow) capacity(ctx context.Context, during time.Duration) (float64, error) {
	g, ctx := errgroup.WithContext(ctx)
	warm := time.Now().Add(during / 4)
	end := warm.Add(during)
	var counts [inFlight]int
	for i := range inFlight {
		g.Go(func() error {
			for time.Now().Before(end) {
				took, err := f.place(ctx, warm)
				if err != nil {
					return err
				}
				if 0 < took && took < during {
					counts[i]++
				}
			}
			return nil
		})
	}
	err := g.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / during.Seconds(), err
}

// openLoop places orders at a mean rate, however many are in flight, and returns how long they took
// to be mailed. The best turn counts.
func (b *bench) openLoop(ctx context.Context, f *flow, rate float64) (best answers, err error) {
	for range b.Turns {
		took, err := f.openLoop(ctx, rate, max(leastOrders, int(rate*b.Seconds)))
		if err != nil {
			return best, err
		}
		slices.Sort(took)
		turn := answers{rate: rate, p50: took[len(took)/2], p99: took[len(took)*99/100]}
		b.logf("  latency at %.0f orders/s: p50 %s, p99 %s of %d", rate, turn.p50, turn.p99, len(took))
		if best.rate == 0 {
			best = turn
		}
		best.p50, best.p99 = min(best.p50, turn.p50), min(best.p99, turn.p99)
	}
	return best, nil
}

// openLoop places n orders at random times, with exponentially distributed gaps. An order counts
// from the time when it was due: a system that is slow does not get fewer orders.
func (f *flow) openLoop(ctx context.Context, rate float64, n int) ([]time.Duration, error) {
	g, ctx := errgroup.WithContext(ctx)
	gaps := rand.New(rand.NewPCG(1, 1))
	took, due := make([]time.Duration, n), time.Now()
	for i := range n {
		due = due.Add(time.Duration(gaps.ExpFloat64() / rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return nil, errors.Join(g.Wait(), context.Cause(ctx))
		}
		since := due
		g.Go(func() (err error) {
			took[i], err = f.place(ctx, since)
			return err
		})
	}
	return took, g.Wait()
}
