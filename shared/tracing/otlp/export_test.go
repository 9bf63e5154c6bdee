package otlp

import (
	"context"
	"log/slog"
	"time"

	"example.com/orders/shared/tracing"
)

// OpenPatient is Open whose stop waits longer for the collector: a busy machine may need seconds to send spans.
func OpenPatient(ctx context.Context, service string, env Env, log *slog.Logger) (t *tracing.Tracer, stop func(), err error) {
	return open(ctx, service, env, log, 5*time.Minute)
}
