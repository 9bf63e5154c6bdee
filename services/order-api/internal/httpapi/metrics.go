package httpapi

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/orders/services/order-api/internal/foreign/expiry"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/tracing"
)

// metrics are those of GET /metrics. Event streams, and requests that wait for an order, are in the
// same histogram as all others: compare durations by route.
type metrics struct {
	requests *prometheus.HistogramVec
	serve    echo.HandlerFunc
}

func newMetrics(in *intake.Intake, v *view.View, w *expiry.Watch) *metrics {
	m := &metrics{requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "orders_api_request_seconds", Help: "Duration of HTTP requests, until the last byte of the response.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 60},
	}, []string{"route", "status"})}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orders_api_" + name, Help: help}, value)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, newCauses(v),
		gauge("view_lag_records", "Records that the read model has not applied yet.", func() float64 { return float64(v.Health().Lag) }),
		gauge("view_fresh_timestamp_seconds", "Unix time at which the read model was last up to date.",
			func() float64 { return float64(v.Health().Fresh.UnixMilli()) / 1000 }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "orders_api_stale_states_total", Help: "Stale order states that were ignored: written by a worker after it had lost the partition.",
		}, func() float64 { return float64(v.Health().Stale) }),
		gauge("blocked", "1 while new orders are refused until an operator acts, because the partition count of the topics has changed.",
			func() float64 { return boolean(in.Blocked() != nil) }),
		vatChecks{in, prometheus.NewDesc("orders_api_vat_id_checks_total", "VAT IDs of new orders that VIES was asked about, by result.", []string{"result"}, nil)},
		unreadable{v, prometheus.NewDesc("orders_api_unreadable_offset",
			"Offset of the unreadable batch that blocks a partition of the read model until it is skipped.", []string{"topic", "partition"}, nil)},
		deadlines{w, prometheus.NewDesc("orders_api_foreign_expiry_timestamp_seconds",
			"Unix time at which Kafka deletes the oldest dead letter that waits in a topic of another program, at the earliest.", []string{"topic"}, nil)},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.serve = echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return m
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// measure is middleware that observes every request.
func (m *metrics) measure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		if err := next(c); err != nil {
			c.Error(err) // here, because it sets the status of the response
		}
		name := route(c)
		if name != unknownRoute {
			tracing.Route(c.Request().Context(), c.Request().Method, c.Path())
		}
		m.requests.WithLabelValues(name, strconv.Itoa(c.Response().Status)).Observe(time.Since(began).Seconds())
		return nil
	}
}

const unknownRoute = "other"

// route is the pattern of the request's route, such as "GET /v1/orders/:id". Unknown paths and
// methods are "other", because each label value is a time series that Prometheus keeps.
func route(c echo.Context) string {
	for _, r := range c.Echo().Routes() {
		if r.Method == c.Request().Method && r.Path == c.Path() {
			return r.Method + " " + r.Path
		}
	}
	return unknownRoute
}

// deadlines collects when dead letters of other programs expire.
type deadlines struct {
	watch *expiry.Watch
	desc  *prometheus.Desc
}

// Describe is called by Prometheus.
func (d deadlines) Describe(all chan<- *prometheus.Desc) { all <- d.desc }

// Collect is called by Prometheus.
func (d deadlines) Collect(all chan<- prometheus.Metric) {
	for topic, at := range d.watch.Deadlines() {
		all <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, float64(at.UnixMilli())/1000, topic)
	}
}

// vatChecks collects how many VAT IDs were checked.
type vatChecks struct {
	intake *intake.Intake
	desc   *prometheus.Desc
}

// Describe is called by Prometheus.
func (c vatChecks) Describe(all chan<- *prometheus.Desc) { all <- c.desc }

// Collect is called by Prometheus.
func (c vatChecks) Collect(all chan<- prometheus.Metric) {
	for result, n := range c.intake.VATChecks() {
		all <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), result)
	}
}

// unreadable collects the batches that block partitions of the read model.
type unreadable struct {
	view *view.View
	desc *prometheus.Desc
}

// Describe is called by Prometheus.
func (u unreadable) Describe(all chan<- *prometheus.Desc) { all <- u.desc }

// Collect is called by Prometheus.
func (u unreadable) Collect(all chan<- prometheus.Metric) {
	for _, b := range u.view.Blocked() {
		all <- prometheus.MustNewConstMetric(u.desc, prometheus.GaugeValue, float64(b.Offset), b.Topic, strconv.Itoa(int(b.Partition)))
	}
}
