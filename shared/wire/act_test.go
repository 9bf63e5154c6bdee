package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/wire"
)

// act is a cancellation by an operator.
func act(outcome wire.Outcome) wire.Act {
	a := wire.Act{
		ID: "act_0123456789abcdefghijklmnop", At: at, Cause: asked, Kind: "cancel", Target: "order/ord_1", Reason: "Zoë called: <wrong address>",
		Outcome: outcome, Address: "192.0.2.0/24", Count: 1,
	}
	if outcome == wire.Refused {
		a.Problem = "order-begun"
	}
	return a
}

func TestActsSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := act(rapid.SampledFrom(wire.Outcomes()).Draw(t, "outcome"))
		want.At, want.Cause, want.Reason = instant(t, "at"), drawCause(t), strings.TrimRight(text(t, "reason"), "\U0010fffd")
		want.Target = rapid.StringMatching("[ -~]{0,200}").Draw(t, "target")
		want.Address = rapid.SampledFrom([]string{"", "192.0.2.0/24", "2001:db8:1::/48", "::/0"}).Draw(t, "address")
		want.Count = 1 + count(t, "count", 1e6)
		got, err := wire.ReadAct(want.Record())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, act (-want +got):\n%s", err, diff)
		}
	})
}

// TestNoRecordOfAnActReplacesAnother is about compaction, which keeps the last record of a key.
func TestNoRecordOfAnActReplacesAnother(t *testing.T) {
	t.Parallel()
	other := act(wire.Unknown)
	other.ID += "-outcome"
	keys := map[string]bool{}
	for _, a := range []wire.Act{act(wire.Unknown), act(wire.Done), other} {
		keys[string(a.Record().Key)] = true
	}
	if len(keys) != 3 {
		t.Errorf("got keys %v, want one for each record", keys)
	}
}

func TestWhatIsNoActIsUndecodable(t *testing.T) {
	t.Parallel()
	const value = `{"schema":1,"id":"a1","at":"2026-03-02T09:30:00Z","act":"cancel","target":"order/ord_1","reason":"r","outcome":"done","address":"192.0.2.0/24","count":1}`
	read := func(value string) error {
		r := act(wire.Done).Record()
		r.Key, r.Value = []byte("act/a1/outcome"), []byte(value)
		_, err := wire.ReadAct(r)
		return err
	}
	if err := read(value); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ old, wrong string }{
		{value, ""},
		{value, "null"},
		{value, "[]"},
		{value, `"act"`},
		{value, value + value},
		{`"schema":1,`, ""},
		{`"id":"a1"`, `"id":"a2"`},
		{`"id":"a1"`, `"id":"a/1"`},
		{`"id":"a1",`, ``},
		{`"2026-03-02T09:30:00Z"`, `"yesterday"`},
		{`"2026-03-02T09:30:00Z"`, `"10000-01-01T00:00:00Z"`},
		{`"at":"2026-03-02T09:30:00Z",`, ``},
		{`"cancel"`, `""`},
		{`"cancel"`, `"Cancel"`},
		{`"cancel"`, `"` + strings.Repeat("c", 41) + `"`},
		{`"order/ord_1"`, `"order/ör"`},
		{`"order/ord_1"`, `"a\nb"`},
		{`"order/ord_1"`, `"` + strings.Repeat("o", 1<<20) + `"`},
		{`"r"`, `"a\nb"`},
		{`"r"`, `"a\u0000"`},
		{`"r"`, `"\u202e"`},
		{`"r"`, `"` + strings.Repeat("ë", 201) + `"`},
		{`"r"`, `7`},
		{`"done"`, `"perhaps"`},
		{`"done"`, `""`},
		{`"done"`, `"unknown"`}, // its key has no outcome
		{`"outcome":"done"`, `"outcome":"done","problem":"forbidden"`},
		{`"outcome":"done"`, `"outcome":"refused","problem":"two words"`},
		{`"192.0.2.0/24"`, `"192.0.2.7"`},
		{`"192.0.2.0/24"`, `"192.0.2.7/24"`},
		{`"192.0.2.0/24"`, `"localhost"`},
		{`"count":1`, `"count":0`},
		{`"count":1`, `"count":-1`},
		{`"count":1`, `"count":1e99`},
	} {
		if !strings.Contains(value, row.old) {
			t.Fatalf("the act has no %s", row.old)
		}
		err := read(strings.Replace(value, row.old, row.wrong, 1))
		if !errors.Is(err, wire.ErrUndecodable) || len(fmt.Sprint(err)) > 400 {
			t.Errorf("%.60s: got %.400v, want a short ErrUndecodable", row.wrong, err)
		}
	}
	if err := read(`{"schema":9,"id":7}`); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
	for _, r := range []*kgo.Record{{}, {Key: []byte("act/a1"), Value: []byte(value)}, wire.Claim{}.Record()} {
		if _, err := wire.ReadAct(r); !errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("another record: got %v, want ErrUndecodable", err)
		}
	}
}
