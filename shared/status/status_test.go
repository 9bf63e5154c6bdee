package status_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

func claim(offset int64) *kgo.Record {
	r := wire.Claim{Worker: "worker", At: time.Time{}}.Record()
	r.Offset = offset
	return r
}

func state(offset, owner int64, id order.ID) *kgo.Record {
	r := wire.State(order.Order{ID: id}.Begin(order.Origin{}), owner)
	r.Offset = offset
	return r
}

func ExampleFold() {
	log := []*kgo.Record{
		claim(0),             // worker A takes the partition
		state(1, 0, "ord_1"), //
		claim(2),             // A stands still, and B takes over
		state(3, 2, "ord_2"), //
		state(4, 0, "ord_3"), // A wakes up, and does not know
		state(5, 2, "ord_3"), //
	}
	var fold status.Fold
	for _, r := range log {
		head, verdict, err := fold.Apply(r)
		fmt.Println(r.Offset, verdict == status.Current, verdict == status.Stale, head.Owner, fold.Newest(), err)
	}
	// Output:
	// 0 false false 0 0 <nil>
	// 1 true false 0 0 <nil>
	// 2 false false 0 2 <nil>
	// 3 true false 2 2 <nil>
	// 4 false true 0 2 <nil>
	// 5 true false 2 2 <nil>
}

func TestWhatIsNeitherClaimNorStateIsSkipped(t *testing.T) {
	t.Parallel()
	headless := state(8, 5, "ord_1")
	headless.Headers = headless.Headers[:7] // the type is among them, the owner is not
	for name, r := range map[string]*kgo.Record{
		"nothing of no order":     {Offset: 8},
		"an order":                wire.Order(order.Order{ID: "ord_1"}),
		"a kind of a newer day":   {Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("orders.lease")}}},
		"a state without headers": headless,
	} {
		fold := status.At(5)
		if head, verdict, err := fold.Apply(r); !errors.Is(err, wire.ErrUndecodable) || verdict != status.Stale || head != (wire.Head{}) {
			t.Errorf("%s: got %+v, %v, %v; want nothing, void, ErrUndecodable", name, head, verdict, err)
		}
		if got := fold.Newest(); got != 5 {
			t.Errorf("%s: got newest claim %d, want 5 as before", name, got)
		}
	}
}

func TestATombstoneCountsWhereItStands(t *testing.T) {
	t.Parallel()
	fold := status.At(5)
	for _, r := range []*kgo.Record{{Key: []byte("ord_1"), Offset: 8}, {Key: []byte("ord_1"), Offset: 9, Headers: state(9, 2, "ord_1").Headers}} {
		if head, verdict, err := fold.Apply(r); err != nil || verdict != status.Erased || head != (wire.Head{}) || fold.Newest() != 5 {
			t.Errorf("offset %d: got %+v, %v, %v, newest claim %d; want it erased, whoever wrote it", r.Offset, head, verdict, err, fold.Newest())
		}
	}
}

func TestAFoldResumesAtAClaim(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		fold   status.Fold
		newest int64
		want   status.Verdict
	}{
		{"at the start", status.Fold{}, -1, status.Current},
		{"behind no claim", status.At(-1), -1, status.Current},
		{"behind a claim at offset 0", status.At(0), 0, status.Current},
		{"behind its own claim", status.At(7), 7, status.Current},
		{"behind a newer claim", status.At(8), 8, status.Stale},
	} {
		if got := row.fold.Newest(); got != row.newest {
			t.Errorf("%s: got newest claim %d, want %d", row.name, got, row.newest)
		}
		if _, got, err := row.fold.Apply(state(9, 7, "ord_1")); got != row.want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", row.name, got, err, row.want)
		}
	}
}

