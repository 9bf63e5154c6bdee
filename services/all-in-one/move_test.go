package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// move is an installation that moves to another prefix while orders are placed.
type move struct {
	*desk
	old, now *instance
	current  atomic.Pointer[client.Client] // where clients send new orders: a reverse proxy changes it

	mu       sync.Mutex
	accepted map[string]string // the ID of the order, by its key
	changed  *sync.Cond
}

// TestAMoveToMorePartitionsUnderLoadPlacesEachOrderOnce follows docs/operations.md#add-partitions: from 12 partitions to 24.
func TestAMoveToMorePartitionsUnderLoadPlacesEachOrderOnce(t *testing.T) {
	t.Parallel()
	m := openMove(t)
	m.topics(t, "old", "12")
	m.startAPIWith(t, m.old, m.with("old")...)
	m.work(t, "worker-old", m.worker("old")...)
	m.current.Store(m.old.Client)
	stop := m.load(t)

	m.await(40)
	m.topics(t, "new", "24")
	m.startAPIWith(t, m.now, m.with("new", "--earlier-api", "http://"+m.old.address)...)
	m.work(t, "worker-new", m.worker("new")...)
	m.stopped(t, m.old.program)
	m.startAPIWith(t, m.old, m.with("old", "--closed")...)
	m.current.Store(m.now.Client)
	m.await(40)
	stop()

	numbers := m.finish(t)
	m.refund(t)
	m.stopped(t, m.programs["worker-old"])
	m.add(t, numbers)
}

