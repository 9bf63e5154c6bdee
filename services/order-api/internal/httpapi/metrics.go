package httpapi

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/orders/services/order-api/internal/view"
)

// measured counts all requests, and answers GET /metrics with what it counted and with how the view is. Streams, and
// answers that wait for an order, take as long as they take: look at them by route.
func (a *api) measured(e *echo.Echo) echo.MiddlewareFunc {
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "orders_api_request_seconds", Help: "From the first byte of a request to the last of its answer.", Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 60},
	}, []string{"route", "status"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orders_api_view_lag_records", Help: "Records that the view has not applied yet."},
			func() float64 { return float64(a.view.Health().Lag) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orders_api_view_fresh_timestamp_seconds", Help: "When nothing was missing from the view last."},
			func() float64 { return float64(a.view.Health().Fresh.UnixMilli()) / 1000 }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "orders_api_void_states_total", Help: "States that count for nobody: a worker wrote them that had lost its partition."},
			func() float64 { return float64(a.view.Health().Stale) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orders_api_blocked", Help: "1 while new orders are refused until an operator acts: the partitions of the topics have changed."},
			func() float64 {
				if a.intake.Blocked() != nil {
					return 1
				}
				return 0
			}),
		unreadable{a.view, prometheus.NewDesc("orders_api_unreadable_offset",
			"Offset of a batch that cannot be read: its partition is blocked for the view until it is skipped.", []string{"topic", "partition"}, nil)},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	get(e, "/metrics", echo.WrapHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))

	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began := time.Now()
			if err := next(c); err != nil {
				c.Error(err) // here, because only then the answer has its status
			}
			requests.WithLabelValues(route(e, c), strconv.Itoa(c.Response().Status)).Observe(time.Since(began).Seconds())
			return nil
		}
	}
}

// unreadable is a collector of what blocks partitions of the view now.
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

// route is the request's route, with names in place of what varies. What clients make up is "other": every label is a
// series that is kept.
func route(e *echo.Echo, c echo.Context) string {
	for _, r := range e.Routes() {
		if r.Method == c.Request().Method && r.Path == c.Path() {
			return r.Method + " " + r.Path
		}
	}
	return "other"
}
