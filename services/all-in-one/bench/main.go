// Command bench measures the application together with its floors.
//
// A floor is a small program that does the bare work with the same libraries, and keeps none of the
// promises: bareloop takes orders through the steps, bareapi appends the body of a request, bareview
// writes rows into SQLite. The result is a table of ratios. Ratios mean the same on every machine;
// the absolute figures are those of this one, with a load of other programs that the table states.
//
// All programs are processes on one Apache Kafka, which bench starts. System and floor take turns,
// and the best turn of each counts: a busy machine makes a turn slower, never faster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
)

func main() { config.Main("bench", run) }

// settings are the flags.
type settings struct {
	Sections     []string `arg:"" optional:"" help:"Sections to measure. Default: all, which takes about an hour."`
	Turns        int      `default:"3" help:"Turns of system and floor. The best counts."`
	Mails        int      `default:"3000" help:"Orders of each turn of pipeline."`
	Seconds      float64  `default:"5" help:"Duration in seconds of each turn of api, reads and latency."`
	Minutes      float64  `default:"1" help:"Duration in minutes of soak. Whether memory grows is shown from 5 minutes on."`
	Orders       int      `default:"300000" help:"Orders in the read models of view and lists. For lists, 5,000,000 need 18 GB of disk."`
	Backlog      int      `default:"100000" help:"Orders of restart."`
	Streams      int      `default:"5000" help:"Event streams of streams, at most 5000."`
	Letters      int      `default:"10000" help:"Dead letters of desk."`
	Port         int      `default:"22092" help:"First of 20 TCP ports to use on 127.0.0.1."`
	Guard        bool     `help:"Measure a few ratios of CPU times, and fail if one is more than 15 % worse than its baseline. Takes up to 3 minutes."`
	Baseline     bool     `help:"Measure the same ratios, and write them to the file of baselines."`
	BaselineFile string   `type:"path" default:"services/all-in-one/bench/baseline.json" help:"File of baselines."`
	Bin          string   `default:"bin" type:"path" help:"Directory of the programs."`
	Scripts      string   `default:"scripts" type:"path" help:"Directory of the script kafka."`
	Command      string   `hidden:"" help:"Command that the table names."`
}

// section measures one thing.
type section struct {
	name, does string
	measure    func(*bench, context.Context) ([]row, error)
}

func sections() []section {
	return []section{
		{"pipeline", "a worker, and the bare steps of an order; mail servers that take 0, 25 and 100 ms", (*bench).pipeline},
		{"api", "placing and reading orders in closed and open loops, and a bare handler", (*bench).api},
		{"reads", "getting an order and each list, with 64 connections", (*bench).reads},
		{"streams", "5,000 event streams while their orders are confirmed", (*bench).streams},
		{"latency", "from placing an order to its mail, at 10, 50 and 90 % of the capacity", (*bench).latency},
		{"sizes", "bytes and CPU time of Kafka for an order", (*bench).sizes},
		{"view", "catching up with full topics, and bare upserts; each way to find orders", (*bench).view},
		{"lists", "every list, search and page of a read model with many orders, with one connection", (*bench).lists},
		{"scale", "2, 4 and 8 workers, and one", (*bench).scale},
		{"restart", "from the start of a worker with a backlog to its first mail", (*bench).restart},
		{"desk", "a replay of dead letters, and a raw copy", (*bench).desk},
		{"soak", "--minutes at half of the capacity: memory, latency, lost orders", (*bench).soak},
	}
}

// about is what --help says above the flags.
func about() string {
	text := "Measures the application together with its floors, and prints their ratios.\n\nSections:\n"
	for _, s := range sections() {
		text += fmt.Sprintf("\n  %-9s %s", s.name, s.does)
	}
	return text
}

// Validate is called by config.Parse.
func (s *settings) Validate() error {
	if s.Turns < 1 || s.Mails < 100 || s.Orders < 1000 || s.Backlog < 1 || s.Letters < 1 || s.Seconds <= 0 || s.Minutes <= 0 {
		return errors.New("--turns must be at least 1, --mails at least 100, --orders at least 1000, --backlog and --letters at least 1, and --seconds and --minutes positive")
	}
	if s.Streams < 1 || s.Streams > mostStreams {
		return fmt.Errorf("--streams must be 1 to %d", mostStreams)
	}
	for _, name := range s.Sections {
		if !slices.ContainsFunc(sections(), func(x section) bool { return x.name == name }) {
			return fmt.Errorf("unknown section %q", name)
		}
	}
	return nil
}

// bench is a run. It is for one goroutine.
type bench struct {
	settings
	dir      string // of data and logs
	kafka    kafka.Config
	out      io.Writer // progress
	prefixes int       // number of prefixes so far
	broker   *process  // Apache Kafka
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "bench", about(), args, env, stdout, stderr); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	b := &bench{settings: s, dir: dir, kafka: kafka.Config{Brokers: []string{address(s.Port)}}, out: stderr}
	if err := b.print(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "bench: the logs are in %s\n", dir)
		return errors.Join(err, os.RemoveAll(filepath.Join(dir, "kafka")))
	}
	return os.RemoveAll(dir)
}

// print measures on an Apache Kafka, and prints a table.
func (b *bench) print(ctx context.Context, stdout io.Writer) error {
	if b.Guard || b.Baseline {
		defer prefer()()
	}
	broker, err := b.start(ctx, "kafka", "ready on", filepath.Join(b.Scripts, "kafka"), "--data", filepath.Join(b.dir, "kafka"), "--port", fmt.Sprint(b.Port))
	if err != nil {
		return err
	}
	defer broker.stop()
	b.broker = broker
	if b.Guard || b.Baseline {
		return b.guard(ctx, stdout)
	}
	rows, err := b.all(ctx)
	if err != nil {
		return err
	}
	printTable(stdout, rows)
	fmt.Fprintf(stdout, "\n`%s` on %s\n", strings.TrimSpace(b.Command), machine())
	return nil
}

// all runs the sections.
func (b *bench) all(ctx context.Context) (rows []row, err error) {
	for _, s := range sections() {
		if len(b.Sections) > 0 && !slices.Contains(b.Sections, s.name) {
			continue
		}
		more, err := s.measure(b, ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}
