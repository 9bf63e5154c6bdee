// Package meter counts what the Kafka clients of a program do, for its metrics.
package meter

import (
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka has the instruments of all Kafka clients of a program: kafka.Config.Meter gives it to each of them.
// Register it as a collector. It is safe for concurrent use.
type Kafka struct {
	requests *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

// New returns instruments at zero.
func New() *Kafka {
	k := &Kafka{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "orders_kafka_request_seconds",
			Help:    "Time from writing a request to Kafka until its answer was read, in seconds, by kind of request. A Fetch waits for records.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 2.5, 10},
		}, []string{"request"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orders_kafka_failures_total", Help: "Failures to reach Kafka: connections that could not be made, and requests without an answer.",
		}, []string{"kind"}),
	}
	for _, kind := range []string{connection, request} {
		k.failures.WithLabelValues(kind)
	}
	return k
}

// The kinds of failures.
const (
	connection = "connection"
	request    = "request"
)

// Describe is called by Prometheus.
func (k *Kafka) Describe(all chan<- *prometheus.Desc) {
	k.requests.Describe(all)
	k.failures.Describe(all)
}

// Collect is called by Prometheus.
func (k *Kafka) Collect(all chan<- prometheus.Metric) {
	k.requests.Collect(all)
	k.failures.Collect(all)
}

// OnBrokerConnect is called by kgo.
func (k *Kafka) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		k.failures.WithLabelValues(connection).Inc()
	}
}

// OnBrokerE2E is called by kgo.
func (k *Kafka) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, done kgo.BrokerE2E) {
	if done.Err() != nil {
		k.failures.WithLabelValues(request).Inc()
		return
	}
	k.requests.WithLabelValues(kmsg.NameForKey(key)).Observe(done.DurationE2E().Seconds())
}
