package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// connectionsOf are the numbers of connections of a closed loop.
var connectionsOf = []int{1, 64, 512, 1024}

const (
	apiPort     = 10 // from --port
	bareAPIPort = 11
	healthPort  = 12
)

// api compares the API with a bare handler: placing orders, and reading one.
func (b *bench) api(ctx context.Context) (rows []row, err error) {
	x, err := b.startBoth(ctx)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	rows, capacity, err := b.placeClosed(ctx, x)
	if err != nil {
		return nil, err
	}
	open, err := b.placeOpen(ctx, x, capacity)
	if err != nil {
		return nil, err
	}
	const name = "api: GET, 64 connections"
	ours, floor, err := b.sideBySide(ctx, x, name, b.closed(x.reading, http.StatusOK, 64))
	if err != nil {
		return nil, err
	}
	rows = append(append(rows, open...), // for reads there is no target: the floor answers from memory
		compared(name+": requests/s", "%.0f", ours.rate, floor.rate),
		compared(name+": p99", "%.1f ms", milliseconds(ours.p99), milliseconds(floor.p99)))
	return append(append(rows, expenses(name, ours, floor)...), below("api: memory", "%.0f MB", x.system.peak(), 200)), nil
}

// placeClosed places orders in closed loops. The capacity is that of the API with 64 connections, in orders/s.
func (b *bench) placeClosed(ctx context.Context, x *both) (rows []row, capacity float64, err error) {
	for _, connections := range connectionsOf {
		name := fmt.Sprintf("api: POST, %d connections", connections)
		ours, floor, err := b.sideBySide(ctx, x, name, b.closed(x.placing, http.StatusAccepted, connections))
		if err != nil {
			return nil, 0, err
		}
		if connections == 64 {
			capacity = ours.rate
		}
		rows = append(rows,
			atLeast(name+": requests/s", "%.0f", ours.rate, floor.rate, 0.6),
			atMost(name+": p99", "%.1f ms", milliseconds(ours.p99), milliseconds(floor.p99), 2))
		rows = append(rows, expenses(name, ours, floor)...)
	}
	return rows, capacity, nil
}

