package sender_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// shop is a Kafka with the topics of another program: in, its dead letters in dead, and out.
type shop struct {
	*kafkatest.Kafka
	s *sender.Sender
}

func start(t testing.TB, k *kafkatest.Kafka, settings map[string]*string, replayTo map[string]string) shop {
	t.Helper()
	admin := kadm.NewClient(k.Client)
	names := []string{k.Prefix + "-in", k.Prefix + "-dead", k.Prefix + "-out"}
	if _, err := admin.CreateTopics(t.Context(), 3, -1, settings, names...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.DeleteTopics(context.Background(), names...) })
	cl, err := k.Config().Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	rules := sender.Rules{Ours: k.Topics, DeadLetters: []string{k.Prefix + "-dead", k.Topics.DLQ + ".other"}, ReplayTo: replayTo}
	return shop{k, sender.New(cl, rules, slog.New(slog.DiscardHandler))}
}

func (p shop) name(short string) string { return p.Prefix + "-" + short }

// dead is a dead letter of Connect of a record of a topic.
func (p shop) dead(partition int32, of string, value string) *kgo.Record {
	return &kgo.Record{
		Topic: p.name("dead"), Partition: partition, Key: []byte("k" + value), Value: []byte(value), Headers: []kgo.RecordHeader{
			{Key: "app", Value: []byte("x")},
			{Key: "__connect.errors.topic", Value: []byte(of)},
			{Key: "__connect.errors.partition", Value: []byte("2")},
			{Key: "__connect.errors.offset", Value: []byte("9")},
		},
	}
}

