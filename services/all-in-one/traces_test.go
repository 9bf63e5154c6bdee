package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/tracing/tracetest"
)

// traced is a client that sends more headers with each POST.
type traced http.Header

func (h traced) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return http.DefaultTransport.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	for name, values := range h {
		r.Header[name] = values
	}
	return http.DefaultTransport.RoundTrip(r)
}

// as is the application as a client that sends these headers, too.
func (s *site) as(headers traced) *site {
	other := *s
	other.api = client.New(s.url, &http.Client{Transport: headers})
	return &other
}

// environment are the variables of a program.
func environment(of map[string]string) func(string) string {
	return func(name string) string { return of[name] }
}

// TestOneTraceFromRequestToMail places an order that becomes a dead letter, edits it and replays it. Customer
// and operator have a trace of their own.
func TestOneTraceFromRequestToMail(t *testing.T) {
	t.Parallel()
	const customer, operator = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
	collector := tracetest.Start(t)
	s, stop := openSiteIn(t, environment(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}))
	id := s.as(traced{"Traceparent": {"00-" + customer + "-00f067aa0ba902b7-01"}}).deadOrder(t, "Zoë Łukasiewicz")
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	if l.TraceID != customer {
		t.Errorf("the dead letter has the trace %q, want %q", l.TraceID, customer)
	}
	_, err = s.api.Edit(t.Context(), id, client.NewEdit{Value: json.RawMessage(strings.Replace(string(l.Edit.Value), `"AQ"`, `"DE"`, 1))})
	must(t, err)
	_, err = s.as(traced{"Traceparent": {"00-" + operator + "-b7ad6b7169203331-01"}}).api.Replay(t.Context(), id, "The address is known now")
	must(t, err)
	s.ends(t, l.Order, "confirmed")
	stop()

	spans, _ := collector.Spans()
	names := map[string]string{customer: "customer", operator: "operator"}
	show := []string{"http.response.status_code", "messaging.operation.type", "order.attempt", "order.outcome", "failure.class", "error.type"}
	golden.Compare(t, "testdata/traces.golden", "The customer's trace:\n\n"+tracetest.Tree(spans, customer, names, show...)+
		"\nThe operator's trace:\n\n"+tracetest.Tree(spans, operator, names, show...))
	for _, span := range spans {
		for name, value := range span.Attributes {
			if strings.Contains(value, "Łukasiewicz") || strings.Contains(value, "zoe@") || strings.Contains(value, "Main Street") {
				t.Errorf("%s: %s is %q", span.Name, name, value)
			}
		}
		if of := span.Attributes["order.id"]; of != "" && of != l.Order {
			t.Errorf("%s is of order %q, want %q", span.Name, of, l.Order)
		}
	}
}

// TestATraceThatIsNotSampled is carried up to the dead letter, and not sent.
func TestATraceThatIsNotSampled(t *testing.T) {
	t.Parallel()
	collector := tracetest.Start(t)
	s, stop := openSiteIn(t, environment(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0",
	}))
	l, err := s.api.DeadLetter(t.Context(), s.deadOrder(t, "Zoë"))
	must(t, err)
	stop()
	if len(l.TraceID) != 32 {
		t.Errorf("the dead letter has the trace %q, want one", l.TraceID)
	}
	if spans, requests := collector.Spans(); requests > 0 {
		t.Errorf("the collector got %d spans in %d requests, want none", len(spans), requests)
	}
}

// TestHostileTraceHeaders cost no order. Without an endpoint they are not looked at.
func TestHostileTraceHeaders(t *testing.T) {
	t.Parallel()
	collector := tracetest.Start(t)
	for name, env := range map[string]func(string) string{
		"traces on": environment(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}), "traces off": unset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openSiteIn(t, env)
			for _, headers := range []traced{
				{"Traceparent": {"00-ab-cd-01"}},
				{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"v=" + strings.Repeat("x", 10_000)}},
				{"Traceparent": {strings.Repeat("0", 10_000)}, "Tracestate": {strings.Repeat("v=x,", 2_500)}, "Baggage": {strings.Repeat("k=v,", 1_000)}},
			} {
				s.as(headers).placed(t, "DE", "confirmed", "")
			}
		})
	}
}
