// Package metrics counts what a worker does, for alerts and dashboards.
//
// Each fact is counted once, where it is known. Each worker has its own meter and registry, because a
// process can run several workers. Labels have values of closed lists only: no IDs and no texts of
// customers.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka/meter"
	"example.com/orders/shared/order"
)

// Meter has the instruments of one worker. It is safe for concurrent use.
type Meter struct {
	Kafka *meter.Kafka // of all Kafka clients of the worker

	registry   *prometheus.Registry
	outcomes   *prometheus.CounterVec
	mailed     prometheus.Histogram
	steps      *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	uncertain  prometheus.Counter
	stale      prometheus.Counter
	lost       prometheus.Counter
	refused    prometheus.Counter
	restores   prometheus.Histogram
	partitions prometheus.Gauge
	states     *prometheus.CounterVec
}

// New returns a meter at zero.
func New() *Meter {
	m := &Meter{
		Kafka:    meter.New(),
		registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(counter("outcomes_total", "Ended attempts at orders, by outcome."), []string{"outcome"}),
		mailed: prometheus.NewHistogram(histogram("placed_to_mailed_seconds", "Time from the placement of an order until its mail was sent, in seconds, without replays.",
			0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)),
		steps: prometheus.NewHistogramVec(histogram("step_seconds", "Duration of an attempt at a step, in seconds, by outcome: done, or the class of the failure.",
			0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30), []string{"step", "outcome"}),
		failures:  prometheus.NewCounterVec(counter("failures_total", "Failed attempts at a step, by step, class and reason."), []string{"step", "class", "reason"}),
		uncertain: prometheus.NewCounter(counter("uncertain_total", "Mails whose outcome is unknown.")),
		stale:     prometheus.NewCounter(counter("stale_states_total", "Ignored states, written by a worker that had lost its partition.")),
		lost:      prometheus.NewCounter(counter("lost_records_total", "Records deleted from Kafka before they were read.")),
		refused:   prometheus.NewCounter(counter("refused_records_total", "Records that blocked their partition, for example of a newer version.")),
		restores: prometheus.NewHistogram(histogram("restore_seconds", "Time from the assignment of a partition until its orders are known, in seconds.",
			0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60)),
		partitions: prometheus.NewGauge(gauge("partitions", "Partitions assigned to the worker.")),
		states:     prometheus.NewCounterVec(counter("partition_transitions_total", "Changes of the state of a partition, by the new state."), []string{"state"}),
	}
	m.registry.MustRegister(m.Kafka, m.outcomes, m.mailed, m.steps, m.failures, m.uncertain, m.stale, m.lost, m.refused, m.restores, m.partitions, m.states,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A counter that appears with its first count shows no increase.
	for _, s := range order.Statuses() {
		if s.Writer() == order.Worker && (s.Final() || s.Parked()) {
			m.outcomes.WithLabelValues(string(s))
		}
	}
	m.outcomes.WithLabelValues(string(Duplicate))
	return m
}

// Duplicate is the outcome of a record whose order was placed by an earlier one.
const Duplicate order.Status = "duplicate"

const namespace, subsystem = "orders", "worker"

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

func histogram(name, help string, buckets ...float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets}
}

// Handler serves the metrics in the format of Prometheus.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Partition is what scrapes show of an assigned partition.
type Partition struct {
	Number     int32
	State      string
	Reason     string        // why it is blocked, as one word of a closed list; or empty
	Unreadable *Batch        // that blocks it; or nil
	InFlight   int           // orders
	Queued     int           // records in memory that are not in flight
	Oldest     time.Duration // how long the oldest of them has been in flight, without outages of Kafka
}

// Batch is where a batch is that cannot be read.
type Batch struct {
	Topic  string
	Offset int64
}

