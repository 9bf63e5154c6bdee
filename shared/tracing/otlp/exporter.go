package otlp

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"example.com/orders/shared/telemetry"
)

// exporter sends spans without personal data, and logs the beginning and the end of an outage of the
// collector. The batcher calls it from one goroutine.
type exporter struct {
	sdk.SpanExporter
	log  *slog.Logger
	lost int // spans since the collector was last reached
}

// ExportSpans sends spans once, within the time limit of the exporter. Its error is always nil, because
// the SDK would print another one.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	sent := make([]sdk.ReadOnlySpan, len(spans))
	for i, s := range spans {
		sent[i] = anonymous{s}
	}
	err := e.SpanExporter.ExportSpans(ctx, sent)
	switch {
	case err != nil && e.lost == 0:
		e.log.LogAttrs(ctx, slog.LevelWarn, "traces are dropped: check the collector, and OTEL_EXPORTER_OTLP_ENDPOINT", slog.Any(telemetry.Error, err))
	case err == nil && e.lost > 0:
		e.log.LogAttrs(ctx, slog.LevelInfo, "traces are sent again", slog.Int(telemetry.Count, e.lost))
		e.lost = 0
	}
	if err != nil {
		e.lost += len(spans)
	}
	return nil
}

// anonymous is a span without the address and the browser of the client.
type anonymous struct{ sdk.ReadOnlySpan }

// Attributes are those of the span that are no personal data.
func (a anonymous) Attributes() []attribute.KeyValue {
	return slices.DeleteFunc(slices.Clone(a.ReadOnlySpan.Attributes()), func(kv attribute.KeyValue) bool {
		switch kv.Key {
		case semconv.ClientAddressKey, semconv.NetworkPeerAddressKey, semconv.NetworkPeerPortKey, semconv.UserAgentOriginalKey:
			return true
		}
		return false
	})
}
