package wire

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Worker is what one worker tells of itself: the facts that no other program knows. It is a record in
// orders.workers, in the partition WorkersPartition, with the ID of the worker as its key. A worker
// that stops writes a tombstone.
type Worker struct {
	ID           string // of this run of the worker
	Host         string
	PID          int
	Version      string
	Group        string    // consumer group
	Started      time.Time // when it started
	At           time.Time // when it looked
	Lease        time.Duration
	InFlight     int // orders
	Slots        int // limit of InFlight
	Partitions   []WorkerPartition
	Dependencies []Dependency
}

// WorkerPartition is a partition that is assigned to a worker.
type WorkerPartition struct {
	Number   int32  `json:"number"`
	State    string `json:"state"`            // of package partition
	Reason   string `json:"reason,omitempty"` // why it is blocked, else why it is in this state; or empty
	InFlight int    `json:"in_flight"`        // orders
}

// Dependency is the circuit breaker of a dependency, as one worker sees it.
type Dependency struct {
	Name   string    // such as "mail server"
	State  string    // closed, half-open or open
	Since  time.Time // when orders began to wait, or to continue; zero: it never opened
	Probe  time.Time // when the next order is tried; zero while the breaker is closed
	Reason string    // of the last failure, of package failure; empty while the breaker is closed
}

// WorkersPartition is the partition of orders.workers that all workers write to: its log has all that
// they tell in one sequence.
const WorkersPartition = 0

// Workers tell of themselves every WorkerEvery at least. One that has not for WorkerGone was killed, or
// is cut off.
const (
	WorkerEvery = 5 * time.Second
	WorkerGone  = 15 * time.Second
)

// Bounds of a worker's record: texts in characters.
const (
	maxWorkerText   = 300
	maxDependencies = 20
	maxPartitions   = 10_000
)

// Record is the record as it is written to orders.workers. Longer texts than its reader accepts are cut.
func (w *Worker) Record() *kgo.Record {
	v := workerValue{
		Schema: schema, Host: cutText(w.Host), PID: w.PID, Version: cutText(w.Version), Group: cutText(w.Group), Started: Stamp(w.Started), At: Stamp(w.At),
		LeaseMS: w.Lease.Milliseconds(), InFlight: w.InFlight, Slots: w.Slots, Partitions: []WorkerPartition{}, Dependencies: []dependencyValue{},
	}
	for _, p := range w.Partitions {
		p.Reason = cutText(p.Reason)
		v.Partitions = append(v.Partitions, p)
	}
	for _, d := range w.Dependencies {
		v.Dependencies = append(v.Dependencies, dependencyValue{d.Name, d.State, optional(d.Since), optional(d.Probe), d.Reason})
	}
	e := Envelope{
		Type: TypeWorker, ID: w.ID + "/" + Stamp(w.At), Time: w.At,
		Cause: order.Cause{Actor: order.Actor{Kind: order.ActorService, ID: w.ID}}, content: jsonType,
	}
	return e.Record([]byte(w.ID), mustJSON(v), nil)
}

// cutText makes a text one that ReadWorker accepts.
func cutText(text string) string {
	var kept []rune
	for _, r := range text {
		if len(kept) == maxWorkerText {
			break
		}
		if order.TextFault(string(r), 0, 1) != "" {
			r = ' '
		}
		kept = append(kept, r)
	}
	return string(kept)
}

func optional(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Stamp(t)
}

// ReadWorker reads the record of a worker.
func ReadWorker(r *kgo.Record) (Worker, error) {
	if _, _, err := ReadEnvelope(r, TypeWorker); err != nil {
		return Worker{}, err
	}
	var v workerValue
	if err := decode(r.Value, &v); err != nil {
		return Worker{}, err
	}
	w := Worker{
		ID: string(r.Key), Host: v.Host, PID: v.PID, Version: v.Version, Group: v.Group, Started: Unstamp(v.Started), At: Unstamp(v.At),
		Lease: time.Duration(v.LeaseMS) * time.Millisecond, InFlight: v.InFlight, Slots: v.Slots, Partitions: v.Partitions,
	}
	for _, d := range v.Dependencies {
		w.Dependencies = append(w.Dependencies, Dependency{d.Name, d.State, Unstamp(d.Since), Unstamp(d.Probe), d.Reason})
	}
	if fault := w.fault(); fault != "" {
		return Worker{}, fmt.Errorf("%w: worker with key %.40q: %s", ErrUndecodable, r.Key, fault)
	}
	return w, nil
}

// fault names the first field that is not as Worker describes it, or is "".
func (w *Worker) fault() string {
	text := func(s string) bool { return order.TextFault(s, 0, maxWorkerText) == "" }
	switch {
	case !wellFormed(order.ID(w.ID)):
		return "id"
	case !text(w.Host) || !text(w.Version) || !text(w.Group):
		return "host"
	case w.At.IsZero() || w.Started.IsZero():
		return "at"
	case w.PID < 0 || w.Lease < 0 || w.Lease > time.Hour || w.InFlight < 0 || w.Slots < 0:
		return "numbers"
	case len(w.Partitions) > maxPartitions || slices.ContainsFunc(w.Partitions, func(p WorkerPartition) bool {
		return p.Number < 0 || p.InFlight < 0 || !kindOf(p.State) || !text(p.Reason)
	}):
		return "partitions"
	case len(w.Dependencies) > maxDependencies || slices.ContainsFunc(w.Dependencies, func(d Dependency) bool {
		return !text(d.Name) || d.Name == "" || !kindOf(d.State) || d.Reason != "" && !kindOf(d.Reason)
	}):
		return "dependencies"
	}
	return ""
}

type workerValue struct {
	Schema       int               `json:"schema"`
	Host         string            `json:"host"`
	PID          int               `json:"pid"`
	Version      string            `json:"version"`
	Group        string            `json:"group"`
	Started      string            `json:"started"`
	At           string            `json:"at"`
	LeaseMS      int64             `json:"lease_ms"`
	InFlight     int               `json:"in_flight"`
	Slots        int               `json:"slots"`
	Partitions   []WorkerPartition `json:"partitions"`
	Dependencies []dependencyValue `json:"dependencies"`
}

type dependencyValue struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Since  string `json:"since,omitempty"`
	Probe  string `json:"probe,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// ReadTook returns how long an order took from its placement to a confirmation, and its timeline, of the
// record of its confirmed state. It is false for an order that was replayed, and for a record that is not
// such a state.
func ReadTook(r *kgo.Record) (took time.Duration, timeline []order.Change, ok bool) {
	var v struct {
		Order struct {
			PlacedAt time.Time `json:"placed_at"`
		} `json:"order"`
		Replays  int      `json:"replays"`
		Timeline []change `json:"timeline"`
	}
	at := Unstamp(Header(r, hTime))
	if decode(r.Value, &v) != nil || v.Replays > 0 || v.Order.PlacedAt.IsZero() || at.IsZero() {
		return 0, nil, false
	}
	for _, c := range v.Timeline {
		timeline = append(timeline, order.Change(c))
	}
	return max(0, at.Sub(v.Order.PlacedAt)), timeline, true
}
