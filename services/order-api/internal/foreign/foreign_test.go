package foreign_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
)

// with is a dead letter in the topic dead, at 1-2, with headers of alternating names and values.
func with(pairs ...string) *kgo.Record {
	r := &kgo.Record{Topic: "dead", Partition: 1, Offset: 2, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(1000)}
	for i := 0; i < len(pairs); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return r
}

const (
	one  = "\x00\x00\x00\x01"
	nine = "\x00\x00\x00\x00\x00\x00\x00\x09"
)

func TestDeadLettersOfLibrariesThatAreNotRecordedAreRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		r    *kgo.Record
		want foreign.DeadLetter
	}{
		{
			with("__streams.errors.exception", "a.B", "__streams.errors.stacktrace", "a.B: no\n\tat x\nCaused by: c.D: 17 is odd\n\tat y",
				"__streams.errors.message", "no", "__streams.errors.topic", "in", "__streams.errors.partition", "3", "__streams.errors.offset", "9"),
			foreign.DeadLetter{Dialect: "Kafka Streams", Topic: "in", Partition: 3, Offset: 9, Exception: "a.B", Message: "no: c.D: 17 is odd"},
		},
		{
			with("x-original-topic", "in", "x-original-partition", one, "x-original-offset", nine, "x-original-timestamp", nine,
				"x-exception-fqcn", "a.B", "x-exception-message", "no", "x-exception-stacktrace", "a.B: no"),
			foreign.DeadLetter{Dialect: "Spring Cloud Stream", Topic: "in", Partition: 1, Offset: 9, Timestamp: time.UnixMilli(9), Exception: "a.B", Message: "no"},
		},
		{
			with("dead-letter-exception-class-name", "a.B", "dead-letter-reason", "no", "dead-letter-topic", "in", "dead-letter-partition", "0", "dead-letter-offset", "9"),
			foreign.DeadLetter{Dialect: "SmallRye", Topic: "in", Offset: 9, Exception: "a.B", Message: "no"},
		},
		{
			with("_watermill_message_uuid", "u", "reason_poisoned", "no", "topic_poisoned", "in", "handler_poisoned", "bill", "subscriber_poisoned", "kafka.Subscriber"),
			foreign.DeadLetter{Dialect: "Watermill", Topic: "in", Partition: -1, Offset: -1, Group: "bill", Message: "no"},
		},
		{with("kind", "x"), foreign.DeadLetter{Partition: -1, Offset: -1}},
		{with("dead-letter-office", "x", "x-original-host", "y"), foreign.DeadLetter{Partition: -1, Offset: -1}}, // similar names
	} {
		if row.want.Timestamp.IsZero() {
			row.want.Timestamp = row.r.Timestamp
		}
		if diff := cmp.Diff(row.want, foreign.Read(row.r)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", row.r.Headers, diff)
		}
	}
}

func TestHostileHeadersAreLikeMissingOnes(t *testing.T) {
	t.Parallel()
	huge, noText := strings.Repeat("x", 1<<20), "\xff\xfe\x00"
	none := foreign.DeadLetter{Dialect: "Spring Kafka", Topic: "in", Partition: -1, Offset: -1, Timestamp: time.UnixMilli(1000)}
	for _, value := range []string{"", "1", "\x00", "\x00\x00\x00", "\x00\x00\x00\x00\x01", "\xff\xff\xff\xff", strings.Repeat("\xff", 8), huge} {
		got := foreign.Read(with("kafka_dlt-original-topic", "in", "kafka_dlt-original-partition", value, "kafka_dlt-original-offset", value,
			"kafka_dlt-original-timestamp", value, "kafka_deliveryAttempt", value, "retry_topic-attempts", value))
		if diff := cmp.Diff(none, got); diff != "" {
			t.Errorf("numbers %.20q (-want +got):\n%s", value, diff)
		}
	}
	if got := foreign.Read(with("kafka_dlt-original-topic", "in", "kafka_dlt-original-partition", "\x00\x00\x00\x01\x00\x00\x00\x00")); got.Partition != -1 {
		t.Errorf("got partition %d of 8 bytes, want none", got.Partition)
	}
	for _, value := range []string{"", "one", "-1", "1.5", "0x1", " 1", "9223372036854775808", strings.Repeat("0", 100), noText, huge} {
		got := foreign.Read(with("__dlq.errors.topic", "in", "__dlq.errors.partition", value, "__dlq.errors.offset", value, "__dlq.errors.delivery.count", value))
		if got.Partition != -1 || got.Offset != -1 || got.Attempts != 0 {
			t.Errorf("numbers %.20q: got %+v, want none", value, got)
		}
	}
	if got := foreign.Read(with("__dlq.errors.topic", "in", "__dlq.errors.delivery.count", "9223372036854775807")); got.Attempts != math.MaxInt32 {
		t.Errorf("got %d attempts, want the most there are", got.Attempts)
	}
	for _, text := range []string{huge, noText, strings.Repeat(noText, 1000), strings.Repeat("名", 400)} {
		got := foreign.Read(with("__connect.errors.topic", text, "__connect.errors.exception.message", text, "__connect.errors.exception.class.name", text,
			"__connect.errors.connector.name", text, "__connect.errors.exception.stacktrace", "\nCaused by: "+text))
		for _, s := range []string{got.Message, got.Exception, got.Group} {
			if len(s) > 500 || !utf8.ValidString(s) {
				t.Errorf("got %d bytes %.40q, want at most 500 of UTF-8", len(s), s)
			}
		}
		if r, err := foreign.Back(with("__connect.errors.topic", text), ""); !errors.Is(err, foreign.ErrNoTarget) || len(err.Error()) > 1000 {
			t.Errorf("topic %.20q: got %v, %.300v; want ErrNoTarget", text, r, err)
		}
	}
}