func TestAnOwnerThatCannotBeIsNoClaim(t *testing.T) {
	t.Parallel()
	fold := status.At(3)
	if _, _, err := fold.Apply(state(5, 1<<60, "ord_1")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := fold.Apply(state(6, 3, "ord_2")); got != status.Current || err != nil {
		t.Errorf("got %v, %v for the owner's own state; want it current: nobody has a claim at 2^60", got, err)
	}
}

// drawLog draws what workers write to one partition when each may lose it without knowing. The verdicts are what they
// deserve: only the owner with the newest claim counts.
func drawLog(t *rapid.T) (log []*kgo.Record, verdicts []status.Verdict) {
	claims, offset := []int64{}, int64(-1)
	for range rapid.IntRange(1, 60).Draw(t, "records") {
		offset += rapid.Int64Range(1, 3).Draw(t, "step") // markers of transactions take offsets too
		if len(claims) == 0 || rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
			claims = append(claims, offset)
			log, verdicts = append(log, claim(offset)), append(verdicts, status.Claim)
			continue
		}
		owner := rapid.SampledFrom(claims[max(0, len(claims)-3):]).Draw(t, "owner")
		id := rapid.SampledFrom([]order.ID{"ord_1", "ord_2", "ord_3", "ord_4"}).Draw(t, "order")
		log = append(log, state(offset, owner, id))
		if owner == claims[len(claims)-1] {
			verdicts = append(verdicts, status.Current)
		} else {
			verdicts = append(verdicts, status.Stale)
		}
	}
	return log, verdicts
}

func apply(t *rapid.T, fold *status.Fold, log []*kgo.Record) []status.Verdict {
	t.Helper()
	var all []status.Verdict
	for _, r := range log {
		_, verdict, err := fold.Apply(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, verdict)
	}
	return all
}

func TestOneOwnerCountsBehindEachClaim(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log, want := drawLog(t)
		if diff := cmp.Diff(want, apply(t, new(status.Fold), log)); diff != "" {
			t.Errorf("verdicts (-want +got):\n%s", diff)
		}
	})
}

func TestAResumedFoldSaysTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log, want := drawLog(t)
		at := rapid.IntRange(0, len(log)-1).Draw(t, "resumed at")
		var before status.Fold
		apply(t, &before, log[:at])
		after := status.At(before.Newest())
		if diff := cmp.Diff(want[at:], apply(t, &after, log[at:])); diff != "" {
			t.Errorf("verdicts from %d (-want +got):\n%s", at, diff)
		}
	})
}

// TestAFoldFromTheMiddleSaysTheSame starts where the claim is not seen any more. A void state counts for no longer than the
// owner of that time writes nothing either.
func TestAFoldFromTheMiddleSaysTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log, want := drawLog(t)
		at := rapid.IntRange(0, len(log)-1).Draw(t, "started at")
		log, want = log[at:], want[at:]
		fold := status.From(log[0].Offset)
		var got []status.Verdict
		for i, r := range log {
			_, verdict, err := fold.Apply(r)
			if err != nil {
				t.Fatal(err)
			}
			if fold.Restarted() {
				got = slices.Repeat([]status.Verdict{status.Stale}, i)
			}
			got = append(got, verdict)
		}
		shown := slices.IndexFunc(want, func(v status.Verdict) bool { return v != status.Stale })
		switch {
		case shown < 0:
			return // nobody could know
		case want[shown] == status.Claim:
			got, want = got[shown:], want[shown:] // what came before it either
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("verdicts from %d (-want +got):\n%s", at, diff)
		}
	})
}

// TestCompactionVoidsNothing takes away what Kafka takes away: all records but the last of each key, claims among them.
func TestCompactionVoidsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log, verdicts := drawLog(t)
		clean := rapid.IntRange(0, len(log)).Draw(t, "compacted up to")
		last := map[string]int{}
		for i, r := range log {
			last[string(r.Key)] = i
		}
		var fold status.Fold
		for i, r := range log {
			if i < clean && last[string(r.Key)] != i {
				continue
			}
			if _, got, err := fold.Apply(r); err != nil || got == status.Stale && verdicts[i] != status.Stale {
				t.Errorf("offset %d: got %v, %v; want %v as before compaction", r.Offset, got, err, verdicts[i])
			}
		}
	})
}

// TestACompactedClaimIsKnownByWhatItsOwnerWrote is why a late record of an earlier owner stays void when the claim that made it so is gone.
func TestACompactedClaimIsKnownByWhatItsOwnerWrote(t *testing.T) {
	t.Parallel()
	var fold status.Fold
	want := []status.Verdict{status.Current, status.Stale, status.Claim}
	var got []status.Verdict
	for _, r := range []*kgo.Record{state(3, 2, "ord_2"), state(4, 0, "ord_3"), claim(9)} {
		_, verdict, err := fold.Apply(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, verdict)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
