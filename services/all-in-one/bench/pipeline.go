package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// pace is how fast programs send mails.
type pace struct {
	rate float64 // mails per second
	cpu  float64 // of the programs, in ms per mail
	peak float64 // largest resident set of one program, in MB
	mail float64 // mean size of a mail, in bytes
	idle float64 // part of the time that the CPUs of the machine were idle, in percent
}

// better takes over each figure of another turn that is better.
func (p *pace) better(other pace) {
	if p.rate == 0 {
		*p = other
		return
	}
	if other.rate > p.rate {
		p.rate, p.idle = other.rate, other.idle
	}
	p.cpu, p.peak = min(p.cpu, other.cpu), max(p.peak, other.peak)
}

// pipeline compares a worker with the bare loop, and with one that also appends the records of a worker: what is
// missing to that one is the price of waiting for each acknowledgement, and of lanes and fencing.
func (b *bench) pipeline(ctx context.Context) ([]row, error) {
	var worker, loop, storing, slow, slower pace
	for turn := range b.Turns {
		b.logf("pipeline: turn %d of %d", turn+1, b.Turns)
		for _, c := range []struct {
			into  *pace
			delay time.Duration
			start func(*bench, context.Context, *sink) ([]*process, error)
		}{
			{&loop, 0, consumers("bareloop", 1, workerSlots)},
			{&storing, 0, consumers("bareloop", 1, workerSlots, "--store")},
			{&worker, 0, workers(1, workerSlots)},
			{&slow, 25 * time.Millisecond, workers(1, workerSlots, "--health", address(b.Port+healthPort))},
			{&slower, 100 * time.Millisecond, workers(1, 128)},
		} {
			p, err := b.pace(ctx, c.delay, c.start)
			if err != nil {
				return nil, err
			}
			c.into.better(p)
		}
	}
	return []row{
		atLeast("pipeline: orders/s, worker and bare loop", "%.0f", worker.rate, loop.rate, 0.85),
		atMost("pipeline: CPU of an order, worker and bare loop", "%.2f ms", worker.cpu, loop.cpu, 1.2),
		compared("pipeline: orders/s, worker and bare loop that appends its records", "%.0f", worker.rate, storing.rate),
		compared("pipeline: CPU of an order, worker and bare loop that appends its records", "%.2f ms", worker.cpu, storing.cpu),
		atLeast("pipeline: orders/s, mail server that answers after 25 ms and at once", "%.0f", slow.rate, worker.rate, 0.9),
		atLeast("pipeline: orders/s, after 100 ms with --concurrency 128 and at once", "%.0f", slower.rate, worker.rate, 0.7),
		below("pipeline: memory of a worker", "%.0f MB", max(worker.peak, slow.peak, slower.peak), 150),
	}, nil
}

// scale compares more workers with one, with a mail server that answers after 100 ms.
func (b *bench) scale(ctx context.Context) (rows []row, err error) {
	best := map[int]*pace{1: {}, 2: {}, 4: {}, 8: {}}
	for turn := range b.Turns {
		b.logf("scale: turn %d of %d", turn+1, b.Turns)
		for _, n := range []int{1, 2, 4, 8} {
			p, err := b.pace(ctx, 100*time.Millisecond, workers(n, workerSlots))
			if err != nil {
				return nil, err
			}
			best[n].better(p)
		}
	}
	for _, n := range []int{2, 4, 8} {
		name := fmt.Sprintf("scale: orders/s of %d workers and of 1 (CPUs %.0f %% idle)", n, best[n].idle)
		if best[n].idle < 10 {
			rows = append(rows, compared(name+": the CPU is the limit", "%.0f", best[n].rate, best[1].rate))
			continue
		}
		rows = append(rows, atLeast(name, "%.0f", best[n].rate, best[1].rate, 3.5/4*float64(n)))
	}
	return rows, nil
}

