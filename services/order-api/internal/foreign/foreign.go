// Package foreign reads dead letters that other programs wrote, and makes the records that replay
// them.
//
// Kafka has no standard for dead letters. Each library copies the record that failed to a
// dead-letter topic, and says in headers of its own what failed and where it came from. A dialect is
// the set of headers of one library; dialects.go is the table of all that are known. A record
// without any of these headers is a dead letter, too, of which nothing is known.
//
// All functions are pure, and take any bytes: a header of the wrong length or without a number is
// the same as one that is missing.
package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
)

// Place is where a dead letter is.
type Place struct {
	Topic     string // its dead-letter topic
	Partition int32
	Offset    int64
}

// ID is the name of the dead letter at a place: "billing-dlt:3-124".
func (p Place) ID() string {
	return p.Topic + ":" + strconv.Itoa(int(p.Partition)) + "-" + strconv.FormatInt(p.Offset, 10)
}

// ParseID reads what Place.ID wrote. It is false for any other text, such as the ID of a dead letter
// of this application.
func ParseID(id string) (Place, bool) {
	colon, dash := strings.LastIndexByte(id, ':'), strings.LastIndexByte(id, '-')
	if colon < 0 || dash < colon {
		return Place{}, false
	}
	partition, ok1 := digits(id[colon+1:dash], 32)
	offset, ok2 := digits(id[dash+1:], 64)
	p := Place{id[:colon], int32(partition), offset}
	return p, ok1 && ok2 && Legal(p.Topic)
}

// digits reads a number as Place.ID writes it: without a sign or zeros in front.
func digits(text string, bits int) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, bits)
	return n, err == nil && text[0] >= '0' && text[0] <= '9' && (text[0] != '0' || len(text) == 1)
}

// DeadLetter is what the headers of a dead letter say. Texts are valid UTF-8 of at most 500 bytes.
type DeadLetter struct {
	Dialect   string    // name of the library, or empty: none is known with these headers
	Topic     string    // of the record that failed, or empty
	Partition int32     // of the record that failed, or -1
	Offset    int64     // of the record that failed, or -1
	Timestamp time.Time // of the record that failed, or of the dead letter
	Group     string    // consumer group or connector, or empty
	Exception string    // class name of what was thrown, or empty
	Message   string    // of that, and of its root cause; or empty
	Attempts  int       // or 0
}

// Read reads the headers of a dead letter.
func Read(r *kgo.Record) DeadLetter {
	d, h := dialectOf(r.Headers), headers(r.Headers)
	at := d.place(r)
	return DeadLetter{
		Dialect: d.name, Topic: at.topic, Partition: at.partition, Offset: at.offset, Timestamp: d.timestamp(r), Group: h.clipped(d.group),
		Exception: h.clipped(d.exception), Message: d.failure(h), Attempts: int(min(max(d.attempts(h), 0), math.MaxInt32)),
	}
}

// Errors of Back.
var (
	// ErrNoTarget is returned when nothing says to which topic the record belongs.
	ErrNoTarget = errors.New("no header of a known library names a topic that records can be replayed to")
	// ErrLoop is returned when that is the dead-letter topic.
	ErrLoop = errors.New("a dead letter is not replayed to its own dead-letter topic")
	// ErrNoCopy is returned for a dead letter of a share group that does not copy records, unless it
	// was completed.
	ErrNoCopy = errors.New("the dead letter has no copy of the record, and the record is gone: " +
		"its share group is configured with errors.deadletterqueue.copy.record.enable=false")
)

// Back is the record that replays a dead letter: for the topic replayTo, or if that is empty for the
// topic that the headers name.
//
// Key, value and headers are those of the dead letter, byte for byte, and also where they are null,
// without the headers that its library added. With those the record would not be the one that
// failed: Spring counts its attempts in them and would dead-letter the record at once, and a second
// failure would keep the place and the exception of the first. The headers of other libraries stay:
// the record had them when it failed.
//
// Timestamp is that of the record that failed where a header tells it. Partition is the one that it
// was in, because other partitioners place keys elsewhere than Kafka's default; it is -1 if that is
// not known, and with replayTo.
func Back(r *kgo.Record, replayTo string) (*kgo.Record, error) {
	d := dialectOf(r.Headers)
	at := d.place(r)
	if replayTo != "" {
		at = place{topic: replayTo, partition: -1}
	}
	switch {
	case at.topic == "":
		return nil, ErrNoTarget
	case at.topic == r.Topic:
		return nil, ErrLoop
	case !Legal(at.topic):
		return nil, fmt.Errorf("%w: %.100q is no name of a topic", ErrNoTarget, at.topic)
	}
	back := &kgo.Record{Topic: at.topic, Partition: at.partition, Key: r.Key, Value: r.Value, Timestamp: d.timestamp(r)}
	for _, h := range r.Headers {
		if !d.owns(h.Key) {
			back.Headers = append(back.Headers, h)
		}
	}
	if d.name == share && r.Key == nil && r.Value == nil && len(back.Headers) == 0 {
		return nil, ErrNoCopy
	}
	return back, nil
}

// Partial reports whether a dead letter has only a part of the record that failed, and where that
// is: Kafka does not copy the headers of a record for a share group, nor its timestamp.
func Partial(r *kgo.Record) (Place, bool) {
	d := dialectOf(r.Headers)
	if d.name != share {
		return Place{}, false
	}
	at := d.place(r)
	p := Place{at.topic, at.partition, at.offset}
	return p, at.partition >= 0 && at.offset >= 0 && Legal(at.topic)
}

// Complete adds to a dead letter what the record that failed has. It returns the dead letter as it
// is if that is another record: a topic that was created again has other ones at the same offsets.
func Complete(dead, failed *kgo.Record) *kgo.Record {
	copied := dead.Key != nil || dead.Value != nil
	if copied && !(bytes.Equal(dead.Key, failed.Key) && bytes.Equal(dead.Value, failed.Value)) || failed.Timestamp.After(dead.Timestamp) {
		return dead
	}
	whole := *dead
	whole.Key, whole.Value, whole.Timestamp = failed.Key, failed.Value, failed.Timestamp
	whole.Headers = slices.Concat(failed.Headers, dead.Headers)
	return &whole
}

// Legal reports whether Kafka takes a text as the name of a topic of applications.
func Legal(topic string) bool {
	for i := range len(topic) {
		c := topic[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return topic != "" && topic != "." && topic != ".." && len(topic) <= 249 && !strings.HasPrefix(topic, "__")
}

// headers are those of a record.
type headers []kgo.RecordHeader

// nth returns the value of a header that has one of some names: the last one, and with a number
// that one before the last.
func (h headers) nth(names []string, number int) ([]byte, bool) {
	for i := len(h) - 1; i >= 0; i-- {
		for _, name := range names {
			if h[i].Key != name {
				continue
			}
			if number == 0 {
				return h[i].Value, true
			}
			number--
		}
	}
	return nil, false
}

func (h headers) text(names []string) string {
	value, _ := h.nth(names, 0)
	return string(value)
}

func (h headers) clipped(names []string) string { return dlq.Clip(h.text(names)) }
