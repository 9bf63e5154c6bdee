package tracing

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Message is a record that is processed.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Group     string // consumer group
	Parent    string // traceparent that the work continues, or empty: a new trace
	Link      string // traceparent of another trace that led to it, or empty
}

// Process begins the span of work on a record. The time that the record waited in its topic is the gap
// before this span.
func (t *Tracer) Process(ctx context.Context, m Message) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(
		message("process", m.Topic, m.Partition),
		semconv.MessagingOperationTypeProcess, semconv.MessagingKafkaOffset(int(m.Offset)), semconv.MessagingConsumerGroupName(m.Group),
	)...)}
	if link := parse(m.Link); link.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	ctx, span := t.provider.Tracer(scope).Start(continued(ctx, m.Parent), "process "+m.Topic, options...)
	return ctx, Span{span}
}

// Create begins the span in which a record is made, before it is sent: what works on the record continues
// it.
func Create(ctx context.Context, topic string) (context.Context, Span) {
	return produce(ctx, "create", topic, semconv.MessagingOperationTypeCreate, semconv.MessagingSystemKafka,
		semconv.MessagingOperationName("create"), semconv.MessagingDestinationName(topic))
}

// Send begins the span of appending a record.
func Send(ctx context.Context, topic string, partition int32) (context.Context, Span) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, Span{}
	}
	return produce(ctx, "send", topic, append(message("send", topic, partition), semconv.MessagingOperationTypeSend)...)
}

// Sent ends the span of Send with the offset of the record, or with an error, whose text has no personal
// data: it is that of a client or a broker.
func (s Span) Sent(offset int64, err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetAttributes(semconv.ErrorTypeOther)
		s.span.SetStatus(codes.Error, err.Error())
	} else {
		s.span.SetAttributes(semconv.MessagingKafkaOffset(int(offset)))
	}
	s.span.End()
}

func produce(ctx context.Context, verb, topic string, attributes ...attribute.KeyValue) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, verb+" "+topic,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
	return ctx, Span{span}
}

func message(name, topic string, partition int32) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKafka, semconv.MessagingOperationName(name), semconv.MessagingDestinationName(topic),
		semconv.MessagingDestinationPartitionID(strconv.Itoa(int(partition))),
	}
}
