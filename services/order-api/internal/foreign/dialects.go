package foreign

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
)

// dialect is how one library writes dead letters. Where a field has several names, the last header
// with one of them counts.
type dialect struct {
	name string
	own  []string // what the names of the headers that it adds begin with; the first one recognises it

	topic             []string
	partition, offset []string
	originalTime      []string // in Unix milliseconds
	number            number   // reads the three
	group             []string
	exception         []string // class name
	message           []string
	stack             []string // stack trace of Java
	attempts          func(headers) int64
}

const share = "share group"

// dialects is the table of all that are known. To add a library, add a row, and dead letters of it to
// testdata.
var dialects = []dialect{
	{ // DeadLetterPublishingRecoverer; with other names in the last topic of @RetryableTopic.
		name:         "Spring Kafka",
		own:          []string{"kafka_dlt-", "kafka_original-", "kafka_exception-", "kafka_key-exception-", "retry_topic-", "kafka_deliveryAttempt", "springDeserializerException"},
		topic:        []string{"kafka_dlt-original-topic", "kafka_original-topic"},
		partition:    []string{"kafka_dlt-original-partition", "kafka_original-partition"},
		offset:       []string{"kafka_dlt-original-offset", "kafka_original-offset"},
		originalTime: []string{"kafka_dlt-original-timestamp", "kafka_original-timestamp"},
		number:       bigEndian,
		group:        []string{"kafka_dlt-original-consumer-group"},
		exception:    []string{"kafka_dlt-exception-cause-fqcn", "kafka_exception-cause-fqcn", "kafka_dlt-key-exception-fqcn", "kafka_key-exception-fqcn"},
		message:      []string{"kafka_dlt-exception-message", "kafka_exception-message", "kafka_dlt-key-exception-message", "kafka_key-exception-message"},
		stack:        []string{"kafka_dlt-exception-stacktrace", "kafka_exception-stacktrace", "kafka_dlt-key-exception-stacktrace", "kafka_key-exception-stacktrace"},
		attempts:     springAttempts,
	},
	{ // errors.deadletterqueue.context.headers.enable=true
		name:  "Kafka Connect",
		own:   []string{"__connect.errors."},
		topic: []string{"__connect.errors.topic"}, partition: []string{"__connect.errors.partition"}, offset: []string{"__connect.errors.offset"},
		number:    decimal,
		group:     []string{"__connect.errors.connector.name"},
		exception: []string{"__connect.errors.exception.class.name"},
		message:   []string{"__connect.errors.exception.message"},
		stack:     []string{"__connect.errors.exception.stacktrace"},
		attempts:  never,
	},
	{ // KIP-1191, errors.deadletterqueue.topic.name of the group
		name:  share,
		own:   []string{"__dlq.errors."},
		topic: []string{"__dlq.errors.topic"}, partition: []string{"__dlq.errors.partition"}, offset: []string{"__dlq.errors.offset"},
		number:   decimal,
		group:    []string{"__dlq.errors.group"},
		message:  []string{"__dlq.errors.message"},
		attempts: counted(decimal, "__dlq.errors.delivery.count"),
	},
	{ // KIP-1034, errors.dead.letter.queue.topic.name
		name:  "Kafka Streams",
		own:   []string{"__streams.errors."},
		topic: []string{"__streams.errors.topic"}, partition: []string{"__streams.errors.partition"}, offset: []string{"__streams.errors.offset"},
		number:    decimal,
		exception: []string{"__streams.errors.exception"},
		message:   []string{"__streams.errors.message"},
		stack:     []string{"__streams.errors.stacktrace"},
		attempts:  never,
	},
	{ // enableDlq of the Kafka binder
		name:  "Spring Cloud Stream",
		own:   []string{"x-original-", "x-exception-"},
		topic: []string{"x-original-topic"}, partition: []string{"x-original-partition"}, offset: []string{"x-original-offset"},
		originalTime: []string{"x-original-timestamp"},
		number:       bigEndian,
		exception:    []string{"x-exception-fqcn"},
		message:      []string{"x-exception-message"},
		stack:        []string{"x-exception-stacktrace"},
		attempts:     never,
	},
	{ // failure-strategy=dead-letter-queue of Quarkus
		name:  "SmallRye",
		own:   []string{"dead-letter-"},
		topic: []string{"dead-letter-topic"}, partition: []string{"dead-letter-partition"}, offset: []string{"dead-letter-offset"},
		number:    decimal,
		exception: []string{"dead-letter-exception-class-name", "dead-letter-cause-class-name"},
		message:   []string{"dead-letter-reason", "dead-letter-cause"},
		attempts:  never,
	},
	{ // the middleware PoisonQueue
		name:     "Watermill",
		own:      []string{"reason_poisoned", "topic_poisoned", "handler_poisoned", "subscriber_poisoned"},
		topic:    []string{"topic_poisoned"},
		number:   decimal,
		group:    []string{"handler_poisoned"},
		message:  []string{"reason_poisoned"},
		attempts: never,
	},
}

