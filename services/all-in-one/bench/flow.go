package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/topic"
)

const (
	inFlight    = 128 // orders, when the capacity is measured
	workerSlots = 64  // orders that a worker mails at the same time
)

// flow is an API, a worker and a mail server, through which an order goes the whole way.
type flow struct {
	delay time.Duration // of the mail server for each mail
	args  []string      // of the API, more than those of every API
	web   *http.Client
	api   *client.Client // places orders

	sink           *sink
	set            topic.Set
	server, worker *process
	body           []byte // of a request

	mu     sync.Mutex
	mailed map[string]chan time.Time // by order; each channel has room for one time
}

// newFlow is a flow that is not started.
func (b *bench) newFlow() *flow {
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * mostStreams}}
	return &flow{web: web, api: client.New("http://"+address(b.Port+apiPort), web), mailed: map[string]chan time.Time{}}
}

// startFlow starts a flow with a mail server that answers at once. The caller stops it.
func (b *bench) startFlow(ctx context.Context) (*flow, error) { return b.newFlow().start(ctx, b) }

// start starts the flow, and mails one order, so that all connections are open. The caller stops it.
func (f *flow) start(ctx context.Context, b *bench) (*flow, error) {
	if err := f.startAll(ctx, b); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *flow) startAll(ctx context.Context, b *bench) (err error) {
	if f.sink, err = newSink(ctx, f.delay); err != nil {
		return err
	}
	f.sink.each = func(order string, at time.Time) { f.order(order) <- at }
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return err
	}
	f.set = set
	if f.server, err = b.startAPI(ctx, prefix, prefix, f.args...); err != nil {
		return err
	}
	if f.worker, err = b.consumer(ctx, "order-worker", prefix, f.sink, workerSlots); err != nil {
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
	at, err := f.mailedAt(ctx, o.ID)
	return at.Sub(since), err
}

// mailedAt waits for the mail of an order. It is called once for each order.
func (f *flow) mailedAt(ctx context.Context, id string) (time.Time, error) {
	mailed := f.order(id)
	select {
	case at := <-mailed:
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.mailed, id)
		return at, nil
	case <-f.worker.done:
		return time.Time{}, fmt.Errorf("%s exited", f.worker.name)
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}

// settleTimeout bounds the time that waiting orders need, also on a busy machine.
const settleTimeout = 5 * time.Minute

// settled waits until the API shows no order that is not confirmed, cancelled or dead.
func (f *flow) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("orders are not confirmed after %s", settleTimeout))
	defer cancel()
	return every(ctx, 100*time.Millisecond, func() (bool, error) {
		s, err := f.api.Stats(ctx)
		if err != nil || s.Orders == nil {
			return false, err
		}
		o := s.Orders
		return o.Accepted+o.Working+o.Mailing+o.Retrying+o.Waiting == 0, nil
	})
}

// every asks at an interval until the answer is yes, or an error.
func every(ctx context.Context, interval time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// startMeasured starts a flow, and measures its capacity. The caller stops it.
func (b *bench) startMeasured(ctx context.Context) (f *flow, capacity float64, err error) {
	if f, err = b.startFlow(ctx); err != nil {
		return nil, 0, err
	}
	if capacity, err = b.capacity(ctx, f); err != nil {
		f.stop()
		return nil, 0, err
	}
	return f, capacity, nil
}

// capacity is the most that API, worker and broker do together with a fixed number of orders in flight, in orders
// a second. The best turn counts.
func (b *bench) capacity(ctx context.Context, f *flow) (most float64, err error) {
	for range b.Turns {
		rate, err := f.capacity(ctx, b.turn())
		if err != nil {
			return 0, err
		}
		b.logf("  capacity: %.0f orders/s", rate)
		most = max(most, rate)
	}
	return most, nil
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
