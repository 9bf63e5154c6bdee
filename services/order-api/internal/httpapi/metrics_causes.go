package httpapi

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/orders/services/order-api/internal/view"
)

// maxCauses is of how many causes there are time series of their own. Those of the other causes have
// the cause "other".
const maxCauses = 20

// causes collects the dead letters that an operator has to decide about.
type causes struct {
	view        *view.View
	count, ages *prometheus.Desc
}

func newCauses(v *view.View) causes {
	labels := []string{"cause", "step", "reason"}
	return causes{
		v, prometheus.NewDesc("orders_api_dead_letters",
			"Dead letters that are open, parked or lost, by cause: the most frequent causes, and all others as one.", labels, nil),
		prometheus.NewDesc("orders_api_dead_letters_oldest_age_seconds",
			"Time since the oldest of the dead letters of orders_api_dead_letters failed first, in seconds.", labels, nil),
	}
}

// Describe is called by Prometheus.
func (c causes) Describe(all chan<- *prometheus.Desc) { all <- c.count; all <- c.ages }

// Collect is called by Prometheus. While the read model cannot answer there is no value.
func (c causes) Collect(all chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	groups, err := c.view.Groups(ctx, view.DeadLetterFilter{States: view.Unsettled()})
	if err != nil {
		return
	}
	slices.SortFunc(groups, func(a, b view.Group) int { return cmp.Or(b.Total()-a.Total(), cmp.Compare(a.ID, b.ID)) })
	others, oldest := 0, time.Time{}
	for i, g := range groups {
		if i < maxCauses {
			c.send(all, g.Total(), g.First, g.ID, string(g.Step), string(g.Reason))
			continue
		}
		if others == 0 || g.First.Before(oldest) {
			oldest = g.First
		}
		others += g.Total()
	}
	if others > 0 {
		c.send(all, others, oldest, "other", "", "")
	}
}

func (c causes) send(all chan<- prometheus.Metric, count int, oldest time.Time, labels ...string) {
	all <- prometheus.MustNewConstMetric(c.count, prometheus.GaugeValue, float64(count), labels...)
	all <- prometheus.MustNewConstMetric(c.ages, prometheus.GaugeValue, max(0, time.Since(oldest).Seconds()), labels...)
}
