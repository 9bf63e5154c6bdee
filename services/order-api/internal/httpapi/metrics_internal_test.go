package httpapi

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafka/meter"
)

// TestEachMetricIsExplained lists all metrics of ours; dashboards, alerts and documents are checked against the
// list.
func TestEachMetricIsExplained(t *testing.T) {
	t.Parallel()
	all := make(chan *prometheus.Desc)
	go func() { // ends with the list
		newMetrics(&api{Config: Config{Meter: meter.New()}}).registry.Describe(all)
		close(all)
	}()
	var lines []string
	for d := range all {
		m := regexp.MustCompile(`fqName: "(orders_.*?)", help: "(.*?)"(?:, unit: "")?, constLabels: {}, variableLabels: {(.*)}}$`).FindStringSubmatch(d.String())
		if m == nil {
			continue // of Go or of the process
		}
		lines = append(lines, m[1]+"{"+m[3]+"} "+m[2])
		if strings.HasSuffix(m[1], "_seconds") && !strings.Contains(m[2], "in seconds") {
			t.Errorf("%s: %s: the help does not say the unit", m[1], m[2])
		}
	}
	slices.Sort(lines)
	golden.Compare(t, "testdata/metrics.golden", strings.Join(lines, "\n")+"\n")
}
