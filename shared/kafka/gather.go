package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/tracing"
)

const (
	// busy is how many unanswered appends of a Gather make another one wait for more.
	busy = 8
	// gatherFor is how long the first of them waits.
	gatherFor = 4 * time.Millisecond
)

// Gather appends records that arrive within 4 ms of each other together: a produce request costs broker and
// client about the same with one record as with ten. It delays no record while fewer than 8 are unanswered,
// unlike the linger of a client. The zero value is ready for use, and nil delays no record. It is safe for
// concurrent use.
type Gather struct {
	mu         sync.Mutex
	unanswered int
	waiting    []func()
}

// Append is the function Append, with a delay of 4 ms at most while many records are unanswered. Records that
// are appended concurrently may be sent in another order.
func (g *Gather) Append(ctx context.Context, cl *kgo.Client, topic string, partition int32, r *kgo.Record) (*kgo.Record, error) {
	ctx, span := tracing.Send(ctx, topic, partition)
	appended, err := g.produce(ctx, cl, topic, partition, r)
	if err != nil {
		span.Sent(0, err)
	} else {
		span.Sent(appended.Offset, nil)
	}
	return appended, err
}

func (g *Gather) produce(ctx context.Context, cl *kgo.Client, topic string, partition int32, r *kgo.Record) (*kgo.Record, error) {
	appended := *r
	appended.Topic, appended.Partition = topic, partition
	answer := make(chan error, 1)
	began := time.Now()
	send := func() {
		// The client counts DeliveryTimeout from now on. A process that was suspended before has no time left.
		if time.Since(began) > DeliveryTimeout {
			answer <- kgo.ErrRecordTimeout
			return
		}
		cl.TryProduce(ctx, &appended, func(_ *kgo.Record, err error) { answer <- err })
	}
	defer g.begin(send)()
	select {
	case err := <-answer:
		return &appended, err
	case <-ctx.Done(): // the client looks at it only now and then
		return nil, context.Cause(ctx)
	}
}

// begin calls send at once or a little later. Call the returned function when there is an answer.
func (g *Gather) begin(send func()) (answered func()) {
	if g == nil {
		send()
		return func() {}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unanswered++
	switch {
	case g.unanswered <= busy:
		send() // TryProduce does not block
	case len(g.waiting) == 0:
		time.AfterFunc(gatherFor, g.send)
		fallthrough
	default:
		g.waiting = append(g.waiting, send)
	}
	return g.answered
}

// Busy reports whether appends wait for more.
func (g *Gather) Busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unanswered >= busy
}

func (g *Gather) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unanswered--
}

// send sends all that wait, before the client can begin a request with the first of them.
func (g *Gather) send() {
	g.mu.Lock()
	all := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	for _, send := range all {
		send()
	}
}
