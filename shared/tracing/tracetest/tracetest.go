// Package tracetest has a collector of traces for tests: it receives spans as OTLP over HTTP.
package tracetest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector receives spans. It is safe for concurrent use.
type Collector struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	mu       sync.Mutex
	spans    []Span
	requests int
}

// Span is a span as the collector got it. IDs are hexadecimal; Parent is empty for a root. An attribute of
// the resource is there as one of the span.
type Span struct {
	Trace, ID, Parent, Name, Kind, Status string
	Start                                 uint64 // nanoseconds since 1970
	Attributes                            map[string]string
	Links                                 []string // IDs of traces
}

// Start runs a collector until the test ends.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(http.HandlerFunc(c.receive))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *Collector) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprintf("%s: %v", r.URL.Path, err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, read(s, resource.GetResource().GetAttributes()))
			}
		}
	}
}

func read(s *trace.Span, resource []*common.KeyValue) Span {
	read := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(),
		Kind: strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")), Start: s.GetStartTimeUnixNano(), Attributes: map[string]string{},
	}
	if s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR {
		read.Status = cmp.Or(s.GetStatus().GetMessage(), "error")
	}
	for _, kv := range slices.Concat(resource, s.GetAttributes()) {
		text := kv.GetValue().GetStringValue()
		if text == "" {
			text = fmt.Sprint(kv.GetValue().GetIntValue())
		}
		read.Attributes[kv.GetKey()] = text
	}
	for _, l := range s.GetLinks() {
		read.Links = append(read.Links, hex.EncodeToString(l.GetTraceId()))
	}
	return read
}

// Spans are all spans so far, and Requests how many requests sent them.
func (c *Collector) Spans() (spans []Span, requests int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans), c.requests
}

// Tree shows a trace as an indented list in the sequence of the starts, with some attributes. A link is
// shown by the name that names has for its trace.
func Tree(spans []Span, traceID string, names map[string]string, attributes ...string) string {
	of := slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return s.Trace != traceID })
	slices.SortStableFunc(of, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	known := map[string]bool{}
	for _, s := range of {
		known[s.ID] = true
	}
	var text strings.Builder
	var write func(parent func(Span) bool, depth int)
	write = func(child func(Span) bool, depth int) {
		for _, s := range of {
			if !child(s) {
				continue
			}
			fmt.Fprintf(&text, "%s%s", strings.Repeat("  ", depth), s.line(names, attributes))
			write(func(c Span) bool { return c.Parent == s.ID }, depth+1)
		}
	}
	write(func(s Span) bool { return !known[s.Parent] }, 0)
	return text.String()
}

func (s Span) line(names map[string]string, attributes []string) string {
	line := s.Name + " (" + s.Kind + ")"
	for _, name := range attributes {
		if value, ok := s.Attributes[name]; ok {
			line += " " + name + "=" + value
		}
	}
	for _, l := range s.Links {
		line += " link=" + cmp.Or(names[l], l)
	}
	if s.Status != "" {
		line += " error: " + s.Status
	}
	return line + "\n"
}
