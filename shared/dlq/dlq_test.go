package dlq_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

func ExampleDeadLetter() {
	failed := failure.New(failure.Permanent, failure.NoRoute, errors.New("no zone takes AQ"))
	class, reason := failure.Of(failed)
	l := dlq.DeadLetter{
		Source: wire.Source{Key: []byte("ord_7"), Value: []byte("the record as it came"), Origin: order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}},
		Step:   order.StepShipping, Class: class, Reason: reason, Message: failed.Error(),
	}
	got, err := dlq.Read(l.Record())
	fmt.Println(got.ID(), got.Step, got.Class, got.Reason, got.Message, err)
	// Output: 3-124 shipping permanent no-route no zone takes AQ <nil>
}

// full is a dead letter with all that can be known.
func full() dlq.DeadLetter {
	at := time.Date(2026, 3, 2, 9, 30, 0, 123_000_000, time.UTC)
	return dlq.DeadLetter{
		Source: wire.Source{
			Key: []byte("ord_0123456789abcdefghijklmnop"), Value: []byte(`{"schema":1}`), Origin: order.Origin{Partition: 3, Offset: 124},
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_type", Value: []byte("orders.placed")}, {Key: "traceparent", Value: []byte("00-ab-cd-01")},
			},
		},
		Cause: order.Cause{Actor: order.Actor{Kind: order.ActorCustomer, ID: "17"}, Trace: "00-ab-cd-01"},
		Topic: "orders", Group: "order-workers",
		Step: order.StepEmail, Class: failure.Permanent, Reason: failure.RecipientRefused, Message: "step email: 550 5.1.1 no such user",
		Attempts: 4, FirstFailed: at, LastFailed: at.Add(time.Minute), Worker: "host-1 v1.2.3", Replays: 2, Job: "job_1", Edit: 3, Rev: 9,
		Progress: order.Progress{
			Finished: []order.Step{order.StepShipping}, Shipping: &order.Shipping{Zone: "home", Price: order.EUR.Cents(490)},
			Others: map[order.Step]json.RawMessage{"gift": []byte(`{"wrapped":true}`)},
		},
	}
}

// TestADeadLetterIsAsOthersKnowIt holds a dead letter against its golden file: other versions and
// other programs read it.
func TestADeadLetterIsAsOthersKnowIt(t *testing.T) {
	t.Parallel()
	l := full()
	r := l.Record()
	var b bytes.Buffer
	fmt.Fprintf(&b, "partition: %d\nkey: %s\n", r.Partition, r.Key)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Value)
	golden.Compare(t, "testdata/dead_letter.golden", b.String())
}

func TestDeadLettersSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("aZ 09<>\"\n\x00ëŁ名👩")), 0, 60, -1)
	raw := rapid.SliceOfN(rapid.Byte(), 1, 40)
	instant := rapid.Map(rapid.Int64Range(0, 4e18), func(ns int64) time.Time { return time.Unix(0, ns).UTC() })
	rapid.Check(t, func(t *rapid.T) {
		want := dlq.DeadLetter{
			Source: wire.Source{Key: raw.Draw(t, "key"), Value: raw.Draw(t, "value"), Origin: order.Origin{Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset")}},
			Topic:  text.Draw(t, "topic"), Group: text.Draw(t, "group"), Step: order.Step(text.Draw(t, "step")),
			Class:  rapid.SampledFrom([]failure.Class{failure.Transient, failure.Permanent, failure.Down}).Draw(t, "class"),
			Reason: failure.Reason(text.Draw(t, "reason")), Message: text.Draw(t, "message"), Worker: text.Draw(t, "worker"),
			Attempts: rapid.IntMin(0).Draw(t, "attempts"), Replays: rapid.IntMin(0).Draw(t, "replays"), Rev: rapid.Int64Min(0).Draw(t, "rev"),
			FirstFailed: instant.Draw(t, "first"), LastFailed: instant.Draw(t, "last"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			want.Headers = append(want.Headers, kgo.RecordHeader{Key: text.Draw(t, "name"), Value: raw.Draw(t, "of")})
		}
		if rapid.Bool().Draw(t, "signed in") {
			want.Cause = full().Cause
		}
		if rapid.Bool().Draw(t, "begun") {
			want.Progress = full().Progress
		}
		got, err := dlq.Read(want.Record())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
	})
}

func TestADeadLetterThatFailsAgainDoesNotGrow(t *testing.T) {
	t.Parallel()
	l := full()
	first := l.Record()
	for range 10 {
		var err error
		if l, err = dlq.Read(l.Record()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(first.Headers, l.Record().Headers); diff != "" {
		t.Errorf("headers of the tenth dead letter (-first +tenth):\n%s", diff)
	}
}

func TestADeadLetterWithoutAHistoryIsOne(t *testing.T) {
	t.Parallel()
	want := dlq.DeadLetter{Source: wire.Source{Value: []byte{0xff}}}
	got, err := dlq.Read(want.Record())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got %v; dead letter (-want +got):\n%s", err, diff)
	}
	if o, err := got.Order(); !errors.Is(err, wire.ErrUndecodable) {
		t.Errorf("got order %v, %v from noise, want ErrUndecodable", o, err)
	}
}

func TestADeadLetterGivesItsOrderBack(t *testing.T) {
	t.Parallel()
	placed := wire.Order(order.Order{
		ID: "ord_1", Customer: order.Customer{Name: "Zoë", Email: "zoe@example.com"}, Service: order.Standard,
		ShipTo: order.Address{Line1: "1 Main Street", City: "Berlin", Country: "DE"},
		Lines:  []order.Line{{SKU: "A", Quantity: 1, UnitPrice: order.EUR.Cents(1)}},
	})
	want, err := wire.ReadOrder(placed)
	if err != nil {
		t.Fatal(err)
	}
	l := dlq.DeadLetter{Source: wire.Source{Key: placed.Key, Value: placed.Value, Headers: placed.Headers}}
	r := l.Record()
	if !bytes.Equal(r.Key, placed.Key) || !bytes.Equal(r.Value, placed.Value) {
		t.Errorf("got key %q and value %q, want those of the order", r.Key, r.Value)
	}
	got, err := l.Order()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got %v; order (-want +got):\n%s", err, diff)
	}
}

func TestHeadersOfTheSenderCannotPassForOurs(t *testing.T) {
	t.Parallel()
	l := full()
	l.Headers = append(l.Headers,
		kgo.RecordHeader{Key: "dlq-replays", Value: []byte("99")},
		kgo.RecordHeader{Key: "dlq-anything", Value: []byte("x")},
		kgo.RecordHeader{Key: "__dlq.errors.offset", Value: []byte("7")},
		kgo.RecordHeader{Key: "__dlq.", Value: []byte("y")},
	)
	got, err := dlq.Read(l.Record())
	if diff := cmp.Diff(full(), got); diff != "" || err != nil {
		t.Errorf("got %v; dead letter (-want +got):\n%s", err, diff)
	}
}

func TestADeadLetterOfTheLargestOrderFitsItsTopic(t *testing.T) {
	t.Parallel()
	fill := func(n, size int) []kgo.RecordHeader {
		return slices.Repeat([]kgo.RecordHeader{{Key: "h", Value: bytes.Repeat([]byte("v"), size)}}, n)
	}
	for _, row := range []struct {
		name    string
		headers []kgo.RecordHeader
		kept    int
	}{
		{"few small ones", fill(3, 5), 3},
		{"as many as are kept", fill(16, 1015), 16},
		{"one byte more", append(fill(15, 1015), fill(1, 1016)...), 0},
		{"one of a megabyte", fill(1, 1<<20), 0},
		{"100,000 empty ones", make([]kgo.RecordHeader, 100_000), 0},
	} {
		l := full()
		l.Headers, l.Value = row.headers, make([]byte, topic.MaxOrder)
		l.Message = strings.Repeat("x", 1<<14)
		l.Worker, l.Group, l.Topic, l.Step, l.Reason = l.Message, l.Message, l.Message, order.Step(l.Message), failure.Reason(l.Message)
		r := l.Record()
		size := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value) + 8
		}
		if most := topic.MaxBytes("orders.dlq"); size > most {
			t.Errorf("%s: got a dead letter of %d bytes, want at most %d", row.name, size, most)
		}
		if got, err := dlq.Read(r); err != nil || len(got.Headers) != row.kept || len(got.Message) != 500 {
			t.Errorf("%s: got %d headers and %d bytes of text, %v; want %d and 500", row.name, len(got.Headers), len(got.Message), err, row.kept)
		}
	}
}