// unknown has no headers.
var unknown = dialect{number: decimal, attempts: never}

// dialectOf returns the dialect of a dead letter: the one that added the last of the headers that
// recognise one. A record that failed before, in another program, has older ones in front.
func dialectOf(headers []kgo.RecordHeader) *dialect {
	for i := len(headers) - 1; i >= 0; i-- {
		for d := range dialects {
			if dialects[d].owns(headers[i].Key) && dialects[d].names(headers) {
				return &dialects[d]
			}
		}
	}
	return &unknown
}

// owns reports whether the library adds a header of a name.
func (d *dialect) owns(name string) bool {
	for _, prefix := range d.own {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// names reports whether headers name a topic, or what failed: others may use a similar name.
func (d *dialect) names(h headers) bool {
	_, topic := h.nth(d.topic, 0)
	_, message := h.nth(d.message, 0)
	return topic || message
}

// place is where the record that failed was; partition and offset are -1 if that is not known.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// place looks for the last topic that is not the dead-letter topic itself: a dead letter that was
// replayed there by accident, and came back, has both.
func (d *dialect) place(r *kgo.Record) place {
	h := headers(r.Headers)
	for i := 0; ; i++ {
		topic, found := h.nth(d.topic, i)
		if !found {
			break
		}
		if string(topic) != r.Topic {
			partition := d.read(h, d.partition, i)
			if partition > 1<<31-1 {
				partition = -1
			}
			return place{string(topic), int32(partition), d.read(h, d.offset, i)}
		}
	}
	return place{topic: h.text(d.topic), partition: -1, offset: -1}
}

// timestamp is that of the record that failed, or of the dead letter.
func (d *dialect) timestamp(r *kgo.Record) time.Time {
	if ms := d.read(r.Headers, d.originalTime, 0); ms >= 0 {
		return time.UnixMilli(ms)
	}
	return r.Timestamp
}

// read returns a number that is not negative, or -1.
func (d *dialect) read(h headers, names []string, i int) int64 {
	value, found := h.nth(names, i)
	if n, ok := d.number(value); found && ok && n >= 0 {
		return n
	}
	return -1
}

// failure is the message, and the root cause if the message does not have it: libraries wrap what
// was thrown, and the text of the wrapper is the same for all causes.
func (d *dialect) failure(h headers) string {
	message, stack := h.text(d.message), h.text(d.stack)
	const cause = "\nCaused by: "
	if i := strings.LastIndex(stack, cause); i >= 0 {
		root, _, _ := strings.Cut(stack[i+len(cause):], "\n")
		root = strings.TrimSpace(root)
		_, text, _ := strings.Cut(root, ": ")
		if text == "" || !strings.Contains(message, text) {
			message = strings.TrimRight(message, ": ") + ": " + root
		}
	}
	return dlq.Clip(message)
}

// number decodes a header.
type number func([]byte) (int64, bool)

// bigEndian decodes 4 or 8 bytes.
func bigEndian(value []byte) (int64, bool) {
	switch len(value) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(value))), true
	case 8:
		return int64(binary.BigEndian.Uint64(value)), true
	}
	return 0, false
}

// decimal decodes digits.
func decimal(value []byte) (int64, bool) {
	if len(value) > 19 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// never is for libraries that do not tell how often they tried.
func never(headers) int64 { return 0 }

// counted reads how often a library tried.
func counted(n number, name string) func(headers) int64 {
	return func(h headers) int64 {
		value, _ := h.nth([]string{name}, 0)
		if count, ok := n(value); ok {
			return count
		}
		return 0
	}
}

// springAttempts counts the attempts on one topic, or on several: then the header has the number of the
// attempt that would be next.
func springAttempts(h headers) int64 {
	if next := counted(bigEndian, "retry_topic-attempts")(h); next > 0 {
		return next - 1
	}
	return counted(bigEndian, "kafka_deliveryAttempt")(h)
}
