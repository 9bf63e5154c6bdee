package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a program that is kept running: one that ends by itself is started again, as any machine would.
type process struct {
	name, log string            // its output goes to the end of a file
	args, env []string          // to run it
	mark      string            // what its output says when it is ready
	fell      func(name string) // is told when it ends by itself

	mu     sync.Mutex
	cmd    *exec.Cmd     // or nil: it was never started
	wanted bool          // it is to be started again
	out    *marked       // of the last launch
	done   chan struct{} // closed when it runs no more, and is not wanted
}

// start runs the program until ctx is done or end is called, and returns when it says that it is ready.
func (p *process) start(ctx context.Context) error {
	p.launch(ctx)
	return p.ready(ctx)
}

// launch is start without waiting.
func (p *process) launch(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted, p.done = true, make(chan struct{})
	p.out = &marked{mark: []byte(p.mark), found: make(chan struct{})}
	go p.keep(ctx, p.out, p.done) // ends with ctx or end
}

// ready returns when the program that was launched last says that it is ready.
func (p *process) ready(ctx context.Context) error {
	select {
	case <-p.out.found:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("starting %s: not ready after %s", p.name, patience)
	case <-p.done:
		return fmt.Errorf("starting %s: it ended, see %s", p.name, p.log)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patience is how long a program may take to start or to end. A worker drains for 35 s; three brokers start slowly where others work too.
const patience = 2 * time.Minute

// again is how long a program that ended by itself stays away.
const again = time.Second

func (p *process) keep(ctx context.Context, out *marked, done chan struct{}) {
	defer close(done)
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	out.file = file
	for {
		cmd := command(ctx, p.args, p.env)
		cmd.Stdout, cmd.Stderr = out, out
		if !p.exec(cmd) {
			return
		}
		_ = cmd.Wait() // whatever it ended with: it is wanted or it is not
		p.mu.Lock()
		wanted := p.wanted
		p.mu.Unlock()
		if !wanted || ctx.Err() != nil {
			return
		}
		p.fell(p.name)
		hold(ctx, again)
	}
}

// exec starts the command unless the program is not wanted any more.
func (p *process) exec(cmd *exec.Cmd) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted || cmd.Start() != nil {
		return false
	}
	p.cmd = cmd
	return true
}

// command ties the program to this one, where that can be done: it is killed when this one is.
func command(ctx context.Context, args, env []string) *exec.Cmd {
	if tie, err := exec.LookPath("setpriv"); err == nil {
		args = append([]string{tie, "--pdeathsig", "SIGKILL"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	// A group of its own, so that Ctrl-C reaches this program alone, and it decides about the others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// end sends a signal and returns when the program has ended: one that takes too long is killed, and that is an error.
func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	p.wanted = false
	done := p.done
	p.mu.Unlock()
	p.signal(sig)
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		p.signal(syscall.SIGKILL)
		<-done
		return fmt.Errorf("ending %s: still there %s after signal %d", p.name, patience, sig)
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig) // one that has ended needs none
	}
}

// hold waits, and reports whether ctx let it. What is overdue waits for nobody.
func hold(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// marked is the output of a program. It closes found when the mark comes by.
type marked struct {
	file  *os.File
	mark  []byte
	found chan struct{}
	seen  bool
	last  []byte // the end of what came before: the mark may be torn
}

// Write is called by one goroutine at a time, that of exec.
func (m *marked) Write(text []byte) (int, error) {
	if !m.seen {
		m.last = append(m.last, text...)
		if m.seen = bytes.Contains(m.last, m.mark); m.seen {
			close(m.found)
		}
		m.last = m.last[max(0, len(m.last)-len(m.mark)):]
	}
	return m.file.Write(text)
}
