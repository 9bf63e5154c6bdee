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

// process supervises a program: if it exits unexpectedly, it is restarted.
type process struct {
	name, log string // log is the file that its output is appended to
	args, env []string
	readyText string            // its output contains this when it is ready
	onExit    func(name string) // called after an unexpected exit

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil before the first start
	wanted bool          // restart it when it exits
	out    *readyWatcher // of the last launch
	done   chan struct{} // closed when it has exited and is not wanted
}

// start runs the program until ctx is done or end is called. It returns when the program is ready.
func (p *process) start(ctx context.Context) error {
	p.launch(ctx)
	return p.ready(ctx)
}

// launch starts the program without waiting until it is ready.
func (p *process) launch(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted, p.done = true, make(chan struct{})
	p.out = &readyWatcher{readyText: []byte(p.readyText), found: make(chan struct{})}
	go p.supervise(ctx, p.out, p.done) // ends with ctx or end
}

// ready waits until the program that was launched last is ready.
func (p *process) ready(ctx context.Context) error {
	select {
	case <-p.out.found:
		return nil
	case <-time.After(processTimeout):
		return fmt.Errorf("starting %s: not ready after %s", p.name, processTimeout)
	case <-p.done:
		return fmt.Errorf("starting %s: it exited, see %s", p.name, p.log)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// processTimeout bounds the time that a program needs to start or to stop. A worker drains for 35
// s; three brokers start slowly on a busy machine.
const processTimeout = 2 * time.Minute

// dumpTimeout bounds the time that a program needs to write its goroutines to its log.
const dumpTimeout = 10 * time.Second

// restartDelay is the time between an unexpected exit and the restart.
const restartDelay = time.Second

func (p *process) supervise(ctx context.Context, out *readyWatcher, done chan struct{}) {
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
		_ = cmd.Wait() // the exit status does not matter
		p.mu.Lock()
		wanted := p.wanted
		p.mu.Unlock()
		if !wanted || ctx.Err() != nil {
			return
		}
		p.onExit(p.name)
		wait(ctx, restartDelay)
	}
}

// exec starts the command, unless end was called.
func (p *process) exec(cmd *exec.Cmd) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted || cmd.Start() != nil {
		return false
	}
	p.cmd = cmd
	return true
}

// command returns a command that is killed when this process exits in any way, where setpriv is
// available.
func command(ctx context.Context, args, env []string) *exec.Cmd {
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		args = append([]string{setpriv, "--pdeathsig", "SIGKILL"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	// A process group of its own: Ctrl-C reaches only this program, which stops the others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// end sends a signal and waits until the program has exited. If that takes too long, it kills the
// program and returns an error; SIGQUIT before that has a Go program write where it hangs to its log.
func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	p.wanted = false
	done := p.done
	p.mu.Unlock()
	p.signal(sig)
	select {
	case <-done:
		return nil
	case <-time.After(processTimeout):
		p.signal(syscall.SIGQUIT)
		select {
		case <-done:
		case <-time.After(dumpTimeout):
			p.signal(syscall.SIGKILL)
		}
		<-done
		return fmt.Errorf("stopping %s: still running %s after signal %d", p.name, processTimeout, sig)
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig) // it may have exited
	}
}

// wait waits for d, and reports whether ctx is still active. It returns true at once if d is not
// positive.
func wait(ctx context.Context, d time.Duration) bool {
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

// readyWatcher writes the output of a program to a file, and closes found when the text appears in
// it.
type readyWatcher struct {
	file      *os.File
	readyText []byte
	found     chan struct{}
	seen      bool
	last      []byte // the end of the output so far: the text may be split over two writes
}

// Write is called by one goroutine: that of os/exec.
func (m *readyWatcher) Write(text []byte) (int, error) {
	if !m.seen {
		m.last = append(m.last, text...)
		if m.seen = bytes.Contains(m.last, m.readyText); m.seen {
			close(m.found)
		}
		m.last = m.last[max(0, len(m.last)-len(m.readyText)):]
	}
	return m.file.Write(text)
}
