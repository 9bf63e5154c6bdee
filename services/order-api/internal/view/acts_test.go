package view_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// act is the record of an act that began in a minute, which is its ID, too.
func act(n int, outcome wire.Outcome) *kgo.Record {
	return wire.Act{
		ID: fmt.Sprintf("act_%d", n), At: time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC), Kind: "replay", Target: "dead-letter/1-0", Outcome: outcome, Count: 1,
		Cause: order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann"}},
	}.Record()
}

// TestEveryViewShowsTheActsOfAll has the acts that two instances of the API wrote, among records
// that are no acts.
func TestEveryViewShowsTheActsOfAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tombstone, claim, changed := &kgo.Record{Key: []byte("act/act_1")}, wire.Claim{Worker: "w", At: time.Now()}.Record(), act(1, wire.Refused)
	b.put(t, b.Topics.Desk, act(1, wire.Unknown), act(2, wire.Unknown), act(1, wire.Done), act(3, wire.Done), tombstone, claim, changed)
	for _, name := range []string{"one.db", "another.db"} {
		b.path = filepath.Join(t.TempDir(), name)
		v, _ := b.start(t)
		var got []string
		for f := (view.ActFilter{Limit: 1}); ; {
			page, next, err := v.Acts(t.Context(), f)
			must(t, err)
			for _, a := range page {
				got = append(got, fmt.Sprint(a.ID, " ", a.Outcome))
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff([]string{"act_3 done", "act_2 unknown", "act_1 done"}, got); diff != "" {
			t.Errorf("acts (-want +got):\n%s", diff)
		}
		if _, _, err := v.Acts(t.Context(), view.ActFilter{Limit: 1, Cursor: "x"}); !errors.Is(err, view.ErrCursor) {
			t.Errorf("foreign cursor: got %v, want ErrCursor", err)
		}
	}
}
