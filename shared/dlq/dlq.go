// Package dlq is the dead letter: what stands in the dead-letter topic when an order cannot be
// finished.
//
// A dead letter's value and key are the exact bytes of the record that failed, so that nothing is
// lost even of what nobody could read. All that is known about the failure stands in headers, which
// are bounded, hold no personal data, and are replaced and never appended, so a dead letter that
// fails again does not grow. Where Apache Kafka's own dead letters (KIP-1191) have a name for a
// fact, that name is used. A dead letter's ID is the place of the order's origin in the topic
// orders, kept over replays.
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

// DeadLetter is one record of the dead-letter topic. It is also how an order travels through the
// topics of retries, of waiting orders, and of replays, where it stands when an operator sends it
// back.
type DeadLetter struct {
	Key, Value []byte             // of the record that failed, untouched
	Headers    []kgo.RecordHeader // of the record that failed, without those of a dead letter

	Origin      order.Origin // Incarnation is empty: a dead letter names no topic but its own
	Topic       string       // in which Origin stands
	Group       string       // consumer group of the worker
	Step        order.Step   // that failed, or empty: nothing was begun
	Class       failure.Class
	Reason      failure.Reason
	Message     string // in the topic at most 500 bytes, like every text here, and without e-mail addresses
	Attempts    int
	FirstFailed time.Time
	LastFailed  time.Time
	Worker      string    // host and version
	Replays     int       // how often it was sent back
	Rev         int64     // of the order's state that the dead letter goes with, 0 if it has none
	StateAt     int64     // of a replay: offset of that state in orders.status as the desk saw it; 0 unknown
	Retries     int       // of an order that is tried again: how often that was put off since it was placed or replayed
	Since       time.Time // of an order that is tried again: when that was put off first; else zero
	Progress    order.Progress
}

// ErrForeign is returned by Read for a record that no worker of this application wrote.
var ErrForeign = errors.New("not a dead letter of this application")

// ID is the dead letter's name: the place of its origin in the topic orders, "3-124".
func (l *DeadLetter) ID() string { return l.Origin.String() }

// Order is the order within, as far as it can be read.
func (l *DeadLetter) Order() (order.Order, error) {
	return wire.ReadOrder(&kgo.Record{Key: l.Key, Value: l.Value})
}

const (
	maxText    = 500
	maxHeaders = 16 << 10 // of the record that failed; beyond that they are left out
	perHeader  = 8        // what one takes beside its name and value, or a million empty ones would be free
)

// The names of a dead letter's headers.
const (
	hTopic       = "__dlq.errors.topic"
	hPartition   = "__dlq.errors.partition"
	hOffset      = "__dlq.errors.offset"
	hGroup       = "__dlq.errors.group"
	hDeliveries  = "__dlq.errors.delivery.count"
	hMessage     = "__dlq.errors.message"
	hStep        = "dlq-step"
	hClass       = "dlq-class"
	hReason      = "dlq-reason"
	hFirstFailed = "dlq-first-failed"
	hLastFailed  = "dlq-last-failed"
	hWorker      = "dlq-worker"
	hReplays     = "dlq-replays"
	hRev         = "dlq-rev"
	hStateAt     = "dlq-state"
	hRetries     = "dlq-retries"
	hSince       = "dlq-since"
	hProgress    = "dlq-progress"
)

