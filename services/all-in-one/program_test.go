package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// program is a running program and the lines that it has printed.
type program struct {
	cmd    *exec.Cmd
	ended  chan struct{} // closed when its output has ended
	seen   int           // lines up to the one awaited last
	mu     sync.Mutex
	lines  []string
	change *sync.Cond
	over   bool
}

// launch starts a program in the directory of the story.
func (k *kit) launch(name, path string, flags ...string) (*program, error) {
	p := &program{cmd: exec.Command(path, flags...), ended: make(chan struct{})}
	p.change = sync.NewCond(&p.mu)
	p.cmd.Dir = k.workdir
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	err = p.cmd.Start()
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	k.programs[name] = p
	go p.read(r) // ends with the program
	return p, nil
}

func (p *program) read(r io.ReadCloser) {
	defer close(p.ended)
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		p.change.Broadcast()
	}
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.change.Broadcast()
}

// line waits for a line that matches, beginning with line number from.
func (p *program) line(want *regexp.Regexp, from int) ([]string, error) {
	late := false
	deadline := time.AfterFunc(patience, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.change.Broadcast()
	})
	defer deadline.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := from; ; i++ {
		for i == len(p.lines) && !p.over && !late {
			p.change.Wait()
		}
		if i == len(p.lines) {
			return nil, fmt.Errorf("no line matches %s (the program has ended: %v):\n%s", want, p.over, strings.Join(p.lines, "\n"))
		}
		if found := want.FindStringSubmatch(p.lines[i]); found != nil {
			p.seen = max(p.seen, i+1)
			return found, nil
		}
	}
}

func (p *program) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// signal sends a signal. The program may have exited already.
func (p *program) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// end sends a signal, if it is not nil, and waits for the exit.
func (p *program) end(signal os.Signal) *os.ProcessState {
	if signal != nil {
		p.signal(signal)
	}
	<-p.ended
	_ = p.cmd.Wait() // its error is the state
	return p.cmd.ProcessState
}
