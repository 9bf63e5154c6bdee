package storetest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server for tests: the one that is installed, with a data directory and a socket of its own. All but Start and Stop are safe for concurrent use.
type Postgres struct {
	bin, dir  string
	owner     *syscall.Credential // who runs it, or nil for the user of the tests
	process   *exec.Cmd           // nil while it is stopped
	databases atomic.Int64
}

// StartPostgres starts a server, which the test stops at its end. Without PostgreSQL the test is skipped.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	bin := find()
	if bin == "" {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	// The path of a socket is short, so that of the test would be too long.
	dir, err := os.MkdirTemp("", "pg")
	check(t, err)
	s := &Postgres{bin: bin, dir: dir}
	t.Cleanup(func() {
		s.Stop(t)
		check(t, os.RemoveAll(dir))
	})
	s.own(t)
	out, err := s.command("initdb", "--pgdata", filepath.Join(dir, "data"), "--username", "orders", "--auth", "trust", "--encoding", "UTF8", "--no-sync", "--locale", "C.UTF-8").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start(t)
	return s
}

// find is the folder of the newest PostgreSQL's programs, or empty.
func find() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// own gives the folder to a user other than root, as whom PostgreSQL refuses to run.
func (s *Postgres) own(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres") // the package of Debian adds it
	check(t, err)
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	check(t, errors.Join(err1, err2, os.Chown(s.dir, int(uid), int(gid))))
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *Postgres) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, program), args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	return c
}

// Start starts a server that was stopped, and returns when it accepts connections.
func (s *Postgres) Start(t testing.TB) {
	t.Helper()
	// What is not on disk yet is lost with the machine only.
	c := s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300")
	log, err := c.StderrPipe()
	check(t, err)
	check(t, c.Start())
	s.process = c
	lines := bufio.NewScanner(log)
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the process
			return
		}
	}
	t.Fatalf("PostgreSQL has ended: %v\n%s", c.Wait(), all.String())
}

// Stop stops the server as at the end of its machine: connections break, and what was committed stays.
func (s *Postgres) Stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	check(t, s.process.Process.Signal(syscall.SIGQUIT))
	_ = s.process.Wait() // it exits with an error
	s.process = nil
}

// Used is the CPU time of the server: of all its processes that run, and of those that have ended.
func (s *Postgres) Used(t testing.TB) time.Duration {
	t.Helper()
	server := strconv.Itoa(s.process.Process.Pid)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	check(t, err)
	const tick = time.Second / 100 // USER_HZ
	var all time.Duration
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// proc(5): after the name, which is in brackets, are state, ppid, …, utime, stime, cutime, cstime.
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		itself := filepath.Base(filepath.Dir(path)) == server
		for i, of := range []bool{itself || f[1] == server, itself || f[1] == server, itself, itself} {
			if n, err := strconv.ParseInt(f[11+i], 10, 64); of && err == nil {
				all += time.Duration(n) * tick
			}
		}
	}
	return all
}

// Database makes an empty database, and returns its URL.
func (s *Postgres) Database(t testing.TB) (url string) {
	t.Helper()
	n := s.databases.Add(1)
	name := "test" + strconv.FormatInt(n, 10)
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	check(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
	check(t, err)
	return s.url(name)
}

func (s *Postgres) url(database string) string {
	return "host=" + s.dir + " user=orders dbname=" + database
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
