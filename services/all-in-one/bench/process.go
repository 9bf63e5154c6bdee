package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// process is a running program.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has exited
}

// startTimeout bounds the time that a program needs to start, also on a busy machine.
const startTimeout = 2 * time.Minute

// start starts a program and waits until its output contains a text.
func (b *bench) start(ctx context.Context, name, readyText string, args ...string) (*process, error) {
	ready := &watcher{text: []byte(readyText), found: make(chan struct{})}
	p, err := b.launch(ctx, name, ready, args...)
	if err != nil {
		return nil, err
	}
	select {
	case <-ready.found:
		return p, nil
	case <-time.After(startTimeout):
		err = fmt.Errorf("starting %s: not ready after %s", name, startTimeout)
	case <-p.done:
		err = fmt.Errorf("starting %s: it exited", name)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.stop()
	return nil, err
}

// launch starts a program, whose output goes to a log and to another writer, which may be nil. It
// does not wait until the program is ready.
func (b *bench) launch(ctx context.Context, name string, output io.Writer, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// Where setpriv exists, the program is killed when this one exits in any way.
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		args = append([]string{setpriv, "--pdeathsig", "SIGKILL"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.WaitDelay = log, time.Second
	if output != nil {
		cmd.Stdout = io.MultiWriter(log, output)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() { // ends with the program
		defer close(p.done)
		defer log.Close()
		_ = cmd.Wait() // the exit status does not matter
	}()
	return p, nil
}

// stop ends the program, and waits until it has exited.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have exited
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// ticks is the unit of CPU times in /proc on Linux.
const ticks = time.Second / 100

// cpu is the CPU time that the program has used so far, or zero if it has exited.
func (p *process) cpu() time.Duration { return cpuOf(p.cmd.Process.Pid) }

// allCPU is that of the program and of the programs that it runs.
func (p *process) allCPU() time.Duration { return allCPUOf(p.cmd.Process.Pid) }

func allCPUOf(pid int) time.Duration {
	sum := cpuOf(pid)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return sum
	}
	for _, text := range strings.Fields(string(children)) {
		child, _ := strconv.Atoi(text)
		sum += allCPUOf(child)
	}
	return sum
}

// cpuOf is the CPU time of a process. See proc(5).
func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program, in parentheses, may contain spaces. The third field follows.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[14-3])
	system, _ := strconv.Atoi(fields[15-3])
	return time.Duration(user+system) * ticks
}

// idle is how long the CPUs of the machine have been idle so far, summed over them, or zero if that is
// not known. See proc(5).
func idle() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	fields := append(strings.Fields(string(text)), "", "", "", "", "")
	n, _ := strconv.Atoi(fields[4])
	return time.Duration(n) * ticks
}

// peak is the largest resident set so far, in MB, or zero if it has exited.
func (p *process) peak() float64 { return p.memory("VmHWM:") }

// resident is the resident set now, in MB, or zero if it has exited.
func (p *process) resident() float64 { return p.memory("VmRSS:") }

// memory is a size in the status of the program. See proc(5).
func (p *process) memory(field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), field)
	kB, _ := strconv.Atoi(append(strings.Fields(rest), "0")[0])
	return float64(kB) / 1000
}

// watcher closes found when the text was written to it.
type watcher struct {
	text  []byte
	found chan struct{}
	last  []byte // the end of the output so far: the text may be split over two writes
	seen  bool
}

// Write is called by one goroutine: that of os/exec.
func (w *watcher) Write(output []byte) (int, error) {
	if !w.seen {
		w.last = append(w.last, output...)
		if w.seen = bytes.Contains(w.last, w.text); w.seen {
			close(w.found)
		}
		w.last = w.last[max(0, len(w.last)-len(w.text)):]
	}
	return len(output), nil
}

// program is the path of a program.
func (b *bench) program(name string) string { return filepath.Join(b.Bin, name) }

// prefer gives the session of this program priority over others until the function that it returns is called (autogroups, see
// sched(7)): other load then adds less to the CPU time that is measured. For kernels without autogroups, scripts/bench
// starts this program with nice. Where that is not allowed, nothing changes.
func prefer() (end func()) {
	const group = "/proc/self/autogroup"
	text, err := os.ReadFile(group)
	_, was, known := strings.Cut(string(text), " nice ")
	if err != nil || !known || os.WriteFile(group, []byte("-10"), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(group, []byte(strings.TrimSpace(was)), 0) } // only another priority would be lost
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func (b *bench) logf(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// startAPI starts an API without limits on requests and on the age of waiting orders, and with more flags.
func (b *bench) startAPI(ctx context.Context, prefix, data string, more ...string) (*process, error) {
	return b.start(ctx, "order-api", "msg=listening", append([]string{
		b.program("order-api"), "--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--group", prefix,
		"--http", address(b.Port + apiPort), "--data", filepath.Join(b.dir, data), "--rate-limit", "0", "--guest-rate-limit", "0", "--promise", "0",
	}, more...)...)
}

// consumer starts a program in the group that is named as the prefix, with more flags. It does not wait until it is ready.
func (b *bench) consumer(ctx context.Context, name, prefix string, s *sink, concurrency int, more ...string) (*process, error) {
	return b.launch(ctx, name, nil, append([]string{
		b.program(name), "--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--group", prefix,
		"--smtp", s.address(), "--concurrency", fmt.Sprint(concurrency),
	}, more...)...)
}

// newPrefix creates topics under a new prefix, and returns it with its topics.
func (b *bench) newPrefix(ctx context.Context) (string, topic.Set, error) {
	b.prefixes++
	prefix := fmt.Sprint("bench-", b.prefixes)
	set := topic.Names(prefix)
	cl, err := b.kafka.Connect(ctx)
	if err != nil {
		return "", set, err
	}
	defer cl.Close()
	_, err = kafka.Create(ctx, cl, set, topic.Partitions, 1)
	return prefix, set, err
}
