package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	metrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Handler is a handler with a span for each request, which continues the trace of the client's
// traceparent. A header that is no traceparent is ignored. Requests of monitoring, files of pages and
// event streams, which can last for days, have no span.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return otelhttp.NewMiddleware("", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(parentOnly{}),
		otelhttp.WithMeterProvider(metrics.NewMeterProvider()), otelhttp.WithFilter(traced),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }))(next)
}

// traced reports whether a request is worth a span.
func traced(r *http.Request) bool {
	path := r.URL.Path
	return path != "/metrics" && !strings.HasPrefix(path, "/healthz/") && !strings.HasPrefix(path, "/assets/") && !strings.HasSuffix(path, "/events")
}

// Route names the span of ctx for the route of its request, such as "GET" and "/v1/orders/:id".
func Route(ctx context.Context, method, path string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetName(method + " " + path)
		span.SetAttributes(semconv.HTTPRoute(path))
	}
}

// parentOnly is a propagator of traceparent alone. The trace state of a client would cost memory in each
// span, up to 16 kB, and no record carries it.
type parentOnly struct{ propagation.TraceContext }

// Extract continues the trace of a request.
func (parentOnly) Extract(ctx context.Context, headers propagation.TextMapCarrier) context.Context {
	return continued(ctx, headers.Get(traceparent))
}