func TestTheLastLibraryCounts(t *testing.T) {
	t.Parallel()
	r := with("__connect.errors.topic", "in", "__connect.errors.partition", "1", "__connect.errors.offset", "5", "app", "x",
		"kafka_dlt-original-topic", "first", "kafka_dlt-original-partition", one, "kafka_dlt-original-offset", nine,
		"kafka_dlt-original-topic", "second", "kafka_dlt-original-partition", "\x00\x00\x00\x02", "kafka_dlt-original-offset", strings.Repeat("\x00", 8))
	got, err := foreign.Back(r, "")
	if err != nil || got.Topic != "second" || got.Partition != 2 || !slices.EqualFunc(got.Headers, r.Headers[:4], sameHeader) {
		t.Errorf("got %+v, %v; want it for partition 2 of second, as it was after Connect", got, err)
	}
	if l := foreign.Read(r); l.Dialect != "Spring Kafka" || l.Topic != "second" || l.Offset != 0 {
		t.Errorf("got %+v, want the newest failure", l)
	}
}

func TestADeadLetterIsNotReplayedToItsOwnTopic(t *testing.T) {
	t.Parallel()
	loop := []string{
		"__dlq.errors.topic", "in", "__dlq.errors.partition", "1", "__dlq.errors.offset", "5",
		"__dlq.errors.topic", "dead", "__dlq.errors.partition", "0", "__dlq.errors.offset", "0",
	}
	if got, err := foreign.Back(with(loop...), ""); err != nil || got.Topic != "in" || got.Partition != 1 {
		t.Errorf("got %+v, %v; want it for the topic before", got, err)
	}
	if got, err := foreign.Back(with(loop[6:]...), ""); !errors.Is(err, foreign.ErrLoop) {
		t.Errorf("got %+v, %v; want ErrLoop", got, err)
	}
	if got, err := foreign.Back(with(loop...), "dead"); !errors.Is(err, foreign.ErrLoop) {
		t.Errorf("replayTo dead: got %+v, %v; want ErrLoop", got, err)
	}
}

func TestBackNeedsATopicThatCanBeOne(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"", ".", "..", "a b", "a/b", "ä", "__consumer_offsets", strings.Repeat("x", 250)} {
		if got, err := foreign.Back(with("topic_poisoned", topic), ""); !errors.Is(err, foreign.ErrNoTarget) {
			t.Errorf("headers name %.20q: got %+v, %v; want ErrNoTarget", topic, got, err)
		}
		if topic == "" {
			continue
		}
		if got, err := foreign.Back(with(), topic); !errors.Is(err, foreign.ErrNoTarget) {
			t.Errorf("replayTo %.20q: got %+v, %v; want ErrNoTarget", topic, got, err)
		}
	}
	if got, err := foreign.Back(with("app", "x"), "to"); err != nil || len(got.Headers) != 1 || got.Topic != "to" {
		t.Errorf("of no known library: got %+v, %v; want it for topic to", got, err)
	}
}

func TestADeadLetterOfAShareGroupWithoutACopyIsNotATombstone(t *testing.T) {
	t.Parallel()
	r := with("__dlq.errors.topic", "in", "__dlq.errors.partition", "1", "__dlq.errors.offset", "5")
	r.Key, r.Value = nil, nil
	if got, err := foreign.Back(r, ""); !errors.Is(err, foreign.ErrNoCopy) {
		t.Errorf("got %+v, %v; want ErrNoCopy", got, err)
	}
	r.Key = []byte("k")
	if got, err := foreign.Back(r, ""); err != nil || got.Value != nil {
		t.Errorf("got %+v, %v; want a tombstone", got, err)
	}
}

func TestIDsNameOnePlace(t *testing.T) {
	t.Parallel()
	p := foreign.Place{Topic: "billing-dlt.2-1", Partition: 3, Offset: math.MaxInt64}
	if got, ok := foreign.ParseID(p.ID()); got != p || !ok {
		t.Errorf("%s: got %+v, %t", p.ID(), got, ok)
	}
	for _, id := range []string{
		"", ":", "-", "3-124", "a:", "a:1", "a:1-", "a:-1-2", "a:+1-2", "a:01-2", "a:1-02", "a:1-2 ", "a:1--2", ":1-2", "a b:1-2", "__a:1-2",
		"a:2147483648-1", "a:1-9223372036854775808", "a:1:2-3", "\xff:1-2",
	} {
		if got, ok := foreign.ParseID(id); ok {
			t.Errorf("%q: got %+v, want no place", id, got)
		}
	}
}

func FuzzBack(f *testing.F) {
	f.Add("kafka_dlt-original-topic", []byte("in"), "__dlq.errors.topic", []byte("x"), "")
	f.Add("topic_poisoned", []byte("dead"), "reason_poisoned", []byte{0xff}, "to")
	f.Fuzz(func(t *testing.T, name1 string, value1 []byte, name2 string, value2 []byte, replayTo string) {
		r := &kgo.Record{Topic: "dead", Key: value2, Headers: []kgo.RecordHeader{{Key: name1, Value: value1}, {Key: name2, Value: value2}, {Key: name1, Value: value2}}}
		before := slices.Clone(r.Headers)
		foreign.Read(r)
		got, err := foreign.Back(r, replayTo)
		if diff := cmp.Diff(before, r.Headers); diff != "" {
			t.Errorf("the dead letter has changed:\n%s", diff)
		}
		if err == nil && (got.Topic == "dead" || got.Topic == "" || !bytes.Equal(got.Key, r.Key) || len(got.Headers) > 3) {
			t.Errorf("got %+v", got)
		}
	})
}
