package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/topic"
)

// session is the session timeout of the workers: a worker that is stopped for longer loses its
// partitions.
const session = 8 * time.Second

// kinds returns all kinds of faults.
func kinds() []kind {
	const s = time.Second
	return []kind{
		{"worker-kill", componentWorkers, workerCount, 2 * s, 12 * s, session, true, 0, (*system).killWorker},
		{"worker-stop-short", componentWorkers, workerCount, 3 * s, 3 * s, 0, true, 0, (*system).stopWorker},
		{"worker-stop-long", componentWorkers, workerCount, session + 6*s, session + 6*s, session, true, 0, (*system).stopWorker},
		{"worker-kill-burst", componentWorkers, 0, 20 * s, 20 * s, session, true, 0, (*system).killBurst},
		{"foreign-group", componentWorkers, 0, 6 * s, 12 * s, 30 * s, true, 0, (*system).joinForeignGroup},
		{"scale-1-6-2", componentWorkers, 0, 12 * s, 24 * s, session, false, 0, (*system).scale},
		{"api-kill", componentAPIs, apiCount, 2 * s, 6 * s, s, false, 0, (*system).killAPI},
		{"api-stop", componentAPIs, apiCount, 3 * s, 14 * s, 0, false, 0, (*system).stopAPI},
		{"disk-full", componentAPIs, 0, 4 * s, 10 * s, 0, false, 0, (*system).fillDisk},
		{"broker-kill", componentKafka, brokerCount, 4 * s, 12 * s, 6 * s, true, 0, (*system).killBroker},
		// The duration is an estimate: the fault ends when all brokers are in sync.
		{"broker-rolling", componentKafka, 0, 25 * s, 25 * s, 0, true, 0, (*system).rollBrokers},
		{"kafka-slow", componentKafka, 0, 6 * s, 12 * s, 0, true, 0, (*system).slowKafka},
		{"kafka-cut", componentKafka, 0, 1 * s, 15 * s, 0, true, 0, (*system).cutKafka},
		{"clock-step", componentKafka, 0, 6 * s, 12 * s, 0, true, 0, (*system).stepClock},
		{"unreadable-batch", componentKafka, topic.Partitions, 5 * s, 10 * s, 10 * s, false, 0, (*system).appendUnreadable},
		{"smtp-down", componentMail, 0, 10 * s, 15 * s, 0, false, 10, (*system).misbehave},
		{"smtp-451", componentMail, 0, 6 * s, 12 * s, 0, false, 0, (*system).misbehave},
		{"smtp-hangup", componentMail, 0, 4 * s, 8 * s, 0, false, 0, (*system).misbehave},
		{"smtp-slow", componentMail, 0, 6 * s, 12 * s, 0, false, 0, (*system).misbehave},
	}
}

// injectedFault is a fault that was injected, with its real times.
type injectedFault struct {
	fault
	began, ended time.Time
}

// componentLocks returns one lock a component: one fault at a time.
func componentLocks() map[string]*sync.Mutex {
	return map[string]*sync.Mutex{componentWorkers: {}, componentAPIs: {}, componentKafka: {}, componentMail: {}}
}

// runFault waits until a fault is due, then injects it. Faults of one component never overlap, also
// if one takes longer than planned.
func (s *system) runFault(ctx context.Context, f fault) error {
	if !wait(ctx, time.Until(s.began.Add(f.at))) {
		return nil
	}
	lock := s.locks[f.component]
	lock.Lock()
	defer lock.Unlock()
	done := injectedFault{fault: f, began: time.Now()}
	s.logf("%s: begin", f.name)
	err := f.inject(s, ctx, f)
	done.ended = time.Now()
	s.logf("%s: end", f.name)
	s.mu.Lock()
	s.injected = append(s.injected, done)
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	wait(ctx, restMin) // the next fault of the component may be waiting for the lock
	return nil
}

func (s *system) killWorker(ctx context.Context, f fault) error {
	return killAndRestart(ctx, s.workers[f.target-1], f.duration)
}

func (s *system) killAPI(ctx context.Context, f fault) error {
	return killAndRestart(ctx, s.apis[f.target-1], f.duration)
}