// pace measures programs that mail the orders of a turn to a sink. The first tenth is for warming up.
func (b *bench) pace(ctx context.Context, delay time.Duration, start func(*bench, context.Context, *sink) ([]*process, error)) (pace, error) {
	s, err := newSink(ctx, delay)
	if err != nil {
		return pace{}, err
	}
	defer s.close()
	m := &meter{started: make(chan struct{}), marks: make(chan mark, 2)}
	s.mark(b.Mails/10, m.note)
	s.mark(b.Mails, m.note)
	if m.programs, err = start(b, ctx, s); err != nil {
		return pace{}, err
	}
	close(m.started)
	defer m.stop()
	from, err := m.next(ctx)
	if err != nil {
		return pace{}, err
	}
	to, err := m.next(ctx)
	if err != nil {
		return pace{}, err
	}
	n := float64(b.Mails - b.Mails/10)
	passed := to.at.Sub(from.at).Seconds()
	p := pace{
		rate: n / passed, cpu: milliseconds(to.cpu-from.cpu) / n, peak: to.peak, mail: s.size(),
		idle: 100 * (to.idle - from.idle).Seconds() / passed / float64(runtime.NumCPU()),
	}
	b.logf("  %d %s, answers after %s: %.0f orders/s, %.2f ms CPU; the CPUs of the machine are %.0f %% idle", len(m.programs), m.programs[0].name, delay, p.rate, p.cpu, p.idle)
	if steps := stepTimes(ctx, address(b.Port+healthPort)); steps != "" {
		b.logf("    each of %d slots is used for %.1f ms an order. Means of all orders: %s. The rest is writing states, and waiting for orders", 2*workerSlots, 2*1000*workerSlots/p.rate, steps)
	}
	return p, nil
}

// stepTimes are the mean times of the steps of a worker since its start, from its metrics. It is empty if no worker
// serves metrics at the address.
func stepTimes(ctx context.Context, address string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return ""
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	sums := map[string]float64{} // in seconds, by step
	var steps []string
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		var step string
		var figure float64
		if _, err := fmt.Sscanf(lines.Text(), "orders_worker_step_seconds_sum{outcome=\"done\",step=%q} %g", &step, &figure); err == nil {
			sums[step] = figure
		} else if _, err := fmt.Sscanf(lines.Text(), "orders_worker_step_seconds_count{outcome=\"done\",step=%q} %g", &step, &figure); err == nil {
			steps = append(steps, fmt.Sprintf("%s %.1f ms", step, 1000*sums[step]/figure))
		}
	}
	return strings.Join(steps, ", ")
}

// meter reads the CPU time of programs when a number of mails have arrived.
type meter struct {
	started  chan struct{} // closed when programs is set
	programs []*process
	marks    chan mark
}

type mark struct {
	at   time.Time
	cpu  time.Duration // of all programs so far
	idle time.Duration // of the machine so far, summed over its CPUs
	peak float64       // largest resident set of one program, in MB
}

// note is called before the mail is answered, so a program is still running that ends with it.
func (m *meter) note(at time.Time) {
	<-m.started
	now := mark{at: at, idle: idle()}
	for _, p := range m.programs {
		now.cpu += p.cpu()
		now.peak = max(now.peak, p.peak())
	}
	m.marks <- now
}

// next waits for the next mark.
func (m *meter) next(ctx context.Context) (mark, error) {
	first := m.programs[0]
	select {
	case now := <-m.marks:
		return now, nil
	case <-first.done:
	case <-ctx.Done():
		return mark{}, context.Cause(ctx)
	}
	select {
	case now := <-m.marks: // that of its last mail
		return now, nil
	default:
		return mark{}, fmt.Errorf("%s exited", first.name)
	}
}

func (m *meter) stop() {
	for _, p := range m.programs {
		p.stop()
	}
}

// workers starts n workers on the orders of a turn.
func workers(n, concurrency int, more ...string) func(*bench, context.Context, *sink) ([]*process, error) {
	return consumers("order-worker", n, concurrency, more...)
}

// consumers starts n processes of a program in one consumer group, on the orders of a turn.
func consumers(name string, n, concurrency int, more ...string) func(*bench, context.Context, *sink) ([]*process, error) {
	return func(b *bench, ctx context.Context, s *sink) (all []*process, err error) {
		prefix, set, err := b.newPrefix(ctx)
		if err != nil {
			return nil, err
		}
		if err := b.place(ctx, set, 0, b.Mails); err != nil {
			return nil, err
		}
		for range n {
			p, err := b.consumer(ctx, name, prefix, s, concurrency, more...)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		return all, nil
	}
}
