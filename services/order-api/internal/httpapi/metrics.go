package httpapi

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/orders/shared/tracing"
)

// metrics are those of GET /metrics. Event streams, and requests that wait for an order, are in the
// same histogram as all others: compare durations by route.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	serve    echo.HandlerFunc
	routes   map[string]bool // by the names that route gives them; immutable after New
}

func newMetrics(a *api) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "orders_api_request_seconds", Help: "Duration of HTTP requests until the last byte of the response, in seconds.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 60},
	}, []string{"route", "status"})}
	m.registry.MustRegister(m.requests, newCauses(a.view), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if a.Meter != nil {
		m.registry.MustRegister(a.Meter)
	}
	for _, all := range [][]prometheus.Collector{a.instanceSeries(), a.orderSeries(), a.systemSeries(), a.replaySeries()} {
		m.registry.MustRegister(all...)
	}
	m.serve = echo.WrapHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return m
}

// measure is middleware that observes every request.
func (m *metrics) measure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		if err := next(c); err != nil {
			c.Error(err) // here, because it sets the status of the response
		}
		name := m.route(c)
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
func (m *metrics) route(c echo.Context) string {
	if name := c.Request().Method + " " + c.Path(); m.routes[name] {
		return name
	}
	return unknownRoute
}

// know has requests of routes counted by route.
func (m *metrics) know(routes []*echo.Route) {
	m.routes = make(map[string]bool, len(routes))
	for _, r := range routes {
		m.routes[r.Method+" "+r.Path] = true
	}
}

// send adds a value to a scrape, with the values of the labels.
type send func(value float64, labels ...string)

// series is a collector of which each scrape asks for the values. What is not known is not sent.
type series struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	ask  func(send)
}

// Describe is called by Prometheus.
func (s series) Describe(all chan<- *prometheus.Desc) { all <- s.desc }

// Collect is called by Prometheus.
func (s series) Collect(all chan<- prometheus.Metric) {
	s.ask(func(value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
	})
}

func gauge(name, help string, labels []string, ask func(send)) prometheus.Collector {
	return series{prometheus.NewDesc("orders_api_"+name, help, labels, nil), prometheus.GaugeValue, ask}
}

func counter(name, help string, labels []string, ask func(send)) prometheus.Collector {
	return series{prometheus.NewDesc("orders_api_"+name, help, labels, nil), prometheus.CounterValue, ask}
}

func unixSeconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// age is the time since then in seconds, and 0 if then is zero.
func age(then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(0, time.Since(then).Seconds())
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
