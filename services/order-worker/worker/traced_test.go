//go:build synctests

package worker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/tracing"
)

// TestTimeInQueuesIsTheGapBetweenSpans places an order that a mail server does not take at first.
func TestTimeInQueuesIsTheGapBetweenSpans(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		topic string
		fault inbox.Behaviour
		least time.Duration // in the queue
	}{
		{"orders.retry.10s", inbox.Behaviour{At: "RCPT", Code: 451}, 9 * time.Second},
		{"orders.waiting", inbox.Behaviour{Down: true}, time.Millisecond}, // until the next probe
	} {
		t.Run(row.topic, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				spans := tracetest.NewInMemoryExporter()
				s.mails.Behave(row.fault)
				o := orders(1)[0]
				o.Cause.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
				s.place(t, o)
				stop := s.work(t, func(cfg *worker.Config) {
					cfg.Traces = tracing.New(sdk.NewTracerProvider(sdk.WithSyncer(spans)))
				})
				time.Sleep(15 * time.Second)
				s.mails.Behave(inbox.Behaviour{})
				time.Sleep(time.Minute)
				stop()
				var last time.Time
				var names []string
				for _, span := range spans.GetSpans() {
					if span.SpanContext.TraceID().String() != o.Cause.Trace[3:35] {
						t.Errorf("%s is in another trace", span.Name)
					}
					if !strings.HasPrefix(span.Name, "process ") {
						continue
					}
					if got := span.Parent.SpanID().String(); got != o.Cause.Trace[36:52] || !span.Parent.IsRemote() {
						t.Errorf("%s is a child of %s", span.Name, got)
					}
					if gap := span.StartTime.Sub(last); !last.IsZero() && (gap < row.least || gap > 20*time.Second) {
						t.Errorf("%s begins %s after the attempt before", span.Name, gap)
					}
					last, names = span.EndTime, append(names, span.Name)
				}
				if len(names) < 2 || names[0] != "process orders" || names[len(names)-1] != "process "+row.topic {
					t.Errorf("got %q, want it processed from orders and then from %s", names, row.topic)
				}
			})
		})
	}
}
