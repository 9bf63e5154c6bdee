// Package metrics counts what a worker does: what a person would be woken for, and what a dashboard shows.
//
// Each fact is counted where it is known, by one line. A worker has a meter, and a registry, of its own, because a process
// may run several. No label holds an ID or anybody's words: all of them come from closed lists.
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

// Meter is the instruments of one worker. It is safe for concurrent use.
type Meter struct {
	registry   *prometheus.Registry
	outcomes   *prometheus.CounterVec
	seconds    prometheus.Histogram
	failures   *prometheus.CounterVec
	uncertain  prometheus.Counter
	void       prometheus.Counter
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
		outcomes: prometheus.NewCounterVec(counter("outcomes_total", "How attempts at orders ended."), []string{"outcome"}),
		seconds: prometheus.NewHistogram(histogram("order_seconds", "From the placing of an order to its end; replays do not count.",
			0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)),
		failures:  prometheus.NewCounterVec(counter("failures_total", "Failed attempts at a step."), []string{"step", "class", "reason"}),
		uncertain: prometheus.NewCounter(counter("uncertain_total", "Mails of which nobody can know whether they went out.")),
		void:      prometheus.NewCounter(counter("void_states_total", "States that count for nobody: a worker wrote them that had lost its partition.")),
		lost:      prometheus.NewCounter(counter("lost_records_total", "Records that were gone before they were read.")),
		refused:   prometheus.NewCounter(counter("refused_records_total", "Records of a newer version, which hold their partition.")),
		restores: prometheus.NewHistogram(histogram("restore_seconds", "From the assignment of a partition to its ledger.",
			0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60)),
		partitions: prometheus.NewGauge(gauge("partitions", "Partitions that the worker owns.")),
		states:     prometheus.NewCounterVec(counter("partition_transitions_total", "Changes of the state of a partition, by the new state."), []string{"state"}),
		breakers:   prometheus.NewGaugeVec(gauge("breaker_open", "1 while orders wait for what the step depends on."), []string{"step"}),
	}
	m.registry.MustRegister(m.outcomes, m.seconds, m.failures, m.uncertain, m.void, m.lost, m.refused, m.restores, m.partitions, m.states, m.breakers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A counter that appears with its first count shows no increase.
	for _, outcome := range []order.Status{order.Confirmed, order.Retrying, order.Waiting, order.Dead, order.Cancelled, Duplicate} {
		m.outcomes.WithLabelValues(string(outcome))
	}
	return m
}

// Duplicate is the outcome of a record whose order stands in an earlier one.
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

// Handler answers a scrape, in the format of Prometheus.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Watch has scrapes ask how many orders are in hand, and for how long the oldest has been. It is called once.
func (m *Meter) Watch(hands func() (orders int, oldest time.Duration)) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(gauge("in_hand", "Orders in hand."), func() float64 {
			orders, _ := hands()
			return float64(orders)
		}),
		prometheus.NewGaugeFunc(gauge("oldest_in_hand_seconds", "How long the worker has had its oldest order in hand while the group was heard of."), func() float64 {
			_, oldest := hands()
			return oldest.Seconds()
		}))
}

// WatchUnreadable has scrapes ask which batches block partitions, because they cannot be read. It is called once.
func (m *Meter) WatchUnreadable(ask func(say func(topic string, partition int32, offset int64))) {
	m.registry.MustRegister(unreadable{
		prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "unreadable_offset"),
			"Offset of a batch that cannot be read: its partition is blocked until it is skipped.", []string{"topic", "partition"}, nil),
		ask,
	})
}

// unreadable is a collector: what blocks now is known by asking only.
type unreadable struct {
	desc *prometheus.Desc
	ask  func(say func(topic string, partition int32, offset int64))
}

// Describe is called by Prometheus.
func (u unreadable) Describe(all chan<- *prometheus.Desc) { all <- u.desc }

// Collect is called by Prometheus.
func (u unreadable) Collect(all chan<- prometheus.Metric) {
	u.ask(func(topic string, partition int32, offset int64) {
		all <- prometheus.MustNewConstMetric(u.desc, prometheus.GaugeValue, float64(offset), topic, strconv.Itoa(int(partition)))
	})
}

// WatchPartitions has scrapes ask for the state of each assigned partition, and why it is in that state, as one word of a closed
// list or empty. It is called once.
func (m *Meter) WatchPartitions(ask func(say func(partition int32, state, reason string))) {
	m.registry.MustRegister(partitions{ask, prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "partition_state"),
		"1 for the state of each assigned partition.", []string{"partition", "state", "reason"}, nil)})
}

// partitions is a collector of one gauge for each assigned partition.
type partitions struct {
	ask  func(say func(partition int32, state, reason string))
	desc *prometheus.Desc
}

// Describe is called by the registry.
func (p partitions) Describe(to chan<- *prometheus.Desc) { to <- p.desc }

// Collect is called by each scrape.
func (p partitions) Collect(to chan<- prometheus.Metric) {
	p.ask(func(partition int32, state, reason string) {
		to <- prometheus.MustNewConstMetric(p.desc, prometheus.GaugeValue, 1, strconv.Itoa(int(partition)), state, reason)
	})
}

// Partition counts a change of the state of a partition.
func (m *Meter) Partition(state string) { m.states.WithLabelValues(state).Inc() }

// Ended counts how an attempt at an order ended: with the status that it left the order in, or as a Duplicate.
func (m *Meter) Ended(outcome order.Status) { m.outcomes.WithLabelValues(string(outcome)).Inc() }

// Took observes an order that has come to its end, by the time since it was placed.
func (m *Meter) Took(placed time.Time) { m.seconds.Observe(max(0, time.Since(placed).Seconds())) }

// Failed counts a failed attempt at a step.
func (m *Meter) Failed(step order.Step, err error) {
	class, reason := failure.Of(err)
	m.failures.WithLabelValues(string(step), class.String(), string(reason)).Inc()
}

// Uncertain counts a mail of which nobody can know whether it went out.
func (m *Meter) Uncertain() { m.uncertain.Inc() }

// Void counts a state that counts for nobody.
func (m *Meter) Void() { m.void.Inc() }

// Lost counts records that were gone before they were read.
func (m *Meter) Lost(n int64) { m.lost.Add(float64(n)) }

// Refused counts a record of a newer version.
func (m *Meter) Refused() { m.refused.Inc() }

// Restored observes how long a partition waited for its ledger.
func (m *Meter) Restored(took time.Duration) { m.restores.Observe(took.Seconds()) }

// Owns says how many partitions the worker owns now.
func (m *Meter) Owns(partitions int) { m.partitions.Set(float64(partitions)) }

// Breaker says whether orders wait for what a step depends on.
func (m *Meter) Breaker(step order.Step, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.breakers.WithLabelValues(string(step)).Set(value)
}
