package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Envelope is what the headers of a record say about it, whatever its type.
//
// A record that is derived from a record of the topic orders (parked, replay request, dead letter)
// keeps the headers of that record in front of its own. The envelope begins at the last header
// ce_specversion, so what somebody else wrote in front of it is never taken for ours. As everywhere
// in Kafka, of several headers with one name the last one counts.
type Envelope struct {
	Type  string
	ID    string // of the event; two records with the same ID are the same event, written twice
	Time  time.Time
	Cause order.Cause
	Facts []Fact // what the type of the record adds

	schema  int    // 0 means schema
	content string // media type of the value; empty for the bytes of another record
}

// Fact is a header that a type of record adds to the envelope.
type Fact struct{ Name, Value string }

// The headers of every envelope.
const (
	hSpec    = "ce_specversion"
	hType    = "ce_type"
	hSource  = "ce_source"
	hID      = "ce_id"
	hTime    = "ce_time"
	hContent = "content-type"
	hSchema  = "schema"
	hTrace   = "traceparent"
	hActor   = "actor"
)

// The facts that several types of records have.
const (
	hOrigin = "origin" // offset of the order in the topic orders, in the same partition
	hOwner  = "owner"  // offset of the claim under which a state was written
	hRev    = "rev"    // revision of the state that the record is, or goes with
	hReason = "reason"
)

const (
	jsonType = "application/json"
	pdfType  = "application/pdf"
)

// Record returns the record of an envelope: the headers of the record that it is derived from, if
// any, and then the envelope.
func (e Envelope) Record(key, value []byte, derivedFrom []kgo.RecordHeader) *kgo.Record {
	headers := slices.Clone(bounded(derivedFrom))
	add := func(name, value string) {
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(hSpec, "1.0")
	add(hType, e.Type)
	add(hSource, "/orders")
	add(hID, e.ID)
	add(hTime, Stamp(e.Time))
	if e.content != "" {
		add(hContent, e.content)
	}
	add(hSchema, strconv.Itoa(cmp.Or(e.schema, schema)))
	if e.Cause.Trace != "" {
		add(hTrace, e.Cause.Trace)
	}
	if actor := e.Cause.Actor.String(); actor != "" {
		add(hActor, actor)
	}
	for _, f := range e.Facts {
		add(f.Name, f.Value)
	}
	return &kgo.Record{Key: key, Value: value, Headers: headers}
}

// ReadEnvelope reads the envelope of a record that must have one of the types. It also returns the
// headers of the record that this one is derived from. Facts has all headers of the envelope.
func ReadEnvelope(r *kgo.Record, types ...string) (e Envelope, derivedFrom []kgo.RecordHeader, err error) {
	at := len(r.Headers) - 1
	for at >= 0 && r.Headers[at].Key != hSpec {
		at--
	}
	if at < 0 {
		return Envelope{}, nil, fmt.Errorf("%w: no header %s", ErrUndecodable, hSpec)
	}
	own := r.Headers[at:]
	if kind := last(own, hType); !slices.Contains(types, kind) {
		return Envelope{}, nil, fmt.Errorf("%w: type %.40q, want %s", ErrUndecodable, kind, strings.Join(types, " or "))
	}
	version, _ := strconv.Atoi(last(own, hSchema))
	if err := known(version); err != nil {
		return Envelope{}, nil, err
	}
	e = Envelope{Type: last(own, hType), ID: last(own, hID), Time: Unstamp(last(own, hTime)), Cause: causeOf(own)}
	for _, h := range own {
		e.Facts = append(e.Facts, Fact{h.Key, string(h.Value)})
	}
	return e, bounded(r.Headers[:at]), nil
}

// Text returns a fact, or "".
func (e *Envelope) Text(name string) string {
	for _, f := range slices.Backward(e.Facts) {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// number returns a fact that is a count or an offset, and that the record must have.
func (e *Envelope) number(name string) (int64, error) { return parseNumber(name, e.Text(name)) }

// Count returns a fact that is a number which only grows. It is 0 for one that is missing or damaged.
func (e *Envelope) Count(name string) int64 {
	n, err := strconv.ParseInt(e.Text(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// CauseOf reads the cause of a record of the topic orders, whether or not it can be decoded.
func CauseOf(r *kgo.Record) order.Cause { return causeOf(r.Headers) }

func causeOf(headers []kgo.RecordHeader) order.Cause {
	return parseCause(last(headers, hTrace), last(headers, hActor))
}

// maxCause is how long a traceparent, and an actor, may be. A longer one is ignored.
const maxCause = 200

func parseCause(trace, actor string) (c order.Cause) {
	if printable(trace) {
		c.Trace = trace
	}
	c.Actor = parseActor(actor)
	return c
}

// parseActor reads what order.Actor.String wrote. Any other text, as of a kind that only a newer version
// knows, is the zero actor.
func parseActor(text string) order.Actor {
	kind, id, _ := strings.Cut(text, ":")
	switch k := order.ActorKind(kind); k {
	case order.ActorCustomer, order.ActorOperator, order.ActorService:
		if id != "" && printable(text) {
			return order.Actor{Kind: k, ID: id}
		}
	}
	return order.Actor{}
}

// printable reports whether a text is short enough for a cause and has printable ASCII alone.
func printable(text string) bool {
	return len(text) <= maxCause && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

const (
	maxHeaders = 16 << 10 // of the record that another one is derived from
	perHeader  = 8        // counted for each header in addition to its name and value, so that a million empty ones are too large
)

// bounded returns the headers of a record that others are derived from, or nil if they are too large
// to be kept: a derived record always fits into its topic.
func bounded(headers []kgo.RecordHeader) []kgo.RecordHeader {
	size := 0
	for _, h := range headers {
		size += len(h.Key) + len(h.Value) + perHeader
	}
	if size > maxHeaders || len(headers) == 0 {
		return nil
	}
	return headers
}

// Stamp is a time as it is written in headers.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Unstamp reads what Stamp wrote; anything else is the zero time.
func Unstamp(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	// In UTC, a time at the edge of the years that can be written may lie beyond it.
	if year := t.UTC().Year(); err != nil || year < 0 || year > 9999 {
		return time.Time{}
	}
	return t.UTC()
}
