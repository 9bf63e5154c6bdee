package tracing_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/orders/shared/tracing"
)

const client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// TestWithoutTracesNothingIsAllocated calls all that a worker calls for a record.
func TestWithoutTracesNothingIsAllocated(t *testing.T) {
	ctx, failed := t.Context(), errors.New("a failure")
	var off *tracing.Tracer
	if got := testing.AllocsPerRun(100, func() {
		ctx, record := off.Process(ctx, tracing.Message{Topic: "orders", Offset: 17, Parent: client})
		tracing.About(ctx, "ord_1", client)
		inStep, step := tracing.Step(ctx, "email", 1)
		inPart, part := tracing.Start(inStep, "plan", "email")
		part.End(failed)
		_, sent := tracing.Send(inPart, "orders.status", 3)
		sent.Sent(17, nil)
		step.End(nil)
		tracing.Outcome(ctx, "confirmed", nil)
		record.Close(nil, "")
		if tracing.Traceparent(ctx) != "" {
			t.Error("there is a trace")
		}
	}); got != 0 {
		t.Errorf("a record costs %v allocations without traces, want none", got)
	}
}

func BenchmarkWithoutTraces(b *testing.B) {
	ctx := b.Context()
	for b.Loop() {
		inStep, step := tracing.Step(ctx, "email", 1)
		_, part := tracing.Start(inStep, "plan", "email")
		part.End(nil)
		step.End(nil)
	}
}

// TestTraceOfAClient sends headers of a client, well formed and hostile.
func TestTraceOfAClient(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	long := "vendor=" + strings.Repeat("x", 10_000)
	for _, row := range []struct {
		name, traceparent, tracestate string
		continued                     bool
	}{
		{"well formed", client, "", true},
		{"of a later version", "01" + client[2:] + "-more", "", true},
		{"with a long state", client, long, true},
		{"with a state of 10 kB that is well formed", client, strings.Repeat("v=x,", 2_500) + "w=x", true},
		{"none", "", "", false},
		{"no hexadecimal digits", strings.Replace(client, "4b", "zz", 1), "", false},
		{"all zeros", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", false},
		{"too long", client + strings.Repeat("-01", 10_000), "", false},
		{"only a state", "", long, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
			carried := ""
			h := tracing.New(provider).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				carried = tracing.Traceparent(r.Context())
				tracing.Route(r.Context(), r.Method, "/v1/orders/:id")
			}))
			r := httptest.NewRequest(http.MethodPost, "/v1/orders/ord_1?token=secret", nil)
			r.Header.Set("Traceparent", row.traceparent)
			r.Header.Set("Tracestate", row.tracestate)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			all := spans.GetSpans()
			if w.Code != http.StatusOK || len(all) != 1 || all[0].Name != "POST /v1/orders/:id" {
				t.Fatalf("status %d, spans %v", w.Code, all)
			}
			if got := strings.Contains(carried, trace); got != row.continued || len(carried) != len(client) {
				t.Errorf("records carry %q; continued is %v, want %v", carried, got, row.continued)
			}
			if state := all[0].SpanContext.TraceState().String(); state != "" {
				t.Errorf("the span has a state of %d bytes", len(state))
			}
			for _, kv := range all[0].Attributes {
				if strings.Contains(kv.Value.String(), "secret") {
					t.Errorf("the link token is in %s", kv.Key)
				}
			}
		})
	}
}

// TestUntracedRequests are those of monitoring, files and event streams.
func TestUntracedRequests(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	h := tracing.New(sdk.NewTracerProvider(sdk.WithSyncer(spans))).Handler(http.NotFoundHandler())
	for _, path := range []string{"/metrics", "/healthz/live", "/assets/app.js", "/v1/orders/ord_1/events", "/ops/events"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	}
	if got := spans.GetSpans(); len(got) > 0 {
		t.Errorf("%d spans, first %s", len(got), got[0].Name)
	}
}
