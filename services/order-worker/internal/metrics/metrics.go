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
	"example.com/orders/shared/order"
)

// Meter has the instruments of one worker. It is safe for concurrent use.
type Meter struct {
	registry   *prometheus.Registry
	outcomes   *prometheus.CounterVec
	seconds    prometheus.Histogram
	failures   *prometheus.CounterVec
	uncertain  prometheus.Counter
	stale      prometheus.Counter
	lost       prometheus.Counter
	refused    prometheus.Counter
	restores   prometheus.Histogram
	partitions prometheus.Gauge
	states     *prometheus.CounterVec
	breakers   *prometheus.GaugeVec
}

// New returns a meter at zero.
func New() *Meter {
	m := &Meter{
		registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(counter("outcomes_total", "Ended attempts at orders, by outcome."), []string{"outcome"}),
		seconds: prometheus.NewHistogram(histogram("order_seconds", "Time from the placement of an order to its end, in seconds, without replays.",
			0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)),
		failures:  prometheus.NewCounterVec(counter("failures_total", "Failed attempts at a step, by step, class and reason."), []string{"step", "class", "reason"}),
		uncertain: prometheus.NewCounter(counter("uncertain_total", "Mails whose outcome is unknown.")),
		stale:     prometheus.NewCounter(counter("stale_states_total", "Ignored states, written by a worker that had lost its partition.")),
		lost:      prometheus.NewCounter(counter("lost_records_total", "Records deleted from Kafka before they were read.")),
		refused:   prometheus.NewCounter(counter("refused_records_total", "Records that blocked their partition, for example of a newer version.")),
		restores: prometheus.NewHistogram(histogram("restore_seconds", "Time from the assignment of a partition until its orders are known, in seconds.",
			0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60)),
		partitions: prometheus.NewGauge(gauge("partitions", "Partitions assigned to the worker.")),
		states:     prometheus.NewCounterVec(counter("partition_transitions_total", "Changes of the state of a partition, by the new state."), []string{"state"}),
		breakers:   prometheus.NewGaugeVec(gauge("breaker_open", "1 while the circuit breaker of the step is open or half-open and orders wait for its dependency."), []string{"step"}),
	}
	m.registry.MustRegister(m.outcomes, m.seconds, m.failures, m.uncertain, m.stale, m.lost, m.refused, m.restores, m.partitions, m.states, m.breakers,
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
	Oldest     time.Duration // how long the oldest of them has been in flight, without outages of Kafka
}

// Batch is where a batch is that cannot be read.
type Batch struct {
	Topic  string
	Offset int64
}

// Watch makes scrapes ask for the assigned partitions. Call it once.
func (m *Meter) Watch(ask func() []Partition) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
	}
	m.registry.MustRegister(watched{
		ask:      ask,
		inFlight: desc("in_flight", "Orders in flight."),
		oldest:   desc("oldest_in_flight_seconds", "How long the oldest order has been in flight, without outages of Kafka, in seconds."),
		state:    desc("partition_state", "1 for the state of each assigned partition.", "partition", "state", "reason"),
		unreadable: desc("unreadable_offset", "Offset of a batch that cannot be read. Its partition is blocked until the batch is skipped.",
			"topic", "partition"),
	})
}

// watched is a collector of gauges of which each scrape asks for the values.
type watched struct {
	ask                                 func() []Partition
	inFlight, oldest, state, unreadable *prometheus.Desc
}

// Describe is called by Prometheus.
func (w watched) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{w.inFlight, w.oldest, w.state, w.unreadable} {
		all <- d
	}
}

// Collect is called by Prometheus.
func (w watched) Collect(all chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	inFlight, oldest := 0, time.Duration(0)
	for _, p := range w.ask() {
		inFlight, oldest = inFlight+p.InFlight, max(oldest, p.Oldest)
		number := strconv.Itoa(int(p.Number))
		gauge(w.state, 1, number, p.State, p.Reason)
		if p.Unreadable != nil {
			gauge(w.unreadable, float64(p.Unreadable.Offset), p.Unreadable.Topic, number)
		}
	}
	gauge(w.inFlight, float64(inFlight))
	gauge(w.oldest, oldest.Seconds())
}

// Partition counts a change of the state of a partition.
func (m *Meter) Partition(state string) { m.states.WithLabelValues(state).Inc() }

// Ended counts an ended attempt by the status that it left the order in, or Duplicate.
func (m *Meter) Ended(outcome order.Status) { m.outcomes.WithLabelValues(string(outcome)).Inc() }

// Took observes the time since a finished order was placed.
func (m *Meter) Took(placed time.Time) { m.seconds.Observe(max(0, time.Since(placed).Seconds())) }

// Failed counts a failed attempt at a step.
func (m *Meter) Failed(step order.Step, err error) {
	class, reason := failure.Of(err)
	m.failures.WithLabelValues(string(step), class.String(), string(reason)).Inc()
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

// Breaker sets whether orders wait for the dependency of a step.
func (m *Meter) Breaker(step order.Step, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.breakers.WithLabelValues(string(step)).Set(value)
}
