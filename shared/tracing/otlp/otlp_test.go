package otlp_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/orders/shared/tracing"
	"example.com/orders/shared/tracing/otlp"
	"example.com/orders/shared/tracing/tracetest"
)

// environment is one of a test: names and values in turn.
func environment(pairs ...string) otlp.Env {
	return func(name string) string {
		if i := slices.Index(pairs, name); i >= 0 {
			return pairs[i+1]
		}
		return ""
	}
}

const (
	endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	traces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	const local = "http://127.0.0.1:4318"
	for _, row := range []struct {
		env  []string
		want string // "on", "off", or in the error
	}{
		{nil, "off"},
		{[]string{endpoint, local}, "on"},
		{[]string{traces, local + "/v1/traces"}, "on"},
		{[]string{endpoint, local, "OTEL_SDK_DISABLED", "true"}, "off"},
		{[]string{endpoint, local, "OTEL_TRACES_EXPORTER", "none"}, "off"},
		{[]string{endpoint, local, "OTEL_TRACES_EXPORTER", "zipkin"}, `OTEL_TRACES_EXPORTER is "zipkin"`},
		{[]string{endpoint, "127.0.0.1:4318"}, endpoint + " is no URL"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, "port 4318"},
		{[]string{endpoint, local, "OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.1"}, "on"},
		{[]string{endpoint, local, "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "10%"}, "between 0 and 1"},
		{[]string{endpoint, local, "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"}, "between 0 and 1"},
		{[]string{endpoint, local, "OTEL_TRACES_SAMPLER", "jaeger_remote"}, `OTEL_TRACES_SAMPLER is "jaeger_remote"`},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20c2VjcmV0,x-tenant=a b"}, "on"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_HEADERS", "Bearer c2VjcmV0"}, "OTEL_EXPORTER_OTLP_HEADERS: must be NAME=VALUE"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization: Bearer=c2VjcmV0"}, "OTEL_EXPORTER_OTLP_TRACES_HEADERS: must"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_HEADERS", "authorization=c2VjcmV0%zz"}, "must be NAME=VALUE"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_CERTIFICATE", "/missing/ca.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE: stat /missing"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp.go"}, "no certificate in PEM format"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "cert.pem"}, "set both, or neither"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp.go", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp.go"}, "OTEL_EXPORTER_OTLP_CLIENT_KEY: tls"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, "whole number of milliseconds"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_TIMEOUT", "0", "OTEL_BSP_EXPORT_TIMEOUT", "0"}, "on"},
		{[]string{endpoint, local, "OTEL_EXPORTER_OTLP_COMPRESSION", "zip"}, "must be gzip or none"},
		{[]string{endpoint, local, "OTEL_BSP_MAX_QUEUE_SIZE", "0"}, "above 0"},
	} {
		got, _, err := otlp.Open(t.Context(), "order-api", environment(row.env...), slog.New(slog.DiscardHandler))
		switch {
		case err != nil && strings.Contains(err.Error(), "c2VjcmV0"):
			t.Errorf("%v: the error has the secret: %v", row.env, err)
		case err != nil && strings.Contains(err.Error(), row.want):
		case err != nil, row.want != "on" && row.want != "off", (got != nil) != (row.want == "on"):
			t.Errorf("%v: on is %v, error %v; want %s", row.env, got != nil, err, row.want)
		}
	}
}

// TestSpansHaveNoPersonalData sends a request's span to a collector.
func TestSpansHaveNoPersonalData(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	tracer, stop, err := otlp.OpenPatient(t.Context(), "order-api", environment(endpoint, c.URL), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	visit(tracer)
	stop()
	spans, _ := c.Spans()
	if len(spans) != 1 || spans[0].Attributes["service.name"] != "order-api" || spans[0].Attributes["url.path"] != "/v1/products" {
		t.Fatalf("the collector has %v", spans)
	}
	for name, value := range spans[0].Attributes {
		if strings.Contains(value, "192.0.2.1") || strings.Contains(value, "Browser") || strings.Contains(value, "203.0.113.7") {
			t.Errorf("%s is %q", name, value)
		}
	}
}

func visit(tracer *tracing.Tracer) {
	r := httptest.NewRequest(http.MethodGet, "/v1/products", nil) // from 192.0.2.1
	r.Header.Set("User-Agent", "Browser")
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	tracer.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
}

// TestACollectorThatIsAway costs spans, and nothing else: it is logged once.
func TestACollectorThatIsAway(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }))
	defer server.Close()
	var lines strings.Builder
	tracer, stop, err := otlp.OpenPatient(t.Context(), "order-api", environment(endpoint, server.URL), slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 5_000 { // the queue has room for 2,048
		visit(tracer)
	}
	stop()
	if got := strings.Count(lines.String(), "\n"); got != 1 || !strings.Contains(lines.String(), "traces are dropped: check the collector") {
		t.Errorf("%d lines, want 1:\n%.1000s", got, lines.String())
	}
}