func killAndRestart(ctx context.Context, p *process, downtime time.Duration) error {
	if err := p.end(syscall.SIGKILL); err != nil {
		return err
	}
	wait(ctx, downtime)
	return p.start(ctx)
}

func (s *system) stopWorker(ctx context.Context, f fault) error {
	stopAndContinue(ctx, s.workers[f.target-1], f.duration)
	return nil
}

func (s *system) stopAPI(ctx context.Context, f fault) error {
	stopAndContinue(ctx, s.apis[f.target-1], f.duration)
	return nil
}

func stopAndContinue(ctx context.Context, p *process, d time.Duration) {
	p.signal(syscall.SIGSTOP)
	wait(ctx, d)
	p.signal(syscall.SIGCONT)
}

// burst is the number of kills of killBurst.
const burst = 10

// killBurst kills workers in turn and restarts each at once, mostly before the group has
// rebalanced. It returns when both workers own partitions.
func (s *system) killBurst(ctx context.Context, f fault) error {
	for n := range burst {
		p := s.workers[n%workerCount]
		if err := p.end(syscall.SIGKILL); err != nil {
			return err
		}
		p.launch(ctx)
		wait(ctx, f.duration/burst)
	}
	return each(s.workers[:workerCount], func(p *process) error { return p.ready(ctx) })
}

// scale scales gracefully from two workers to one, to six, and back to two.
func (s *system) scale(ctx context.Context, f fault) error {
	start := func(p *process) error { return p.start(ctx) }
	end := func(p *process) error { return p.end(syscall.SIGTERM) }
	for _, step := range []struct {
		do       func(*process) error
		from, to int // of s.workers
	}{{end, 1, workerCount}, {start, 1, maxWorkers}, {end, workerCount, maxWorkers}} {
		if err := each(s.workers[step.from:step.to], step.do); err != nil {
			return err
		}
		wait(ctx, f.duration/3)
	}
	return nil
}

func (s *system) killBroker(ctx context.Context, f fault) error {
	if err := killAndRestart(ctx, s.brokers[f.target-1], f.duration); err != nil {
		return err
	}
	return s.inSync(ctx)
}

func (s *system) rollBrokers(ctx context.Context, _ fault) error {
	for _, p := range s.brokers {
		if err := p.end(syscall.SIGTERM); err != nil {
			return err
		}
		if err := p.start(ctx); err != nil {
			return err
		}
		if err := s.inSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) slowKafka(ctx context.Context, f fault) error {
	for _, p := range s.proxies {
		p.delay(delay{latency: 100 * time.Millisecond, rate: 256 << 10})
		defer p.delay(delay{})
	}
	wait(ctx, f.duration)
	return nil
}

func (s *system) cutKafka(ctx context.Context, f fault) error {
	for _, p := range s.proxies {
		p.cut(true)
		defer p.cut(false)
	}
	wait(ctx, f.duration)
	return nil
}

// fillDisk fills the disk of one API. The API may exit; it is restarted, and recovers when there is
// space again.
func (s *system) fillDisk(ctx context.Context, f fault) error {
	if s.smallDisk == "" {
		s.mu.Lock()
		s.skipped[f.name]++
		s.mu.Unlock()
		return nil
	}
	filler := filepath.Join(s.smallDisk, "filler")
	file, err := os.Create(filler)
	if err != nil {
		return err
	}
	for chunk := make([]byte, 4<<10); err == nil; { // until the disk is full
		_, err = file.Write(chunk)
	}
	file.Close()
	wait(ctx, f.duration)
	return os.Remove(filler)
}

// behaviour returns how the mail server behaves during a kind of fault.
func behaviour(kind string) inbox.Behaviour {
	switch kind {
	case "smtp-down":
		return inbox.Behaviour{Down: true}
	case "smtp-451":
		return inbox.Behaviour{At: "MAIL", Code: 451}
	case "smtp-hangup": // the mail is delivered, and the outcome is unknown to the worker
		return inbox.Behaviour{At: ".", HangUp: true}
	}
	return inbox.Behaviour{At: "DATA", Late: 10 * time.Second}
}

func (s *system) misbehave(ctx context.Context, f fault) error {
	s.mail.Behave(behaviour(f.name))
	wait(ctx, f.duration)
	s.mail.Behave(inbox.Behaviour{})
	return nil
}