func TestTextsAreCutBetweenRunes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{strings.Repeat("x", 500), strings.Repeat("x", 500)},
		{strings.Repeat("x", 501), strings.Repeat("x", 497) + "…"},
		{strings.Repeat("é", 250), strings.Repeat("é", 250)},
		{strings.Repeat("é", 251), strings.Repeat("é", 248) + "…"},
		{strings.Repeat("👩", 126), strings.Repeat("👩", 124) + "…"},
		{"x" + strings.Repeat("👩", 125), "x" + strings.Repeat("👩", 124) + "…"},
		{"a\xffb", "a\ufffdb"},
		{strings.Repeat("\xff", 1000), "\ufffd"},
	} {
		l := dlq.DeadLetter{Message: row.text}
		got, err := dlq.Read(l.Record())
		if got.Message != row.want || err != nil || !utf8.ValidString(got.Message) {
			t.Errorf("%.20q: got %q, %v; want %q", row.text, got.Message, err, row.want)
		}
	}
}

func TestADeadLetterNamesNobody(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"550 5.1.1 <zoe@example.com>: no such user": "550 5.1.1 <…@…>: no such user",
		"zoë.łu+shop@bücher.example refused":        "…@… refused",
		"a@b, c@d":                                  "…@… …@…",
		"at 09:30 @ Berlin":                         "at 09:30 @ Berlin",
		strings.Repeat("a@b ", 100):                 strings.Repeat("…@… ", 62) + "…",
	} {
		l := dlq.DeadLetter{Message: text}
		for range 2 { // what is masked stays as it is
			var err error
			if l, err = dlq.Read(l.Record()); l.Message != want || err != nil {
				t.Errorf("%q: got %q, %v; want %q", text, l.Message, err, want)
			}
		}
	}
}

// with returns a dead letter's record with some headers replaced.
func with(l dlq.DeadLetter, headers map[string]string) *kgo.Record {
	r := l.Record()
	for i, h := range r.Headers {
		if value, ok := headers[h.Key]; ok {
			r.Headers[i].Value = []byte(value)
		}
	}
	return r
}

func TestWhatNoWorkerWroteIsForeign(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("1", 1<<20)
	l := full()
	share := wire.Order(order.Order{ID: "ord_1"})
	for _, h := range l.Record().Headers {
		if strings.HasPrefix(h.Key, "__dlq.") {
			share.Headers = append(share.Headers, h)
		}
	}
	for name, r := range map[string]*kgo.Record{
		"an order":                       wire.Order(order.Order{ID: "ord_1"}),
		"nothing":                        {},
		"a dead letter of a share group": share,
		"no partition":                   with(full(), map[string]string{"__dlq.errors.partition": ""}),
		"a partition below zero":         with(full(), map[string]string{"__dlq.errors.partition": "-1"}),
		"a partition beyond Kafka's":     with(full(), map[string]string{"__dlq.errors.partition": "2147483648"}),
		"a partition of a megabyte":      with(full(), map[string]string{"__dlq.errors.partition": huge}),
		"no offset":                      with(full(), map[string]string{"__dlq.errors.offset": "first"}),
		"an offset below zero":           with(full(), map[string]string{"__dlq.errors.offset": "-1"}),
		"an offset beyond all":           with(full(), map[string]string{"__dlq.errors.offset": "9223372036854775808"}),
		"progress that is none":          with(full(), map[string]string{"dlq-progress": `{"finished":1}`}),
		"progress nested like nothing":   with(full(), map[string]string{"dlq-progress": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)}),
	} {
		if l, err := dlq.Read(r); !errors.Is(err, dlq.ErrForeign) || len(err.Error()) > 1000 {
			t.Errorf("%s: got %+v, %.1000v; want ErrForeign in short", name, l, err)
		}
	}
}

