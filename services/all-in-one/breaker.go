package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/api"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// breaker implements api.Breaker: it ends worker processes, changes the embedded mail server, and places
// orders.
type breaker struct {
	workers *processes
	inbox   *inbox.Inbox // or nil: the mail server is another program
	kafka   kafka.Config
	orders  string // topic
	log     *slog.Logger
	loads   chan load // to run; has room for one

	mu      sync.Mutex
	mail    string
	placing bool         // a load is in the channel, or in run
	last    api.Breaking // of which the counts are set
}

// behaviours are those of api.MailBehaviours.
func behaviours() map[string]inbox.Behaviour {
	return map[string]inbox.Behaviour{
		"works": {}, "down": {Down: true}, "busy": {At: "RCPT", Code: 451}, "slow": {At: ".", Late: 3 * time.Second}, "hangs-up": {At: ".", HangUp: true},
	}
}

func (b *breaker) Breaking() api.Breaking {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.last
	now.Workers = b.workers.list()
	if b.inbox != nil {
		now.Mail = b.mail
	}
	return now
}

func (b *breaker) AddWorker() error { return b.workers.add() }

func (b *breaker) EndWorker(pid int, kill bool) error {
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	return b.workers.end(pid, signal)
}

func (b *breaker) Behave(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mail = name
	b.inbox.Behave(behaviours()[name])
}

func (b *breaker) Place(orders, rate int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.placing {
		return api.ErrPlacing
	}
	b.placing, b.last = true, api.Breaking{Total: orders}
	b.loads <- load{orders, rate}
	return nil
}

func (b *breaker) PlaceBad(ctx context.Context) error {
	cl, err := b.kafka.ConnectProducer(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	partition := rand.N(int32(topic.Partitions)) //nolint:gosec // no secret
	_, err = kafka.Append(ctx, cl, b.orders, partition, &kgo.Record{Value: []byte("this is not an order")})
	return err
}
