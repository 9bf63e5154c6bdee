package foreign_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
)

// recorded reads what scripts/dialects prints: the records that failed, by topic, and the dead
// letters.
func recorded(t *testing.T, from io.Reader) (failed map[foreign.Place]*kgo.Record, dead []*kgo.Record) {
	t.Helper()
	failed = map[foreign.Place]*kgo.Record{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Topic             string
			Partition         int32
			Offset, Timestamp int64
			Key, Value        []byte
			Headers           []struct {
				Key   string
				Value []byte
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Key: l.Key, Value: l.Value, Timestamp: time.UnixMilli(l.Timestamp)}
		for _, h := range l.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if strings.Contains(r.Topic, "dlt") || strings.Contains(r.Topic, "dlq") {
			dead = append(dead, r)
		} else {
			failed[foreign.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}] = r
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return failed, dead
}

func TestRecordedDeadLettersOfOtherProgramsAreReadAndReplayed(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	check(t, "dialects-", file)
}

func TestDeadLettersOfOtherProgramsOnRealKafka(t *testing.T) {
	t.Parallel()
	brokers := os.Getenv("ORDERS_TEST_BROKERS")
	if brokers == "" {
		t.Skip("needs a real Kafka: start one with scripts/kafka and set ORDERS_TEST_BROKERS to its address")
	}
	prefix := "test-" + strings.ToLower(t.Name()) + time.Now().Format("-150405-")
	cmd := exec.CommandContext(t.Context(), "../../../../scripts/dialects", brokers, prefix)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	check(t, prefix, bytes.NewReader(out))
}

// expected is what is known of a dead letter, apart from its place and time.
func expected(prefix, topic string, i int64) foreign.DeadLetter {
	listener := foreign.DeadLetter{
		Dialect: "Spring Kafka", Exception: "java.lang.IllegalStateException", Attempts: 3,
		Message: "java.net.ConnectException: Connection refused: ledger.example.com:5432",
	}
	switch topic {
	case prefix + "spring":
		listener.Group = prefix + "billing"
		if i == 0 {
			listener.Exception = "org.springframework.kafka.support.serializer.DeserializationException"
			listener.Message, listener.Attempts = "failed to deserialize: java.lang.IllegalArgumentException: amount: no number at position 11", 1
		}
		return listener
	case prefix + "retryable":
		listener.Group = prefix + "shipping"
		return listener
	case prefix + "sink":
		c := foreign.DeadLetter{Dialect: "Kafka Connect", Group: prefix + "sink", Exception: "java.lang.IllegalStateException", Message: "table orders has no column amount"}
		if i < 3 {
			c.Exception, c.Message = "org.apache.kafka.connect.errors.DataException", "Converting byte[] to Kafka Connect data failed due to serialization error: "
		}
		return c
	}
	return foreign.DeadLetter{Dialect: "share group", Group: prefix + "sharers", Attempts: 1, Message: "Offset rejected by client."}
}

// check holds dead letters against the records that failed.
func check(t *testing.T, prefix string, from io.Reader) {
	failed, dead := recorded(t, from)
	if len(failed) != 20 || len(dead) != 20 {
		t.Fatalf("got %d dead letters of %d records, want 20 of 20", len(dead), len(failed))
	}
	for _, r := range dead {
		l := foreign.Read(r)
		place := foreign.Place{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset}
		want := failed[place]
		if want == nil {
			t.Errorf("%s %d-%d: got place %+v, want that of a record that failed", r.Topic, r.Partition, r.Offset, place)
			continue
		}
		facts := expected(prefix, l.Topic, l.Offset)
		if !strings.Contains(l.Message, facts.Message) {
			t.Errorf("%s: got message %q, want %q in it", place.ID(), l.Message, facts.Message)
		}
		if diff := cmp.Diff(facts, l, cmpopts.IgnoreFields(l, "Topic", "Partition", "Offset", "Timestamp", "Message")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", place.ID(), diff)
		}
		if at, partial := foreign.Partial(r); partial {
			r = foreign.Complete(r, failed[at])
		}
		delete(failed, place)
		got, err := foreign.Back(r, "")
		if err != nil {
			t.Errorf("%s: %v", place.ID(), err)
			continue
		}
		got.Offset = want.Offset
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
			t.Errorf("%s: record that replays it (-failed +got):\n%s", place.ID(), diff)
		}
		if to, err := foreign.Back(r, "elsewhere"); err != nil || to.Topic != "elsewhere" || to.Partition != -1 || !slices.EqualFunc(to.Headers, want.Headers, sameHeader) {
			t.Errorf("%s: got %+v, %v; want the same for topic elsewhere", place.ID(), to, err)
		}
	}
}

func sameHeader(a, b kgo.RecordHeader) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
}
