// Package otlp sends the spans of package tracing to a collector, over HTTP, by the OpenTelemetry
// protocol.
//
// The settings are the standard variables of OpenTelemetry: those that Open checks, and those that the
// SDK and its exporter read (headers, certificates, compression, sizes of queue and batch). Without an
// endpoint there are no traces.
//
// No order waits for the collector: spans are sent in batches by a goroutine of their own, and those for
// which the queue has no room (2,048 spans by default) are dropped.
package otlp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"example.com/orders/shared/config"
	"example.com/orders/shared/tracing"
)

// Env is the environment of a program: the value of a variable, or "".
type Env func(string) string

// Help is a sentence for the help of a program.
const Help = " Traces are sent if OTEL_EXPORTER_OTLP_ENDPOINT is set; see \"Traces\" in docs/operations.md."

// flushWithin limits how long a program that stops waits for the collector.
const flushWithin = 2 * time.Second

// Open returns the tracer of a service, such as "order-api", or nil if no endpoint is set or
// OTEL_SDK_DISABLED is true. The caller calls stop once, when all work has ended: it sends the last
// spans, and blocks for two seconds at most. Open refuses settings that it does not understand. It does
// not connect.
func Open(ctx context.Context, service string, env Env, log *slog.Logger) (t *tracing.Tracer, stop func(), err error) {
	return open(ctx, service, env, log, flushWithin)
}

func open(ctx context.Context, service string, env Env, log *slog.Logger, flushWithin time.Duration) (t *tracing.Tracer, stop func(), err error) {
	endpoint, err := env.endpoint()
	if err != nil || endpoint == "" {
		return nil, func() {}, err
	}
	if err := env.check(); err != nil {
		return nil, nil, err
	}
	sampler, err := env.sampler()
	if err != nil {
		return nil, nil, err
	}
	client, err := otlptrace.New(ctx, otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(endpoint)))
	if err != nil {
		return nil, nil, fmt.Errorf("opening the exporter of traces: %w", err)
	}
	from, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(config.Version())),
		resource.WithHost(), resource.WithProcessPID(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(&exporter{SpanExporter: client, log: log}), sdk.WithSampler(sampler), sdk.WithResource(from))
	return tracing.New(p), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
		defer cancel()
		_ = p.Shutdown(ctx) // the exporter has logged why spans were not sent
	}, nil
}

// endpoint is the URL that spans are sent to, or empty: there are no traces.
func (env Env) endpoint() (string, error) {
	if disabled, _ := strconv.ParseBool(env("OTEL_SDK_DISABLED")); disabled {
		return "", nil
	}
	switch exporter := env("OTEL_TRACES_EXPORTER"); exporter {
	case "", "otlp":
	case "none":
		return "", nil
	default:
		return "", fmt.Errorf("OTEL_TRACES_EXPORTER is %q: only otlp and none are supported", exporter)
	}
	name, path := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	if env(name) == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", "v1/traces"
	}
	text := env(name)
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s is no URL such as http://127.0.0.1:4318", name)
	}
	protocol := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), env("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if !slices.Contains([]string{"", "http/protobuf", "http/json"}, protocol) {
		return "", fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: only http/protobuf and http/json are supported; collectors listen for them on port 4318", protocol)
	}
	return u.JoinPath(path).String(), nil
}

// sampler decides which traces are sent: by default, all whose parent does not say otherwise.
func (env Env) sampler() (sdk.Sampler, error) {
	ratio := 1.0
	name := strings.ToLower(env("OTEL_TRACES_SAMPLER"))
	if text := env("OTEL_TRACES_SAMPLER_ARG"); text != "" && strings.HasSuffix(name, "traceidratio") {
		var err error
		if ratio, err = strconv.ParseFloat(text, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: the ratio must be between 0 and 1", text)
		}
	}
	roots := map[string]sdk.Sampler{"always_on": sdk.AlwaysSample(), "always_off": sdk.NeverSample(), "traceidratio": sdk.TraceIDRatioBased(ratio)}
	root, ofParent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	switch s, ok := roots[root]; {
	case !ok:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q: want always_on, always_off or traceidratio, with or without parentbased_ in front", name)
	case ofParent:
		return sdk.ParentBased(s), nil
	default:
		return s, nil
	}
}
