// Package tracing follows an order through the programs, as spans of OpenTelemetry.
//
// A Tracer begins the spans of what comes from outside: HTTP requests (Handler) and records (Process).
// All other spans are children of the span in their context, and come from its tracer. So only the
// programs know whether there are traces: without a span in the context every function here does
// nothing, and allocates nothing.
//
// The trace is carried in the traceparent of records (order.Cause). The trace state of other systems is
// not: see parentOnly. Spans have IDs, names of topics and steps, and classes and reasons of failures, which
// are closed lists. They have no texts of errors, because these can have personal data.
//
// Package otlp sends the spans to a collector.
package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"example.com/orders/shared/failure"
)

// The attributes of spans, in addition to those of the semantic conventions. The reason of a failure is
// error.type.
const (
	orderID    = attribute.Key("order.id")
	outcome    = attribute.Key("order.outcome") // status of the order after the attempt
	orderStep  = attribute.Key("order.step")
	orderTry   = attribute.Key("order.attempt") // attempts since the order was placed, from 1
	errorClass = attribute.Key("failure.class")
)

// Tracer begins traces. It is safe for concurrent use. Nil begins none.
type Tracer struct{ provider trace.TracerProvider }

// New returns a tracer whose spans the provider makes.
func New(p trace.TracerProvider) *Tracer { return &Tracer{p} }

// scope names the code that makes the spans.
const scope = "example.com/orders"

// Span is a piece of work in a trace. The zero value is none.
type Span struct{ span trace.Span }

// Start begins a span in the trace of ctx: what is done to which object, such as "plan" and "email".
func Start(ctx context.Context, verb, object string) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, verb+" "+object)
	return ctx, Span{span}
}

// Step begins the span of an attempt at a step of an order.
func Step(ctx context.Context, step string, attempt int) (context.Context, Span) {
	ctx, s := Start(ctx, "step", step)
	if s.span != nil {
		s.span.SetAttributes(orderStep.String(step), orderTry.Int(attempt))
	}
	return ctx, s
}

// End ends a span of work on an order. An error is its status, by class and reason.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	fail(s.span, err)
	s.span.End()
}

// Close ends a span whose error is none of an order. Its status is then what the error means.
func (s Span) Close(err error, meaning string) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetAttributes(semconv.ErrorTypeOther)
		s.span.SetStatus(codes.Error, meaning)
	}
	s.span.End()
}

func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	class, reason := failure.Of(err)
	span.SetAttributes(errorClass.String(class.String()), semconv.ErrorTypeKey.String(string(reason)))
	span.SetStatus(codes.Error, class.String()+": "+string(reason))
}

// About names the order that the span of ctx is about. If the order has another trace, it is linked.
func About(ctx context.Context, id, traceparent string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(orderID.String(id))
	if of := parse(traceparent); of.IsValid() && of.TraceID() != span.SpanContext().TraceID() {
		span.AddLink(trace.Link{SpanContext: of})
	}
}

// Outcome sets in the span of ctx what an attempt at its order came to. An attempt that failed has an error.
func Outcome(ctx context.Context, status string, err error) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(outcome.String(status))
		fail(span, err)
	}
}

// Traceparent is the span of ctx as records name it (W3C Trace Context), or empty. A trace that is not
// sampled has one, too.
func Traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// IDs are trace and span of ctx in hexadecimal digits, for log lines.
func IDs(ctx context.Context) (traceID, spanID string, ok bool) {
	of := trace.SpanContextFromContext(ctx)
	if !of.IsValid() {
		return "", "", false
	}
	return of.TraceID().String(), of.SpanID().String(), true
}

const traceparent = "traceparent"

// parse reads a traceparent. Anything else is not valid.
func parse(text string) trace.SpanContext {
	if text == "" {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(continued(context.Background(), text))
}

// continued is a context in the trace of a traceparent, or ctx if it is none.
func continued(ctx context.Context, text string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: text})
}
