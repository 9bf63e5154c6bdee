package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// asProgram makes the test binary the program itself.
const asProgram = "ORDER_API_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is an instance in a process of its own.
type process struct {
	*client.Client
	*exec.Cmd
}

// launch starts an instance, and returns when it listens.
func launch(t *testing.T, k *kafkatest.Kafka, database, secret string) process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "--brokers", k.Config().Brokers[0], "--prefix", k.Prefix, "--http", "127.0.0.1:0",
		"--data", t.TempDir(), "--database", database, "--secret-file", secret)
	cmd.Env = append(os.Environ(), asProgram+"=yes")
	log, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "msg=listening address="); ok {
			go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the process
			return process{client.New("http://"+address, nil), cmd}
		}
	}
	t.Fatal("the program ended before it listened")
	return process{}
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // it may be killed already
	_ = cmd.Wait()         // says that it was killed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// persist places an order, at one instance and the other in turn until there is an answer.
func persist(t *testing.T, n int, instance func(int) process) (id string) {
	for try := n; ; try++ {
		o, err := instance(try).Place(t.Context(), wanted(), strconv.Itoa(n), 0)
		p, answered := errors.AsType[*client.Problem](err)
		switch {
		case err == nil:
			return o.ID
		case t.Context().Err() != nil, answered && p.Status != http.StatusServiceUnavailable && p.Status != http.StatusGatewayTimeout:
			t.Errorf("order %d: %v", n, err)
			return ""
		}
	}
}

func wanted() client.NewOrder {
	return client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}
}

// confirm writes the states of all orders in Kafka that have none yet, as their worker does.
func confirm(t *testing.T, k *kafkatest.Kafka) {
	t.Helper()
	known := k.States(t)
	var states []*kgo.Record
	for _, r := range k.Records(t, k.Topics.Orders) {
		o, err := wire.ReadOrder(r)
		must(t, err)
		if _, ok := known[o.ID]; ok {
			continue
		}
		state := o.Begin(order.Origin{Partition: r.Partition, Offset: r.Offset})
		for _, status := range []order.Status{order.Working, order.Mailing, order.Confirmed} {
			kafkatest.Record(t, &state, order.Change{Rev: state.Rev + 1, Status: status, At: time.Now().UTC().Truncate(time.Millisecond)})
		}
		s := wire.State(state, 0)
		s.Topic, s.Partition = k.Topics.Status, r.Partition
		states = append(states, s)
	}
	k.Produce(t, states...)
}

// TestKilledInstancesOfASharedReadModelLoseNothing keeps two instances under load. Each is killed once, so one of
// them is killed while it writes, and their PostgreSQL is restarted. Customers repeat what has no answer, with its key.
func TestKilledInstancesOfASharedReadModelLoseNothing(t *testing.T) {
	t.Parallel()
	const total = 240
	k, server, secret := kafkatest.Start(t), storetest.StartPostgres(t), filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("a secret that all instances share"), 0o600))
	url := server.Database(t)
	var running sync.Map // the two instances, by 0 and 1
	for n := range 2 {
		running.Store(n, launch(t, k, url, secret))
	}
	instance := func(n int) process {
		p, _ := running.Load(n % 2)
		return p.(process)
	}
	type placed struct {
		n  int
		id string
	}
	all, ids := make(chan placed, total), map[int]string{}
	for customer := range 4 { // end when all orders are placed
		go func() {
			for n := customer; n < total; n += 4 {
				all <- placed{n, persist(t, n, instance)}
			}
		}()
	}
	upTo := func(n int) {
		for len(ids) < n {
			p := <-all
			ids[p.n] = p.id
		}
		confirm(t, k)
	}
	for n := range 2 {
		upTo(60 * (n + 1))
		kill(instance(n).Cmd)
		for _, id := range ids {
			if _, err := instance(n+1).Order(t.Context(), id); err != nil {
				t.Errorf("read %s at the other instance: %v", id, err)
			}
		}
		running.Store(n, launch(t, k, url, secret))
	}
	upTo(180)
	server.Stop(t)
	server.Start(t)
	upTo(total)
	for key, id := range ids {
		for n := range 2 {
			o, err := instance(n).Place(t.Context(), wanted(), strconv.Itoa(key), time.Minute)
			if err != nil || o.ID != id || o.Status != string(order.Confirmed) {
				t.Errorf("instance %d, order %d: got %q %s, %v; want %q confirmed", n, key, o.ID, o.Status, err, id)
			}
		}
	}
}
