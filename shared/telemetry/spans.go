package telemetry

import (
	"context"
	"log/slog"

	"example.com/orders/shared/tracing"
)

// spans adds trace and span of the context to each log line.
type spans struct{ slog.Handler }

// Handle is called by package slog.
func (h spans) Handle(ctx context.Context, r slog.Record) error {
	if trace, span, ok := tracing.IDs(ctx); ok {
		r = r.Clone()
		r.AddAttrs(slog.String(Trace, trace), slog.String(Span, span))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is called by package slog.
func (h spans) WithAttrs(attrs []slog.Attr) slog.Handler { return spans{h.Handler.WithAttrs(attrs)} }

// WithGroup is called by package slog.
func (h spans) WithGroup(name string) slog.Handler { return spans{h.Handler.WithGroup(name)} }