func TestSpoiltFactsLeaveADeadLetter(t *testing.T) {
	t.Parallel()
	const tooMuch = "9223372036854775808"
	got, err := dlq.Read(with(full(), map[string]string{
		"__dlq.errors.delivery.count": tooMuch, "dlq-replays": "-5", "rev": "x", "dlq-class": "grave", "dlq-first-failed": "yesterday",
		"ce_time": "2026-03-02T10:31:00.123+01:00", "dlq-progress": "", "__dlq.errors.message": "\xff",
	}))
	want := full()
	want.Attempts, want.Replays, want.Rev, want.Class, want.FirstFailed, want.Progress, want.Message = 0, 0, 0, failure.Transient, time.Time{}, order.Progress{}, "\ufffd"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got %v; dead letter (-want +got):\n%s", err, diff)
	}
	got, err = dlq.Read(with(full(), map[string]string{
		"rev": fmt.Sprint(int64(math.MaxInt64)), "dlq-first-failed": "9999-12-31T23:59:59-01:00", "ce_time": "0000-01-01T00:00:00+01:00",
	}))
	if got.Rev != math.MaxInt64 || !got.FirstFailed.IsZero() || !got.LastFailed.IsZero() || err != nil {
		t.Errorf("got rev %d, times %v and %v, %v; want the largest and none", got.Rev, got.FirstFailed, got.LastFailed, err)
	}
}

func TestDeadLetterOfANewerVersionIsNotForeign(t *testing.T) {
	t.Parallel()
	if l, err := dlq.Read(with(full(), map[string]string{"schema": "9", "__dlq.errors.offset": ""})); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("got %+v, %v; want ErrNewer", l, err)
	}
}

func FuzzRead(f *testing.F) {
	l := full()
	f.Add(l.Key, l.Value, "3", "124", "4", "550 <zoe@example.com>", "permanent", "2026-03-02T09:30:00Z", "2", wire.Progress(l.Progress))
	f.Add([]byte(nil), []byte(nil), "-1", "x", "", "\xff", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, key, value []byte, partition, offset, attempts, message, class, at, replays string, progress []byte) {
		r := with(full(), map[string]string{
			"__dlq.errors.partition": partition, "__dlq.errors.offset": offset, "__dlq.errors.delivery.count": attempts,
			"__dlq.errors.message": message, "dlq-class": class, "ce_time": at, "actor": message, "dlq-replays": replays, "dlq-progress": string(progress),
		})
		r.Key, r.Value = key, value
		l, err := dlq.Read(r)
		if err != nil {
			if !errors.Is(err, dlq.ErrForeign) {
				t.Errorf("got %v, want ErrForeign", err)
			}
			return
		}
		_, _ = l.Order()
		second := l.Record()
		l, err = dlq.Read(second)
		if err != nil {
			t.Fatalf("got %v from a dead letter that was read, want it read again", err)
		}
		if diff := cmp.Diff(second.Headers, l.Record().Headers); diff != "" {
			t.Errorf("headers of a dead letter that was read (-second +third):\n%s", diff)
		}
	})
}