// placeOpen places orders at constant rates: parts of the capacity of the API, and the same for the bare handler.
func (b *bench) placeOpen(ctx context.Context, x *both, capacity float64) (rows []row, err error) {
	for _, percent := range loads {
		rate := capacity * float64(percent) / 100
		name := fmt.Sprintf("api: POST, %d %% of %.0f requests/s", percent, capacity)
		ours, floor, err := b.sideBySide(ctx, x, name, func(ctx context.Context, server *process, address string) (answers, error) {
			return b.openRequests(ctx, server, address, x.placing, http.StatusAccepted, rate)
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			compared(name+": p50", "%.2f ms", milliseconds(ours.p50), milliseconds(floor.p50)),
			compared(name+": p99", "%.2f ms", milliseconds(ours.p99), milliseconds(floor.p99)))
		rows = append(rows, expenses(name, ours, floor)...)
	}
	return rows, nil
}

// expenses are the rows of what a load has cost.
func expenses(name string, ours, floor answers) []row {
	return []row{
		compared(name+": CPU of a request", "%.3f ms", ours.cpu, floor.cpu),
		below(name+": failures", "%.0f", float64(ours.failed), 0),
	}
}

// both are an API and a bare handler, and the requests that place an order, and that read one.
type both struct {
	system, bare     *process
	placing, reading string
}

// startBoth starts them, each with topics of its own. The caller stops them.
func (b *bench) startBoth(ctx context.Context) (*both, error) {
	prefix, _, err := b.newPrefix(ctx)
	if err != nil {
		return nil, err
	}
	x := &both{}
	if x.bare, err = b.start(ctx, "bareapi", "listening", b.program("bareapi"), "--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--http", address(b.Port+bareAPIPort)); err != nil {
		return nil, err
	}
	if prefix, _, err = b.newPrefix(ctx); err == nil {
		x.system, err = b.startAPI(ctx, prefix, prefix)
	}
	if err != nil {
		x.bare.stop()
		return nil, err
	}
	if x.placing, x.reading, err = b.requests(ctx); err != nil {
		x.stop()
		return nil, err
	}
	return x, nil
}

func (x *both) stop() {
	x.bare.stop()
	x.system.stop()
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

// load sends requests to a server.
type load func(ctx context.Context, server *process, address string) (answers, error)

// closed is a closed loop of a request.
func (b *bench) closed(request string, status, connections int) load {
	return func(ctx context.Context, server *process, address string) (answers, error) {
		return closedLoop(ctx, server, address, []string{request}, status, connections, b.turn())
	}
}

// turn is how long a turn of requests takes.
func (b *bench) turn() time.Duration { return time.Duration(b.Seconds * float64(time.Second)) }

// sideBySide puts a load on floor and system in turns.
func (b *bench) sideBySide(ctx context.Context, x *both, name string, put load) (ours, floor answers, err error) {
	for range b.Turns {
		for _, c := range []struct {
			into   *answers
			server *process
			port   int
		}{{&floor, x.bare, bareAPIPort}, {&ours, x.system, apiPort}} {
			a, err := put(ctx, c.server, address(b.Port+c.port))
			if err != nil {
				return ours, floor, err
			}
			b.logf("  %s, %s: %.0f requests/s, p50 %s, p99 %s, %.3f ms CPU, %d failed", name, c.server.name, a.rate, a.p50, a.p99, a.cpu, a.failed)
			c.into.better(a)
		}
	}
	return ours, floor, nil
}

// view measures how fast the read model catches up with topics that are full, with the bare upserts of the
// same rows as the floor, and how fast it answers then.
func (b *bench) view(ctx context.Context) ([]row, error) {
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return nil, err
	}
	b.logf("view: writing %d orders and their states", b.Orders)
	if err := b.finished(ctx, set, b.Orders); err != nil {
		return nil, err
	}
	if err := b.old(ctx, time.Now()); err != nil {
		return nil, err
	}
	system, err := b.startAPI(ctx, prefix, "view")
	if err != nil {
		return nil, err
	}
	defer system.stop()
	took, err := b.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	cpu := system.cpu()
	b.logf("  order-api: %s, %s CPU", took.Round(time.Millisecond), cpu)
	bare, bareCPU, err := b.bareView(ctx, filepath.Join(b.dir, "view", "view.db"))
	if err != nil {
		return nil, err
	}
	b.logf("  bareview: %s, %s CPU", bare.Round(time.Millisecond), bareCPU)
	records := float64(b.Orders * len(statuses))
	rows := []row{
		atLeast(fmt.Sprintf("view: records/s to catch up with %d orders, and bare upserts", b.Orders), "%.0f", records/took.Seconds(), records/bare.Seconds(), 0.8),
		compared("view: CPU of a record", "%.3f ms", milliseconds(cpu)/records, milliseconds(bareCPU)/records),
	}
	more, err := b.questions(ctx, system)
	return append(append(rows, more...), below("view: memory", "%.0f MB", system.peak(), 200)), err
}

// statuses are the statuses of an order, one for each of its records.
var statuses = []order.Status{order.Accepted, order.Working, order.Mailing, order.Confirmed}

// old waits until records that were written by a time are a minute old. The statistics of an API that starts read those of the
// last minute, as many as they can while its read model catches up, so its CPU time would differ from turn to turn.
func (b *bench) old(ctx context.Context, written time.Time) error {
	left := time.Until(written.Add(time.Minute))
	if left <= 0 {
		return nil
	}
	b.logf("  waiting %s, until the records are a minute old", left.Round(time.Second))
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finished appends n orders and all their states, as one worker would.
func (b *bench) finished(ctx context.Context, set topic.Set, n int) error {
	// The client counts the delivery timeout from the time at which a record is buffered.
	cl, err := b.kafka.ConnectProducer(ctx, kgo.ProducerLinger(5*time.Millisecond), kgo.RecordDeliveryTimeout(2*time.Hour))
	if err != nil {
		return err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, set)
	if err != nil {
		return err
	}
	next := map[int32]int64{}
	var failed kgo.FirstErrPromise
	for p := range int32(topic.Partitions) {
		claim := wire.Claim{Worker: "bench", At: time.Now()}.Record()
		claim.Topic, claim.Partition = set.Status, p
		cl.Produce(ctx, claim, failed.Promise())
	}
	for i := range n {
		r := wire.Order(sample(i))
		r.Topic = set.Orders
		layout.Place(r)
		cl.Produce(ctx, r, failed.Promise())
		s := sample(i).Begin(order.Origin{Incarnation: layout.Incarnation, Partition: r.Partition, Offset: next[r.Partition]})
		next[r.Partition]++
		progress(&s)
		for rev, status := range statuses[1:] {
			if err := s.Record(order.Change{Rev: int64(rev + 1), At: s.Order.PlacedAt, Status: status, Worker: "bench"}); err != nil {
				return err
			}
			state := wire.State(s, 0) // the claim is the first record
			state.Topic, state.Partition = set.Status, r.Partition
			cl.Produce(ctx, state, failed.Promise())
		}
	}
	return failed.Err()
}

// progress sets the results of all steps.
func progress(s *order.State) {
	price := order.EUR.Cents(1)
	s.Progress = order.Progress{
		Finished: order.Steps(),
		Shipping: &order.Shipping{Zone: "DE", Service: "standard", Price: price, BillableGrams: 1000, MinDays: 1, MaxDays: 2, Card: "1", Carrier: "Example Post"},
		Invoice: &order.Invoice{
			Number: s.Origin.InvoiceNumber(), IssuedAt: s.Order.PlacedAt.Truncate(time.Second), VATTable: "1", Language: "de", Net: price, Tax: price, Total: price,
			Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: price, Tax: price}},
			Kept:  &order.Kept{SHA256: wire.SHA256(nil), Bytes: 30_000},
		},
		Email: &order.Email{MessageID: string(s.Order.ID) + ".invoice@shop.example.com", Date: s.Order.PlacedAt.Truncate(time.Second)},
	}
}

