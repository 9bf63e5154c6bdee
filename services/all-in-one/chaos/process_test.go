package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// shell is a process that runs a script in a folder of its own.
func shell(t *testing.T, script string) (*process, chan string) {
	t.Helper()
	fell := make(chan string, 10)
	dir := t.TempDir()
	return &process{
		name: "shell", log: filepath.Join(dir, "log"), args: []string{"sh", "-c", "cd " + dir + "\n" + script},
		mark: "ready", fell: func(name string) { fell <- name },
	}, fell
}

func TestProcessIsStartedWhenItSaysSo(t *testing.T) {
	t.Parallel()
	p, fell := shell(t, `echo is; echo ready; exec tail -f /dev/null`)
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(p.log); string(log) != "is\nready\n" || err != nil {
		t.Errorf("log: got %q, %v", log, err)
	}
	if len(fell) != 0 {
		t.Error("got told that it ended by itself, and it was killed")
	}
}

func TestProcessThatEndsByItselfIsStartedAgain(t *testing.T) {
	t.Parallel()
	// The second time it tells through a pipe, whose reader waits for it.
	p, fell := shell(t, `echo ready; if mkdir once 2>/dev/null; then exit 1; fi; echo again >pipe; exec tail -f /dev/null`)
	pipe := filepath.Join(filepath.Dir(p.log), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("there are no named pipes: ", err)
	}
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name := <-fell; name != "shell" {
		t.Errorf("got told of %q", name)
	}
	if told, err := os.ReadFile(pipe); string(told) != "again\n" || err != nil {
		t.Errorf("got %q, %v; want it to run again", told, err)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

func TestProcessEndsWithTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, fell := shell(t, `echo ready; exec tail -f /dev/null`)
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.done
	if len(fell) != 0 {
		t.Error("got told that it ended by itself")
	}
}

func TestMarkMayBeTorn(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m := &marked{file: file, mark: []byte("partitions owned"), found: make(chan struct{})}
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