// Watch makes scrapes ask for the assigned partitions, and for the state of the circuit breaker of a
// dependency: closed, half-open or open. Slots is the limit of orders in flight. Call it once.
func (m *Meter) Watch(slots int, partitions func() []Partition, dependency string, breaker func() string) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
	}
	m.registry.MustRegister(watched{
		limit: slots, partitions: partitions, dependency: dependency, state: breaker,
		slots:    desc("slots", "Limit of the orders in flight."),
		inFlight: desc("in_flight", "Orders in flight."),
		queued:   desc("queued", "Records in memory that wait for a slot, for an earlier record of their order, or until they are due."),
		oldest:   desc("oldest_in_flight_seconds", "How long the oldest order has been in flight, without outages of Kafka, in seconds."),
		owned:    desc("partition_state", "1 for the state of each assigned partition.", "partition", "state", "reason"),
		unreadable: desc("unreadable_offset", "Offset of a batch that cannot be read. Its partition is blocked until the batch is skipped.",
			"topic", "partition"),
		breaker: desc("breaker_state", "1 for the state of the circuit breaker of each dependency: closed, open (orders wait) or half-open (one order is tried).", "dependency", "state"),
	})
}

// watched is a collector of gauges of which each scrape asks for the values.
type watched struct {
	limit      int
	partitions func() []Partition
	dependency string
	state      func() string

	slots, inFlight, queued, oldest, owned, unreadable, breaker *prometheus.Desc
}

// Describe is called by Prometheus.
func (w watched) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{w.slots, w.inFlight, w.queued, w.oldest, w.owned, w.unreadable, w.breaker} {
		all <- d
	}
}

// Collect is called by Prometheus.
func (w watched) Collect(all chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	inFlight, queued, oldest := 0, 0, time.Duration(0)
	for _, p := range w.partitions() {
		inFlight, queued, oldest = inFlight+p.InFlight, queued+p.Queued, max(oldest, p.Oldest)
		number := strconv.Itoa(int(p.Number))
		gauge(w.owned, 1, number, p.State, p.Reason)
		if p.Unreadable != nil {
			gauge(w.unreadable, float64(p.Unreadable.Offset), p.Unreadable.Topic, number)
		}
	}
	gauge(w.slots, float64(w.limit))
	gauge(w.inFlight, float64(inFlight))
	gauge(w.queued, float64(queued))
	gauge(w.oldest, oldest.Seconds())
	now := w.state()
	for _, state := range []string{"closed", "half-open", "open"} {
		value := 0.0
		if state == now {
			value = 1
		}
		gauge(w.breaker, value, w.dependency, state)
	}
}

// Partition counts a change of the state of a partition.
func (m *Meter) Partition(state string) { m.states.WithLabelValues(state).Inc() }

// Ended counts an ended attempt by the status that it left the order in, or Duplicate.
func (m *Meter) Ended(outcome order.Status) { m.outcomes.WithLabelValues(string(outcome)).Inc() }

// Mailed observes the time since an order was placed whose mail was sent.
func (m *Meter) Mailed(placed time.Time) { m.mailed.Observe(max(0, time.Since(placed).Seconds())) }

// Step observes an attempt at a step, and counts a failed one by class and reason.
func (m *Meter) Step(step order.Step, took time.Duration, err error) {
	outcome := "done"
	if err != nil {
		class, reason := failure.Of(err)
		outcome = class.String()
		m.failures.WithLabelValues(string(step), outcome, string(reason)).Inc()
	}
	m.steps.WithLabelValues(string(step), outcome).Observe(took.Seconds())
}

// Uncertain counts a mail whose outcome is unknown.
func (m *Meter) Uncertain() { m.uncertain.Inc() }

// Stale counts a state that readers ignore.
func (m *Meter) Stale() { m.stale.Inc() }

// Lost counts records that Kafka deleted before they were read.
func (m *Meter) Lost(n int64) { m.lost.Add(float64(n)) }

// Refused counts a record that blocks its partition.
func (m *Meter) Refused() { m.refused.Inc() }

// Restored observes the time from the assignment of a partition until its orders are known.
func (m *Meter) Restored(took time.Duration) { m.restores.Observe(took.Seconds()) }

// Owns sets the number of assigned partitions.
func (m *Meter) Owns(partitions int) { m.partitions.Set(float64(partitions)) }