// caughtUp waits until the API is ready and has applied all records, and returns how long that took.
func (b *bench) caughtUp(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := every(ctx, 50*time.Millisecond, func() (bool, error) {
		lag, err := b.lag(ctx)
		return lag == 0, err
	})
	return time.Since(began), err
}

// lag is the number of records that the read model has to apply; -1 while the API is not ready.
func (b *bench) lag(ctx context.Context) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(b.Port+apiPort)+"/healthz/ready", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return -1, nil
	}
	var health struct {
		Lag int64 `json:"lag"`
	}
	err = json.NewDecoder(answer.Body).Decode(&health)
	return health.Lag, err
}

// bareView writes the rows of a read model into another file, and returns how long that took.
func (b *bench) bareView(ctx context.Context, file string) (took, cpu time.Duration, err error) {
	began := time.Now()
	p, err := b.launch(ctx, "bareview", nil, b.program("bareview"), file, filepath.Join(b.dir, "bare.db"), "--records", fmt.Sprint(len(statuses)))
	if err != nil {
		return 0, 0, err
	}
	<-p.done
	if !p.cmd.ProcessState.Success() {
		return 0, 0, fmt.Errorf("bareview: %s", p.cmd.ProcessState)
	}
	return time.Since(began), p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
}

// questions measures a request for each way to find orders, on one connection.
func (b *bench) questions(ctx context.Context, system *process) (rows []row, err error) {
	some, middle := b.Orders/100+1, sample(0).PlacedAt.Add(-time.Hour).Format(time.RFC3339)
	for _, q := range []struct {
		name, path string
		most       float64 // ms
	}{
		{"get an order", "", 1},
		{"list all", "?limit=50", 20},
		{"list by status", "?status=confirmed&limit=50", 20},
		{"list by status, none", "?status=dead&limit=50", 20},
		{"list by a common name", "?limit=50&customer=" + url.QueryEscape("Zoë Łuka"), 20},
		{"list by e-mail address", fmt.Sprintf("?limit=50&customer=customer-%d@example.com", some), 20},
		{"list by reference", "?limit=50&reference=none", 20},
		{"list by time", "?limit=50&from=" + url.QueryEscape(middle), 20},
		{"list refunds", "?limit=50&kind=refund", 20},
	} {
		var requests []string
		for i := range 500 {
			path := "/v1/orders" + q.path
			if q.path == "" {
				path = "/v1/orders/" + string(sample(i*7919%b.Orders).ID)
			}
			requests = append(requests, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, address(b.Port+apiPort)))
		}
		a, err := closedLoop(ctx, system, address(b.Port+apiPort), requests, http.StatusOK, 1, 2*time.Second)
		if err != nil {
			return nil, err
		}
		b.logf("  %s: p50 %s, p99 %s", q.name, a.p50, a.p99)
		rows = append(rows, below(fmt.Sprintf("view: %s, p99 (p50 %.1f ms)", q.name, milliseconds(a.p50)), "%.1f ms", milliseconds(a.p99), q.most))
	}
	return rows, nil
}
