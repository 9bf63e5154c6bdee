package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// guard measures the costs, and compares them with a baseline, or writes it.
func (b *bench) guard(ctx context.Context, stdout io.Writer) error {
	b.Mails, b.Orders = guardMails, guardOrders
	if b.Baseline {
		costs, err := b.costs(ctx, b.Turns, func([]cost) bool { return false })
		if err != nil {
			return err
		}
		return baseline{Machine: machine()}.write(b.BaselineFile, costs)
	}
	l, err := readBaseline(b.BaselineFile)
	if err != nil {
		return err
	}
	costs, err := b.costs(ctx, guardTurns, l.holds)
	if err != nil {
		return err
	}
	rows, err := l.compare(costs)
	printTable(stdout, rows)
	return err
}

// The work of a turn of a guard, and the most turns. Other load on the machine makes a turn more
// expensive, never cheaper: so a guard ends as soon as the best of its turns is good enough.
const (
	guardTurns    = 10
	guardMails    = 1200
	guardRequests = 2 * time.Second
	guardOrders   = 20_000
)

// costs measures what an order, a request and a record of the read model cost. Ours and floor take
// turns, and the cheapest turn of each counts. No turn follows when the costs are enough.
func (b *bench) costs(ctx context.Context, turns int, enough func([]cost) bool) (all []cost, err error) {
	full, err := b.fill(ctx)
	if err != nil {
		return nil, err
	}
	for _, measure := range []func(context.Context) ([]cost, error){b.costOfOrder, b.costOfRequest, full.costOfRecord} {
		var best []cost
		for turn := 0; turn < turns && (turn == 0 || !enough(best)); turn++ {
			costs, err := measure(ctx)
			if err != nil {
				return nil, err
			}
			for _, c := range costs {
				b.logf("guard: turn %d: %s: %.3f and %.3f %s, ratio %.2f", turn+1, c.name, c.ours, c.floor, c.unit, c.ratio())
			}
			best = cheaper(best, costs)
		}
		all = append(all, best...)
	}
	return all, nil
}

// cheaper returns the lower of each two figures. Best may be empty.
func cheaper(best, costs []cost) []cost {
	for i, c := range best {
		costs[i].ours, costs[i].floor = min(c.ours, costs[i].ours), min(c.floor, costs[i].floor)
	}
	return costs
}

// costOfOrder compares a worker with the bare loop. What the steps cost is in what the bare loop
// allocates: the CPU time of the same steps differs by a quarter on a busy machine.
func (b *bench) costOfOrder(ctx context.Context) ([]cost, error) {
	loop, err := b.pace(ctx, 0, consumers("bareloop", 1, workerSlots))
	if err != nil {
		return nil, err
	}
	allocated, err := b.allocated()
	if err != nil {
		return nil, err
	}
	worker, err := b.pace(ctx, 0, workers(1, workerSlots))
	if err != nil {
		return nil, err
	}
	return []cost{
		{"bytes allocated by the steps of an order, and bytes of its mail", "kB", allocated / float64(b.Mails) / 1000, loop.mail / 1000},
		{"CPU of a worker's order, and of the bare steps", "ms", worker.cpu, loop.cpu},
	}, nil
}

// allocated is the number of bytes that the last bare loop says it has allocated.
func (b *bench) allocated() (float64, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, "bareloop.log"))
	if err != nil {
		return 0, err
	}
	_, last, found := strings.Cut(string(text[max(0, bytes.LastIndex(text, []byte("allocated "))):]), "allocated ")
	if !found {
		return 0, errors.New("bareloop does not say how much it has allocated")
	}
	return strconv.ParseFloat(strings.Fields(last)[0], 64)
}

// costOfRequest compares the API with the bare handler.
func (b *bench) costOfRequest(ctx context.Context) (costs []cost, err error) {
	x, err := b.startBoth(ctx)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"CPU of placing an order, and a bare handler", x.placing, http.StatusAccepted},
		{"CPU of reading an order, and a bare handler", x.reading, http.StatusOK},
	} {
		floor, err := closedLoop(ctx, x.bare, address(b.Port+bareAPIPort), []string{c.request}, c.status, 64, guardRequests)
		if err != nil {
			return nil, err
		}
		ours, err := closedLoop(ctx, x.system, address(b.Port+apiPort), []string{c.request}, c.status, 64, guardRequests)
		if err != nil {
			return nil, err
		}
		costs = append(costs, cost{c.name, "ms", ours.cpu, floor.cpu})
	}
	return costs, nil
}

// full are topics with finished orders.
type full struct {
	*bench
	prefix  string
	written time.Time
	models  int // number of read models of them so far
}

// fill writes the orders of a guard.
func (b *bench) fill(ctx context.Context) (*full, error) {
	prefix, set, err := b.newPrefix(ctx)
	if err != nil {
		return nil, err
	}
	err = b.finished(ctx, set, b.Orders)
	return &full{bench: b, prefix: prefix, written: time.Now()}, err
}

// costOfRecord compares the read model, when it catches up, with bare upserts of the same rows.
func (f *full) costOfRecord(ctx context.Context) ([]cost, error) {
	if err := f.old(ctx, f.written); err != nil {
		return nil, err
	}
	f.models++
	data := fmt.Sprint(f.prefix, "-", f.models)
	system, err := f.startAPI(ctx, f.prefix, data)
	if err != nil {
		return nil, err
	}
	defer system.stop()
	if _, err := f.caughtUp(ctx); err != nil {
		return nil, err
	}
	ours := system.cpu()
	_, floor, err := f.bareView(ctx, filepath.Join(f.dir, data, "view.db"))
	if err != nil {
		return nil, err
	}
	records := float64(f.Orders * len(statuses))
	return []cost{{"CPU of a record of the read model, and a bare upsert", "ms", milliseconds(ours) / records, milliseconds(floor) / records}},
		os.Remove(filepath.Join(f.dir, "bare.db"))
}