// openMove starts no process of the application yet.
func openMove(t *testing.T) *move {
	t.Helper()
	m := &move{desk: newDesk(t), accepted: map[string]string{}}
	m.changed = sync.NewCond(&m.mu)
	m.old, m.now = &instance{name: "api-old", address: "127.0.0.1:0"}, &instance{name: "api-new", address: "127.0.0.1:0"}
	m.real = m.kafka // its topics are deleted with those of the prefixes
	t.Cleanup(m.deleteTopics)
	if err := os.WriteFile(filepath.Join(m.workdir, "secret"), []byte("one secret for both prefixes"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *move) prefixOf(name string) string { return m.kafka.Prefix + "-" + name }

// worker are the flags of a worker of a prefix.
func (m *move) worker(name string) []string {
	return []string{"--brokers", strings.Join(m.kafka.Config().Brokers, ","), "--prefix", m.prefixOf(name), "--group", m.prefixOf(name)}
}

// with are the flags of an API of a prefix.
func (m *move) with(name string, flags ...string) []string {
	return append(append(m.worker(name), "--secret-file", "secret"), flags...)
}

// ordersctl runs a command about a prefix.
func (m *move) ordersctl(t *testing.T, name, command string, flags ...string) []byte {
	t.Helper()
	args := append(strings.Fields(command), "--brokers", strings.Join(m.kafka.Config().Brokers, ","), "--prefix", m.prefixOf(name))
	out, err := exec.CommandContext(t.Context(), filepath.Join(m.bin, "ordersctl"), append(args, flags...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ordersctl %s: %v\n%s", command, err, out)
	}
	return out
}

func (m *move) topics(t *testing.T, name, partitions string) {
	t.Helper()
	m.ordersctl(t, name, "topics create", "--partitions", partitions)
	m.ordersctl(t, name, "topics check")
}

// load places orders until stop is called, 4 at a time.
func (m *move) load(t *testing.T) (stop func()) {
	t.Helper()
	var next, over atomic.Int64
	var placing sync.WaitGroup
	for range 4 {
		placing.Go(func() {
			for over.Load() == 0 {
				m.place(t.Context(), fmt.Sprint("order-", next.Add(1)))
			}
		})
	}
	return func() {
		over.Store(1)
		placing.Wait()
	}
}

// place repeats a request with its key, at whichever API is the current one, until it is accepted.
func (m *move) place(ctx context.Context, key string) {
	for ctx.Err() == nil {
		o, err := m.current.Load().Place(ctx, ordered(), key, 5*time.Second) // confirmed: this bounds the rate
		if err != nil {
			continue
		}
		m.mu.Lock()
		m.accepted[key] = o.ID
		m.mu.Unlock()
		m.changed.Broadcast()
		return
	}
}

func ordered() client.NewOrder {
	return client.NewOrder{
		Customer: client.Customer{Name: "Ann Example", Email: "ann@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 1}},
	}
}

// await waits until so many more orders are accepted.
func (m *move) await(more int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for want := len(m.accepted) + more; len(m.accepted) < want; {
		m.changed.Wait()
	}
}

func (*move) stopped(t *testing.T, p *program) {
	t.Helper()
	if state := p.end(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Fatalf("stopped: %s\n%s", state, p.text())
	}
}

// finish repeats all keys at the new API, and waits until each order is confirmed: also those of the earlier prefix. It
// returns how often each invoice number was issued.
func (m *move) finish(t *testing.T) map[string]int {
	t.Helper()
	var mu sync.Mutex
	numbers := map[string]int{}
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for key, id := range m.accepted {
		g.Go(func() error {
			o, err := m.now.Place(ctx, ordered(), key, time.Minute)
			switch {
			case err != nil:
				return fmt.Errorf("repeating %s: %w", key, err)
			case o.ID != id || !o.Replayed:
				return fmt.Errorf("repeating %s: got %s (replayed: %t), want %s", key, o.ID, o.Replayed, id)
			case o.Status != string(order.Confirmed):
				return fmt.Errorf("%s: got %s, want it confirmed", id, o.Status)
			}
			mu.Lock()
			defer mu.Unlock()
			numbers[o.Invoice.Number]++
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return numbers
}

// refund refunds an order of the earlier prefix at the new API, and waits until its credit note is mailed.
func (m *move) refund(t *testing.T) {
	t.Helper()
	id := m.accepted["order-1"]
	if _, err := m.old.Order(t.Context(), id); err != nil {
		t.Errorf("order-1 at the old API: %v", err)
	}
	if o, err := m.now.Refund(t.Context(), id, client.NewRefund{}, "refund-1", time.Minute); err != nil || o.Status != string(order.Confirmed) {
		t.Errorf("refund of order-1: got %q, %v; want it confirmed", o.Status, err)
	}
}

// add checks that the audits of both prefixes add up to what was accepted, that no invoice number was issued twice, and
// that each order and the refund has one mail.
func (m *move) add(t *testing.T, numbers map[string]int) {
	t.Helper()
	accepted, confirmed := map[string]int{}, 0
	for _, name := range []string{"old", "new"} {
		var report struct {
			Orders struct{ Accepted, Confirmed int }
		}
		if err := json.Unmarshal(m.ordersctl(t, name, "audit", "--group", m.prefixOf(name), "--json"), &report); err != nil {
			t.Fatal(err)
		}
		accepted[name], confirmed = report.Orders.Accepted, confirmed+report.Orders.Confirmed
	}
	want := len(m.accepted) + 1 // the refund
	if sum := accepted["old"] + accepted["new"]; sum != want || confirmed != want || accepted["old"] < 40 || accepted["new"] < 40 {
		t.Errorf("the audits found %v accepted and %d confirmed, want %d in both, and 40 at least in each", accepted, confirmed, want)
	}
	if len(numbers) != len(m.accepted) {
		t.Errorf("got %d invoice numbers of %d orders", len(numbers), len(m.accepted))
	}
	mails := m.mails.Deliveries()
	for id, n := range mails {
		if n != 1 {
			t.Errorf("%s: got %d mails, want one", id, n)
		}
	}
	if len(mails) != want {
		t.Errorf("got %d mails, want %d", len(mails), want)
	}
	t.Logf("%d orders accepted at the old prefix, %d at the new one, with one refund", accepted["old"], accepted["new"])
}
