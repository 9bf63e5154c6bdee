package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing/otlp"
)

// workerCommand is the only argument of a process that is a worker of another all-in-one. People do not
// use it: the process reads its settings from stdin.
const workerCommand = "worker-process"

// workerSettings are what a worker process needs to know, as JSON: passwords are not in its arguments.
type workerSettings struct {
	Kafka  config.Kafka
	Access config.Access
	Worker worker.Settings
	Log    telemetry.Log
}

// runWorkerProcess is a worker of another all-in-one, its parent. It drains when the parent sends SIGTERM.
//
// It never outlives its parent: stdin is a pipe of which only the parent has the other end, and the
// kernel closes that when the parent ends, in whatever way. Then this process exits at once, as if it
// were killed: the embedded broker and mail server have ended with the parent.
func runWorkerProcess(ctx context.Context, stdin io.Reader, env otlp.Env, stderr io.Writer) error {
	var s workerSettings
	settings := json.NewDecoder(stdin)
	if err := settings.Decode(&s); err != nil {
		return fmt.Errorf("reading the settings of the worker: %w", err)
	}
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, stdin) // the end and an error mean the same
		os.Exit(1)
	}()
	log := s.Log.Logger(stderr)
	traces, stop, err := otlp.Open(ctx, "order-worker", env, log)
	if err != nil {
		return err
	}
	defer stop()
	return worker.Run(ctx, worker.Config{
		Settings: s.Worker, Access: s.Access, Topics: topic.Names(s.Kafka.Prefix), Log: log, Traces: traces,
		Kafka: kafka.Config{Brokers: s.Kafka.Brokers, Security: kafka.Security(s.Kafka.Security), Log: log},
	})
}

// processes are workers in processes of their own. It is safe for concurrent use.
type processes struct {
	settings workerSettings
	log      *slog.Logger
	stderr   io.Writer // of the workers

	mu      sync.Mutex
	ending  bool // no worker is started any more
	running map[int]*process
	waits   sync.WaitGroup // for the end of each
}

// process is a running worker.
type process struct {
	*exec.Cmd
	asked bool // it was stopped or killed by this program
}

// maxProcesses bounds how many worker processes people may add.
const maxProcesses = 16

var errEnding = errors.New("the program is stopping")

// run starts some workers. When ctx is done it stops all that run, and returns when they have drained.
// The first worker has the address for health checks and metrics, if there is one.
func (p *processes) run(ctx context.Context, count int) error {
	health := p.settings.Worker.Health
	var err error
	for range count {
		err = errors.Join(err, p.start(health))
		health = "" // only one worker can listen on the address
	}
	if err == nil {
		<-ctx.Done()
	}
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	for _, pid := range p.list() {
		_ = p.end(pid, syscall.SIGTERM) // it may have ended
	}
	p.waits.Wait()
	return err
}

// add starts one more worker. The error is api.ErrManyWorkers if there are too many.
func (p *processes) add() error {
	if len(p.list()) >= maxProcesses {
		return api.ErrManyWorkers
	}
	return p.start("")
}

func (p *processes) start(health string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return errEnding
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	one := &process{Cmd: exec.Command(self)}
	one.Args = []string{"all-in-one", workerCommand}
	one.Stderr = p.stderr
	// A process group of its own: Ctrl-C reaches only this program, which stops the workers in its order.
	one.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := one.StdinPipe() // stays open until the process has ended
	if err != nil {
		return err
	}
	if err := one.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting a worker: %w", err), stdin.Close())
	}
	settings := p.settings
	settings.Worker.Health = health
	// The worker may have ended already: wait tells.
	_ = json.NewEncoder(stdin).Encode(settings)
	p.running[one.Process.Pid] = one
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "a worker process was started", slog.Int(telemetry.Process, one.Process.Pid))
	p.waits.Go(func() { p.wait(one) })
	return nil
}

// wait logs how a worker ends. It is not started again: that is left to people, who want to see what the
// others do meanwhile.
func (p *processes) wait(one *process) {
	_ = one.Wait() // its error is the state
	p.mu.Lock()
	delete(p.running, one.Process.Pid)
	level, message := slog.LevelWarn, "a worker process ended by itself, and is not started again: its partitions move to the other workers"
	if one.asked {
		level, message = slog.LevelInfo, "a worker process was stopped"
	}
	p.mu.Unlock()
	p.log.LogAttrs(context.Background(), level, message, slog.Int(telemetry.Process, one.Process.Pid), slog.String(telemetry.Exit, one.ProcessState.String()))
}

// list returns the IDs of the processes that run and were not asked to end, in ascending order.
func (p *processes) list() (pids []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid, one := range p.running {
		if !one.asked {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// end sends a signal that ends it to a process of list. For all others the error is api.ErrNoWorker.
func (p *processes) end(pid int, signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.running[pid]
	if one == nil || one.asked || one.Process.Signal(signal) != nil { // it has ended
		return api.ErrNoWorker
	}
	one.asked = true
	return nil
}
