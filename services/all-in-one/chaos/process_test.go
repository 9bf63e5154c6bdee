package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// shell is a process that runs a script in a directory of its own.
func shell(t *testing.T, script string) (*process, chan string) {
	t.Helper()
	exits := make(chan string, 10)
	dir := t.TempDir()
	return &process{
		name: "shell", log: filepath.Join(dir, "log"), args: []string{"sh", "-c", "cd " + dir + "\n" + script},
		readyText: "ready", onExit: func(name string) { exits <- name },
	}, exits
}

func TestProcessIsStartedWhenItIsReady(t *testing.T) {
	t.Parallel()
	p, exits := shell(t, `echo is; echo ready; exec tail -f /dev/null`)
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(p.log); string(log) != "is\nready\n" || err != nil {
		t.Errorf("log: got %q, %v", log, err)
	}
	if len(exits) != 0 {
		t.Error("got an unexpected exit, want none: it was killed")
	}
}

func TestProcessIsRestartedAfterAnUnexpectedExit(t *testing.T) {
	t.Parallel()
	// The second run writes to a pipe, whose reader waits for it.
	p, exits := shell(t, `echo ready; if mkdir once 2>/dev/null; then exit 1; fi; echo again >pipe; exec tail -f /dev/null`)
	pipe := filepath.Join(filepath.Dir(p.log), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("there are no named pipes: ", err)
	}
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name := <-exits; name != "shell" {
		t.Errorf("got an exit of %q", name)
	}
	if text, err := os.ReadFile(pipe); string(text) != "again\n" || err != nil {
		t.Errorf("got %q, %v; want it to run again", text, err)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

func TestProcessEndsWithTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, exits := shell(t, `echo ready; exec tail -f /dev/null`)
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.done
	if len(exits) != 0 {
		t.Error("got an unexpected exit, want none")
	}
}

func TestReadyTextMayBeSplit(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m := &readyWatcher{file: file, readyText: []byte("partitions owned"), found: make(chan struct{})}
	for _, part := range []string{"a line\nparti", "tions ", "own", "ed\n", "partitions owned\n"} {
		if m.seen != (part == "partitions owned\n") {
			t.Errorf("before %q: got found %t", part, m.seen)
		}
		if _, err := m.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	<-m.found
}
