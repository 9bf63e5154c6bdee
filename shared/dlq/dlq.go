// Package dlq encodes and decodes dead letters: the records of the dead-letter topic.
//
// A dead letter's key and value are the exact bytes of the record that failed, whether or not they
// can be decoded. Its headers are those of that record, then the envelope of all records (package
// wire), then the failure. Where Apache Kafka's own dead letters (KIP-1191) have a name for a fact,
// that name is used. The facts are bounded, contain no e-mail addresses, and are replaced when a
// dead letter fails again, so that it does not grow.
//
// The ID of a dead letter is the place of its order in the topic orders. It stays the same over
// replays.
package dlq

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// DeadLetter is one record of the dead-letter topic.
type DeadLetter struct {
	wire.Source // the record that failed

	Cause       order.Cause // of the order
	Topic       string      // of Origin
	Group       string      // consumer group of the worker
	Step        order.Step  // that failed, or empty: no step was begun
	Class       failure.Class
	Reason      failure.Reason
	Message     string // in the topic at most 500 bytes, like every text here, and without e-mail addresses
	Attempts    int    // since the order was placed
	FirstFailed time.Time
	LastFailed  time.Time
	Worker      string // host and version
	Replays     int    // number of the last replay, or 0
	Job         string // the replay job that asked for it, or empty
	Edit        int    // version of the edit that Value is; 0 for the bytes as placed
	Rev         int64  // of the order's state that the dead letter goes with, or 0 if it has none
	Progress    order.Progress
}

// ErrForeign is returned by Read for a record that is not a dead letter of this application.
var ErrForeign = errors.New("not a dead letter of this application")

// ID is the dead letter's name: the place of its origin in the topic orders, "3-124".
func (l *DeadLetter) ID() string { return l.Origin.String() }

// maxText is how long a text may be in a header.
const maxText = 500

// The names of a dead letter's headers.
const (
	standard = "__dlq." // prefix of the names of KIP-1191
	own      = "dlq-"   // prefix of ours

	hTopic       = standard + "errors.topic"
	hPartition   = standard + "errors.partition"
	hOffset      = standard + "errors.offset"
	hGroup       = standard + "errors.group"
	hDeliveries  = standard + "errors.delivery.count"
	hMessage     = standard + "errors.message"
	hStep        = own + "step"
	hClass       = own + "class"
	hReason      = own + "reason"
	hFirstFailed = own + "first-failed"
	hWorker      = own + "worker"
	hReplays     = own + "replays"
	hJob         = own + "job"
	hEdit        = own + "edit"
	hProgress    = own + "progress"

	hRev = "rev" // as in every record that goes with a state
)

// Record is the dead letter as it is written to the dead-letter topic, in the partition number of
// its origin.
func (l *DeadLetter) Record() *kgo.Record {
	facts := []wire.Fact{
		{Name: hRev, Value: strconv.FormatInt(l.Rev, 10)},
		{Name: hTopic, Value: l.Topic},
		{Name: hPartition, Value: strconv.Itoa(int(l.Origin.Partition))},
		{Name: hOffset, Value: strconv.FormatInt(l.Origin.Offset, 10)},
		{Name: hGroup, Value: l.Group},
		{Name: hDeliveries, Value: strconv.Itoa(l.Attempts)},
		{Name: hMessage, Value: Message(l.Message)},
		{Name: hStep, Value: string(l.Step)},
		{Name: hClass, Value: l.Class.String()},
		{Name: hReason, Value: string(l.Reason)},
		{Name: hFirstFailed, Value: wire.Stamp(l.FirstFailed)},
		{Name: hWorker, Value: l.Worker},
		{Name: hReplays, Value: strconv.Itoa(l.Replays)},
	}
	if l.Job != "" {
		facts = append(facts, wire.Fact{Name: hJob, Value: l.Job})
	}
	if l.Edit > 0 {
		facts = append(facts, wire.Fact{Name: hEdit, Value: strconv.Itoa(l.Edit)})
	}
	for i := range facts {
		facts[i].Value = Clip(facts[i].Value)
	}
	e := wire.Envelope{
		Type: wire.TypeDeadLetter, ID: fmt.Sprintf("%s/dead/%d", l.ID(), l.Replays), Time: l.LastFailed, Cause: l.Cause,
		Facts: append(facts, wire.Fact{Name: hProgress, Value: string(wire.Progress(l.Progress))}),
	}
	r := e.Record(l.Key, l.Value, others(l.Headers))
	r.Partition = l.Origin.Partition
	return r
}

// Message is the text of an error as it is in a dead letter: short, and without e-mail addresses.
func Message(text string) string { return Clip(address.ReplaceAllString(text, "…@…")) }

// address matches what looks like an e-mail address: mail servers repeat it in their answers.
var address = regexp.MustCompile(`[^\s<>@]+@[^\s<>@]+`)

// Read decodes a dead letter. A record without our envelope is ErrForeign; one of a newer schema
// version is wire.ErrNewer.
func Read(r *kgo.Record) (DeadLetter, error) {
	e, headers, err := wire.ReadEnvelope(r, wire.TypeDeadLetter)
	if errors.Is(err, wire.ErrNewer) {
		return DeadLetter{}, err
	}
	text := func(name string) string { return Clip(e.Text(name)) }
	partition, err1 := strconv.ParseUint(text(hPartition), 10, 31)
	offset, err2 := strconv.ParseUint(text(hOffset), 10, 63)
	progress, err3 := wire.ReadProgress([]byte(e.Text(hProgress)))
	if err := cmp.Or(err, err1, err2, err3); err != nil {
		return DeadLetter{}, fmt.Errorf("%w: %v", ErrForeign, err)
	}
	return DeadLetter{
		Source: wire.Source{
			Key: r.Key, Value: r.Value, Headers: others(headers), Origin: order.Origin{Partition: int32(partition), Offset: int64(offset)},
		},
		Cause: e.Cause, Topic: text(hTopic), Group: text(hGroup), Step: order.Step(text(hStep)), Class: failure.ParseClass(text(hClass)),
		Reason: failure.Reason(text(hReason)), Message: text(hMessage), Attempts: int(e.Count(hDeliveries)),
		FirstFailed: wire.Unstamp(text(hFirstFailed)), LastFailed: e.Time, Worker: text(hWorker),
		Replays: int(e.Count(hReplays)), Job: text(hJob), Edit: int(e.Count(hEdit)), Rev: e.Count(hRev), Progress: progress,
	}, nil
}

// others returns the headers of the record that failed without those that a dead letter has itself:
// readers that take the first header of a name must not take one that somebody else wrote.
func others(headers []kgo.RecordHeader) []kgo.RecordHeader {
	var kept []kgo.RecordHeader
	for _, h := range headers {
		if !strings.HasPrefix(h.Key, own) && !strings.HasPrefix(h.Key, standard) {
			kept = append(kept, h)
		}
	}
	return kept
}

// Clip keeps a text that others wrote valid UTF-8 of at most 500 bytes, without cutting a rune.
func Clip(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxText {
		return text
	}
	end := maxText - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
