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

// session is the workers' session time-out: a worker that is stopped for longer loses its partitions.
const session = 8 * time.Second

// kinds are all faults that there are.
func kinds() []kind {
	const s = time.Second
	return []kind{
		{"worker-kill", theWorkers, workerCount, 2 * s, 12 * s, session, true, 0, (*stage).killWorker},
		{"worker-stop-short", theWorkers, workerCount, 3 * s, 3 * s, 0, true, 0, (*stage).stopWorker},
		{"worker-stop-long", theWorkers, workerCount, session + 6*s, session + 6*s, session, true, 0, (*stage).stopWorker},
		{"worker-kill-burst", theWorkers, 0, 20 * s, 20 * s, session, true, 0, (*stage).killBurst},
		{"foreign-group", theWorkers, 0, 6 * s, 12 * s, 30 * s, true, 0, (*stage).joinForeignGroup},
		{"scale-1-6-2", theWorkers, 0, 12 * s, 24 * s, session, false, 0, (*stage).scale},
		{"api-kill", theAPIs, apiCount, 2 * s, 6 * s, s, false, 0, (*stage).killAPI},
		{"api-stop", theAPIs, apiCount, 3 * s, 14 * s, 0, false, 0, (*stage).stopAPI},
		{"disk-full", theAPIs, 0, 4 * s, 10 * s, 0, false, 0, (*stage).fillDisk},
		{"broker-kill", theKafka, brokerCount, 4 * s, 12 * s, 6 * s, true, 0, (*stage).killBroker},
		{"broker-rolling", theKafka, 0, 25 * s, 25 * s, 0, true, 0, (*stage).rollBrokers}, // an estimate: it takes what it takes
		{"kafka-slow", theKafka, 0, 6 * s, 12 * s, 0, true, 0, (*stage).slowKafka},
		{"kafka-cut", theKafka, 0, 1 * s, 15 * s, 0, true, 0, (*stage).cutKafka},
		{"clock-step", theKafka, 0, 6 * s, 12 * s, 0, true, 0, (*stage).stepClock},
		{"unreadable-batch", theKafka, topic.Partitions, 5 * s, 10 * s, 10 * s, false, 0, (*stage).appendUnreadable},
		{"smtp-down", theMail, 0, 10 * s, 15 * s, 0, false, 10, (*stage).misbehave},
		{"smtp-451", theMail, 0, 6 * s, 12 * s, 0, false, 0, (*stage).misbehave},
		{"smtp-hangup", theMail, 0, 4 * s, 8 * s, 0, false, 0, (*stage).misbehave},
		{"smtp-slow", theMail, 0, 6 * s, 12 * s, 0, false, 0, (*stage).misbehave},
	}
}

// played is a fault as it was.
type played struct {
	fault
	began, ended time.Time
}

// turns are who may break what: one fault at a time.
func turns() map[string]*sync.Mutex {
	return map[string]*sync.Mutex{theWorkers: {}, theAPIs: {}, theKafka: {}, theMail: {}}
}

// perform waits for a fault's time and does it. Faults of the same thing take turns, whatever their schedule says.
func (s *stage) perform(ctx context.Context, f fault) error {
	if !hold(ctx, time.Until(s.began.Add(f.at))) {
		return nil
	}
	turn := s.turns[f.touches]
	turn.Lock()
	defer turn.Unlock()
	done := played{fault: f, began: time.Now()}
	s.say("%s begins", f.name)
	err := f.play(s, ctx, f)
	done.ended = time.Now()
	s.say("%s is over", f.name)
	s.mu.Lock()
	s.played = append(s.played, done)
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	hold(ctx, restMin) // it may have taken longer than planned, and the next one be waiting
	return nil
}

func (s *stage) killWorker(ctx context.Context, f fault) error {
	return killed(ctx, s.workers[f.target-1], f.lasts)
}

func (s *stage) killAPI(ctx context.Context, f fault) error {
	return killed(ctx, s.apis[f.target-1], f.lasts)
}

func killed(ctx context.Context, p *process, away time.Duration) error {
	if err := p.end(syscall.SIGKILL); err != nil {
		return err
	}
	hold(ctx, away)
	return p.start(ctx)
}

func (s *stage) stopWorker(ctx context.Context, f fault) error {
	stopped(ctx, s.workers[f.target-1], f.lasts)
	return nil
}

func (s *stage) stopAPI(ctx context.Context, f fault) error {
	stopped(ctx, s.apis[f.target-1], f.lasts)
	return nil
}

func stopped(ctx context.Context, p *process, d time.Duration) {
	p.signal(syscall.SIGSTOP)
	hold(ctx, d)
	p.signal(syscall.SIGCONT)
}

// burst is how many workers a killBurst kills, in turn.
const burst = 10

// killBurst kills workers one after the other and starts each at once, most of them before the group has balanced. It returns when
// both own partitions again.
func (s *stage) killBurst(ctx context.Context, f fault) error {
	for n := range burst {
		p := s.workers[n%workerCount]
		if err := p.end(syscall.SIGKILL); err != nil {
			return err
		}
		p.launch(ctx)
		hold(ctx, f.lasts/burst)
	}
	return each(s.workers[:workerCount], func(p *process) error { return p.ready(ctx) })
}

// scale goes from two workers to one, to six, and back to two; nobody is killed.
func (s *stage) scale(ctx context.Context, f fault) error {
	start := func(p *process) error { return p.start(ctx) }
	end := func(p *process) error { return p.end(syscall.SIGTERM) }
	for _, step := range []struct {
		do       func(*process) error
		from, to int // places
	}{{end, 1, workerCount}, {start, 1, placeCount}, {end, workerCount, placeCount}} {
		if err := each(s.workers[step.from:step.to], step.do); err != nil {
			return err
		}
		hold(ctx, f.lasts/3)
	}
	return nil
}

func (s *stage) killBroker(ctx context.Context, f fault) error {
	if err := killed(ctx, s.brokers[f.target-1], f.lasts); err != nil {
		return err
	}
	return s.inSync(ctx)
}

func (s *stage) rollBrokers(ctx context.Context, _ fault) error {
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

func (s *stage) slowKafka(ctx context.Context, f fault) error {
	for _, p := range s.proxies {
		p.delay(delay{latency: 100 * time.Millisecond, rate: 256 << 10})
		defer p.delay(delay{})
	}
	hold(ctx, f.lasts)
	return nil
}

func (s *stage) cutKafka(ctx context.Context, f fault) error {
	for _, p := range s.proxies {
		p.cut(true)
		defer p.cut(false)
	}
	hold(ctx, f.lasts)
	return nil
}

// fillDisk leaves no byte for one API's view. It may end over that, and comes back when there is room.
func (s *stage) fillDisk(ctx context.Context, f fault) error {
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
	hold(ctx, f.lasts)
	return os.Remove(filler)
}

// behaviour is what the mail server does wrong in a kind of fault.
func behaviour(kind string) inbox.Behaviour {
	switch kind {
	case "smtp-down":
		return inbox.Behaviour{Down: true}
	case "smtp-451":
		return inbox.Behaviour{At: "MAIL", Code: 451}
	case "smtp-hangup": // the mail is kept, and the worker cannot know
		return inbox.Behaviour{At: ".", HangUp: true}
	}
	return inbox.Behaviour{At: "DATA", Late: 10 * time.Second}
}

func (s *stage) misbehave(ctx context.Context, f fault) error {
	s.mail.Behave(behaviour(f.name))
	hold(ctx, f.lasts)
	s.mail.Behave(inbox.Behaviour{})
	return nil
}