func (p shop) open(t testing.TB, replayTo string) *sender.Reading {
	t.Helper()
	g, err := p.s.Open(p.name("dead"), replayTo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func (p shop) id(r *kgo.Record) string {
	return foreign.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}.ID()
}

func TestItemsAreThoseAskedForInTheirSequence(t *testing.T) {
	t.Parallel()
	p := start(t, kafkatest.Start(t), nil, nil)
	var all []*kgo.Record
	for i := range 3000 {
		all = append(all, p.dead(int32(i%3), p.name("in"), strconv.Itoa(i)))
	}
	p.Produce(t, all...)
	random := rand.New(rand.NewPCG(1, 2))
	for name, pick := range map[string]func() []*kgo.Record{
		"all": func() []*kgo.Record { return all },
		"shuffled": func() []*kgo.Record {
			s := slices.Clone(all)
			random.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
			return s
		},
		"few":       func() []*kgo.Record { return []*kgo.Record{all[7], all[2999], all[8], all[8]} },
		"backwards": func() []*kgo.Record { s := slices.Clone(all[:500]); slices.Reverse(s); return s },
	} {
		g, want := p.open(t, ""), pick()
		for batch := range slices.Chunk(want, 700) {
			var ids []string
			for _, r := range batch {
				ids = append(ids, p.id(r))
			}
			items, err := g.Next(t.Context(), ids, map[string][]byte{ids[0]: []byte("edited")})
			if err != nil || len(items) != len(ids) {
				t.Fatalf("%s: got %d items, %v", name, len(items), err)
			}
			for i, item := range items {
				value := batch[i].Value
				if ids[i] == ids[0] {
					value = []byte("edited")
				}
				r := item.Record
				if r == nil || r.Topic != p.name("in") || r.Partition != 2 || !bytes.Equal(r.Value, value) || !bytes.Equal(r.Key, batch[i].Key) || len(r.Headers) != 1 {
					t.Fatalf("%s: item %d of %s is %+v, want the record of %s", name, i, ids[i], item, batch[i].Value)
				}
			}
		}
	}
}

func TestWhatCannotBeReplayedIsSkipped(t *testing.T) {
	t.Parallel()
	p := start(t, kafkatest.Start(t), nil, nil)
	limit := "5000"
	if _, err := kadm.NewClient(p.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, p.name("in")); err != nil {
		t.Fatal(err)
	}
	large := p.dead(0, p.name("in"), strings.Repeat("x", 2450))
	without := p.dead(0, "", "1")
	bad := []*kgo.Record{
		p.dead(0, p.name("in"), "0"), without, p.dead(0, p.name("missing"), "2"), p.dead(0, p.Topics.Status, "3"), p.dead(0, p.Topics.Orders, "4"),
		p.dead(0, p.name("dead"), "5"), p.dead(0, p.Topics.DLQ+".other", "6"), p.dead(0, "__consumer_offsets", "7"), large, p.dead(0, p.name("in"), "9"),
	}
	without.Headers = nil
	p.Produce(t, bad...)
	at := kadm.Offsets{}
	at.Add(kadm.Offset{Topic: p.name("dead"), At: 1})
	if _, err := kadm.NewClient(p.Client).DeleteRecords(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range bad {
		ids = append(ids, p.id(r))
	}
	ids = append(ids, p.name("dead")+":0-99", p.name("dead")+":9-0", "3-124", p.name("in")+":0-0", "")
	want := []wire.SkipReason{
		wire.SkipLost, wire.SkipTarget, wire.SkipTarget, wire.SkipTarget, wire.SkipTarget, wire.SkipTarget, wire.SkipTarget, wire.SkipTarget, wire.SkipTooLarge,
		"", wire.SkipLost, wire.SkipLost, wire.SkipUnknown, wire.SkipUnknown, wire.SkipUnknown,
	}
	items, err := p.open(t, "").Next(t.Context(), ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range items {
		if item.Skip != want[i] || (item.Record == nil) != (want[i] != "") {
			t.Errorf("%s: got %+v, want %q", ids[i], item, want[i])
		}
	}
	items, err = p.open(t, p.name("out")).Next(t.Context(), ids[1:8], nil)
	for i, item := range items {
		if item.Record == nil || item.Record.Topic != p.name("out") || item.Record.Partition < 0 {
			t.Errorf("with a topic to replay to: %s: got %+v, %v", ids[i+1], item, err)
		}
	}
}

func TestNothingIsReplayedToTopicsThatAreNotForThat(t *testing.T) {
	t.Parallel()
	p := start(t, kafkatest.Start(t), nil, nil)
	for _, to := range []string{p.Topics.Orders, p.Topics.Replay, p.Topics.Desk, p.name("dead"), p.Topics.DLQ + ".other"} {
		if g, err := p.s.Open(p.name("dead"), to); err == nil {
			t.Errorf("got %+v for topic %s, want an error", g, to)
		}
	}
	if g, err := p.s.Open(p.Topics.DLQ, ""); err == nil {
		t.Errorf("got %+v for our own dead letters, want an error", g)
	}
}

func TestAnOldTimestampDoesNotLoseTheRecord(t *testing.T) {
	t.Parallel()
	day := strconv.Itoa(int((24 * time.Hour).Milliseconds()))
	p := start(t, kafkatest.Start(t), map[string]*string{"retention.ms": &day}, nil)
	young, old := p.dead(0, p.name("in"), "young"), p.dead(0, p.name("in"), "old")
	young.Timestamp, old.Timestamp = time.Now().Add(-time.Hour).Truncate(time.Millisecond), time.Now().Add(-23*time.Hour)
	// With a time-out, the client takes an old record for one that waits since then.
	cl, err := p.Config().ConnectProducer(t.Context(), kgo.RecordDeliveryTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), young, old).FirstErr(); err != nil {
		t.Fatal(err)
	}
	items, err := p.open(t, "").Next(t.Context(), []string{p.id(young), p.id(old)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := items[0].Record.Timestamp; !got.Equal(young.Timestamp) {
		t.Errorf("got %v, want that of the record that failed, %v", got, young.Timestamp)
	}
	if got := items[1].Record.Timestamp; time.Since(got) > time.Minute {
		t.Errorf("got %v, want now: Kafka deletes records after a day", got)
	}
}

func TestADeadLetterOfAShareGroupGetsItsHeadersBack(t *testing.T) {
	t.Parallel()
	p := start(t, kafkatest.Start(t), nil, nil)
	failed := &kgo.Record{Topic: p.name("in"), Partition: 1, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "app", Value: []byte("x")}}}
	p.Produce(t, failed)
	share := func(key, value []byte, offset string) *kgo.Record {
		return &kgo.Record{Topic: p.name("dead"), Key: key, Value: value, Headers: []kgo.RecordHeader{
			{Key: "__dlq.errors.topic", Value: []byte(p.name("in"))}, {Key: "__dlq.errors.partition", Value: []byte("1")}, {Key: "__dlq.errors.offset", Value: []byte(offset)},
		}}
	}
	dead := []*kgo.Record{share(failed.Key, failed.Value, "0"), share(nil, nil, "0"), share(failed.Key, []byte("other"), "0"), share(failed.Key, failed.Value, "7"), share(nil, nil, "7")}
	p.Produce(t, dead...)
	var ids []string
	for _, r := range dead {
		ids = append(ids, p.id(r))
	}
	items, err := p.open(t, "").Next(t.Context(), ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"v 1 headers", "v 1 headers", "other 0 headers", "v 0 headers", "lost"} {
		got := string(items[i].Skip)
		if r := items[i].Record; r != nil {
			got = fmt.Sprintf("%s %d headers", r.Value, len(r.Headers))
		}
		if got != want {
			t.Errorf("dead letter %d: got %s, want %s", i, got, want)
		}
	}
}
