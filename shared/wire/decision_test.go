package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// decision is one about a dead letter.
func decision(kind wire.DecisionKind) wire.Decision {
	d := wire.Decision{
		ID: "act_0123456789abcdefghijklmnop", At: at, Cause: asked, Kind: kind, DeadLetter: "3-124", Text: "Zoë called: <wrong house>",
	}
	if kind == wire.Edit {
		d.Version, d.Value = 1, []byte(plain)
	}
	return d
}

func TestDecisionsSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	kinds := []wire.DecisionKind{wire.Discard, wire.Restore, wire.Note, wire.Edit, wire.Assign}
	rapid.Check(t, func(t *rapid.T) {
		want := decision(rapid.SampledFrom(kinds).Draw(t, "kind"))
		want.At, want.Cause = instant(t, "at"), drawCause(t)
		want.DeadLetter = rapid.SampledFrom([]string{"0-0", "3-124", "a:1-2", strings.Repeat("T", 249) + ":2147483647-9223372036854775807"}).Draw(t, "dead letter")
		if want.Kind != wire.Note || rapid.Bool().Draw(t, "of a dead letter") {
			want.Text = strings.TrimRight(text(t, "reason"), "\U0010fffd")
		} else {
			want.DeadLetter, want.Group, want.Text = "", "cause_ab12", "a\nb "+text(t, "note")
		}
		if want.Kind == wire.Assign {
			want.DeadLetter, want.Group = "", "cause_ab12"
		}
		if want.Kind == wire.Note && want.Text == "" {
			want.Text = "x"
		}
		if want.Kind == wire.Edit {
			want.Version, want.Value = 1+count(t, "version", 1e6), rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(t, "value")
		}
		got, err := wire.ReadDecision(want.Record())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, decision (-want +got):\n%s", err, diff)
		}
	})
}

func TestTheLargestDecisionFitsItsTopic(t *testing.T) {
	t.Parallel()
	d := decision(wire.Edit)
	d.Text, d.Value = strings.Repeat("名", wire.MaxReason), bytes.Repeat([]byte{0xff}, wire.MaxEdit)
	d.DeadLetter = strings.Repeat("T", 249) + ":1-2"
	r := d.Record()
	if got, most := len(r.Value)+1_000, topic.MaxBytes("orders.desk"); got > most {
		t.Errorf("got %d bytes, want at most %d", got, most)
	}
	if _, err := wire.ReadDecision(r); err != nil {
		t.Errorf("got %v, want the decision", err)
	}
	d.Value = append(d.Value, 1)
	if _, err := wire.ReadDecision(d.Record()); !errors.Is(err, wire.ErrUndecodable) {
		t.Errorf("one byte more: got %v, want ErrUndecodable", err)
	}
}

// TestEveryDecisionKeepsItsRecord is about compaction, which keeps the last record of a key.
func TestEveryDecisionKeepsItsRecord(t *testing.T) {
	t.Parallel()
	first, second := decision(wire.Discard), decision(wire.Restore)
	second.ID += "2"
	if a, b := string(first.Record().Key), string(second.Record().Key); a == b {
		t.Errorf("got key %s for two decisions", a)
	}
}

func TestWhatIsNoDecisionIsUndecodable(t *testing.T) {
	t.Parallel()
	const edit = `{"schema":1,"id":"a1","at":"2026-03-02T09:30:00Z","kind":"edit","dead_letter":"3-124","text":"r","version":2,"value":"eyJ9"}`
	const note = `{"schema":1,"id":"a1","at":"2026-03-02T09:30:00Z","kind":"note","group":"cause_1","text":"a\nb"}`
	read := func(value string) error {
		r := decision(wire.Edit).Record()
		r.Key, r.Value = []byte("decision/a1"), []byte(value)
		_, err := wire.ReadDecision(r)
		return err
	}
	for _, row := range []struct{ value, old, wrong string }{
		{edit, edit, ""},
		{edit, edit, "null"},
		{edit, edit, "[]"},
		{edit, edit, edit + edit},
		{edit, `"schema":1,`, ""},
		{edit, `"id":"a1"`, `"id":"a2"`},
		{edit, `"id":"a1"`, `"id":"a/1"`},
		{edit, `"id":"a1",`, ""},
		{edit, `"2026-03-02T09:30:00Z"`, `"yesterday"`},
		{edit, `"edit"`, `"Edit"`},
		{edit, `"edit"`, `""`},
		{edit, `"edit"`, `"discard"`}, // it has no version and no value
		{edit, `"3-124"`, `""`},
		{edit, `"3-124"`, `"3"`},
		{edit, `"3-124"`, `"-3-124"`},
		{edit, `"3-124"`, `"3-124 "`},
		{edit, `"3-124"`, `"3-124\n"`},
		{edit, `"3-124"`, `"٣-124"`},
		{edit, `"3-124"`, `"3-` + strings.Repeat("1", 1<<20) + `"`},
		{edit, `"3-124"`, `":3-124"`},
		{edit, `"3-124"`, `"a/b:3-124"`},
		{edit, `"3-124"`, `"a:b:3-124"`},
		{edit, `"3-124"`, `"` + strings.Repeat("T", 250) + `:3-124"`},
		{edit, `"3-124"`, `"3-124","group":"cause_1"`},
		{edit, `"r"`, `"a\nb"`},
		{edit, `"r"`, `"\u202e"`},
		{edit, `"r"`, `"` + strings.Repeat("ë", wire.MaxReason+1) + `"`},
		{edit, `"r"`, `7`},
		{edit, `"version":2`, `"version":0`},
		{edit, `"version":2`, `"version":-1`},
		{edit, `"version":2`, `"version":1e99`},
		{edit, `"eyJ9"`, `""`},
		{edit, `"eyJ9"`, `"%"`},
		{edit, `"eyJ9"`, `{}`},
		{edit, `,"value":"eyJ9"`, ``},
		{note, `"note"`, `"discard"`}, // of a group there are notes and assignments alone
		{edit, `"kind":"edit","dead_letter":"3-124","text":"r","version":2,"value":"eyJ9"`, `"kind":"assign","dead_letter":"3-124"`},
		{note, `"note","group":"cause_1","text":"a\nb"`, `"assign","group":"cause_1","text":"a\nb"`},
		{note, `"cause_1"`, `"a/b"`},
		{note, `"cause_1"`, `""`},
		{note, `"a\nb"`, `""`},
		{note, `"a\nb"`, `"a\rb"`},
		{note, `"a\nb"`, `"a\u0000"`},
		{note, `"a\nb"`, `"` + strings.Repeat("ë", wire.MaxNote+1) + `"`},
		{note, `"a\nb"`, `"a","version":1`},
		{note, `"a\nb"`, `"a","value":"eyJ9"`},
	} {
		if err := read(row.value); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(row.value, row.old) {
			t.Fatalf("the decision has no %s", row.old)
		}
		err := read(strings.Replace(row.value, row.old, row.wrong, 1))
		if !errors.Is(err, wire.ErrUndecodable) || len(fmt.Sprint(err)) > 400 {
			t.Errorf("%.60s: got %.400v, want a short ErrUndecodable", row.wrong, err)
		}
	}
	if err := read(`{"schema":9,"id":7}`); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
	for _, r := range []*kgo.Record{{}, {Key: []byte("decision/a1"), Value: []byte(edit)}, wire.Claim{}.Record()} {
		if _, err := wire.ReadDecision(r); !errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("another record: got %v, want ErrUndecodable", err)
		}
	}
}