// Record is the dead letter as it stands in Kafka. It belongs in the partition number of its
// origin.
func (l *DeadLetter) Record() *kgo.Record {
	r := &kgo.Record{Key: l.Key, Value: l.Value, Partition: l.Origin.Partition, Headers: kept(l.Headers)}
	facts := [][2]string{
		{hTopic, l.Topic},
		{hPartition, strconv.Itoa(int(l.Origin.Partition))},
		{hOffset, strconv.FormatInt(l.Origin.Offset, 10)},
		{hGroup, l.Group},
		{hDeliveries, strconv.Itoa(l.Attempts)},
		{hMessage, address.ReplaceAllString(l.Message, "…@…")},
		{hStep, string(l.Step)},
		{hClass, l.Class.String()},
		{hReason, string(l.Reason)},
		{hFirstFailed, stamp(l.FirstFailed)},
		{hLastFailed, stamp(l.LastFailed)},
		{hWorker, l.Worker},
		{hReplays, strconv.Itoa(l.Replays)},
		{hRev, strconv.FormatInt(l.Rev, 10)},
	}
	if l.StateAt > 0 {
		facts = append(facts, [2]string{hStateAt, strconv.FormatInt(l.StateAt, 10)})
	}
	if l.Retries > 0 {
		facts = append(facts, [2]string{hRetries, strconv.Itoa(l.Retries)}, [2]string{hSince, stamp(l.Since)})
	}
	for _, h := range facts {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(clip(h[1]))})
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: hProgress, Value: wire.Progress(l.Progress)})
	return r
}

// address is whatever looks like an e-mail address: mail servers like to repeat it in what they answer.
var address = regexp.MustCompile(`[^\s<>@]+@[^\s<>@]+`)

// Read reads a dead letter, or one that was sent back. A record without our headers is ErrForeign.
func Read(r *kgo.Record) (DeadLetter, error) {
	text := func(name string) string { return clip(wire.Header(r, name)) }
	partition, err1 := strconv.ParseUint(text(hPartition), 10, 31)
	offset, err2 := strconv.ParseUint(text(hOffset), 10, 63)
	if err := cmp.Or(err1, err2); err != nil {
		return DeadLetter{}, fmt.Errorf("%w: origin: %v", ErrForeign, err)
	}
	// Kafka's share groups name the origin too, but give no class.
	if text(hClass) == "" {
		return DeadLetter{}, fmt.Errorf("%w: no header %s", ErrForeign, hClass)
	}
	progress, err := wire.ReadProgress([]byte(wire.Header(r, hProgress)))
	if err != nil {
		return DeadLetter{}, fmt.Errorf("%w: %v", ErrForeign, err)
	}
	return DeadLetter{
		Key: r.Key, Value: r.Value, Headers: kept(r.Headers),
		Origin: order.Origin{Partition: int32(partition), Offset: int64(offset)},
		Topic:  text(hTopic), Group: text(hGroup), Step: order.Step(text(hStep)), Class: failure.ParseClass(text(hClass)),
		Reason: failure.Reason(text(hReason)), Message: text(hMessage), Attempts: int(count(text(hDeliveries))),
		FirstFailed: unstamp(text(hFirstFailed)), LastFailed: unstamp(text(hLastFailed)), Worker: text(hWorker),
		Replays: int(count(text(hReplays))), Rev: count(text(hRev)), StateAt: count(text(hStateAt)),
		Retries: int(count(text(hRetries))), Since: unstamp(text(hSince)), Progress: progress,
	}, nil
}

// count reads a number that only grows. One that somebody has spoilt is zero: the dead letter is
// still a dead letter.
func count(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// kept are the headers of the record that failed: those that a dead letter writes itself are left
// out, so that they are replaced; more than maxHeaders of them are left out altogether, so that a
// dead letter always fits.
func kept(headers []kgo.RecordHeader) []kgo.RecordHeader {
	var own []kgo.RecordHeader
	size := 0
	for _, h := range headers {
		if strings.HasPrefix(h.Key, "dlq-") || strings.HasPrefix(h.Key, "__dlq.") {
			continue
		}
		own = append(own, h)
		size += len(h.Key) + len(h.Value) + perHeader
	}
	if size > maxHeaders {
		return nil
	}
	return own
}

// clip keeps a text short and valid, without cutting a rune.
func clip(text string) string {
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

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// unstamp reads what stamp wrote; anything else is the zero time.
func unstamp(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	// In UTC, a time at the edge of the years that can be written may lie beyond it.
	if year := t.UTC().Year(); err != nil || year < 0 || year > 9999 {
		return time.Time{}
	}
	return t.UTC()
}
