package trail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

var ann = identity.Principal{ID: "ann", Role: identity.Operator}

// bench is a trail on a broker of its own.
type bench struct {
	*kafkatest.Kafka
	*trail.Trail
}

func setup(t *testing.T) bench {
	t.Helper()
	k := kafkatest.Start(t)
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	must(t, err)
	cl, err := k.Config().ConnectProducer(t.Context())
	must(t, err)
	t.Cleanup(cl.Close)
	return bench{k, trail.New(cl, k.Topics, layout, slog.New(slog.NewTextHandler(t.Output(), nil)))}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// acts are the records of the topic, without IDs and times.
func (b bench) acts(t *testing.T) (all []wire.Act) {
	t.Helper()
	keys := map[string]bool{}
	for _, r := range b.Records(t, b.Topics.Desk) {
		a, err := wire.ReadAct(r)
		must(t, err)
		if keys[string(r.Key)] {
			t.Errorf("got key %s twice: compaction would remove a record", r.Key)
		}
		keys[string(r.Key)] = true
		a.ID, a.At = "", time.Time{}
		all = append(all, a)
	}
	return all
}

func by(p identity.Principal) order.Cause { return order.Cause{Actor: p.Actor()} }

func TestActIsWrittenBeforeItsEffectAndItsOutcomeAfterIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(identity.With(t.Context(), ann))
	cancel() // a client that disconnects changes nothing
	for _, outcome := range wire.Outcomes() {
		before := len(b.acts(t))
		end, err := b.Begin(ctx, trail.Act{Kind: trail.Replay, Target: "dead-letter/2-0", Reason: "Depot is back", Address: "192.0.2.77"})
		must(t, err)
		want := wire.Act{
			Cause: by(ann), Kind: "replay", Target: "dead-letter/2-0", Reason: "Depot is back", Outcome: wire.Unknown, Address: "192.0.2.0/24", Count: 1,
		}
		all := b.acts(t)
		if len(all) != before+1 {
			t.Fatalf("got %d records before the effect, want one more than %d", len(all), before)
		}
		problem := ""
		if outcome == wire.Refused {
			problem = "dead-letter-closed"
		}
		end(outcome, problem)
		var got []wire.Act
		for _, a := range b.acts(t) {
			if a.Outcome == outcome {
				got = append(got, a)
			}
		}
		want.Outcome, want.Problem = outcome, problem
		if diff := cmp.Diff(want, got[0]); diff != "" || outcome == wire.Unknown && len(got) != 1 {
			t.Errorf("%s: %d records (-want +got):\n%s", outcome, len(got), diff)
		}
	}
}

// TestBothRecordsOfAnActAreInOnePartition is what a reader of one partition relies on.
func TestBothRecordsOfAnActAreInOnePartition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		end, err := b.Begin(t.Context(), trail.Act{Kind: trail.Cancel})
		must(t, err)
		end(wire.Done, "")
	}
	at, used := map[string]int32{}, map[int32]bool{}
	for _, r := range b.Records(t, b.Topics.Desk) {
		a, err := wire.ReadAct(r)
		must(t, err)
		if first, known := at[a.ID]; known && first != r.Partition {
			t.Errorf("act %s is in partitions %d and %d", a.ID, first, r.Partition)
		}
		at[a.ID], used[r.Partition] = r.Partition, true
	}
	if len(at) != 20 || len(used) < 2 {
		t.Errorf("got %d acts in %d partitions, want 20 in several", len(at), len(used))
	}
}

func TestTextsOfAnActAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, row := range []struct{ target, reason, wantTarget, wantReason string }{
		{"order/ord_1", "Zoë called <b>", "order/ord_1", "Zoë called <b>"},
		{"order/ö\x00\n", "two\nlines\x1b[2J", "order/???", "two?lines?[2J"},
		{"\xff", "\u202eexe\xff", "?", "?exe\ufffd"},
		{strings.Repeat("o", 1<<20), strings.Repeat("ë", 1<<20), strings.Repeat("o", 200), strings.Repeat("ë", 200)},
	} {
		before := len(b.acts(t))
		must(t, b.Record(t.Context(), trail.Act{Kind: trail.KeyChange, Target: row.target, Reason: row.reason, Actor: order.Actor{Kind: order.ActorService, ID: "order-api"}}, wire.Done, ""))
		found := false
		for _, a := range b.acts(t) {
			found = found || a.Target == row.wantTarget && a.Reason == row.wantReason && a.Cause.Actor.String() == "service:order-api"
		}
		if after := len(b.acts(t)); !found || after != before+1 {
			t.Errorf("%.20q, %.20q: got %d records, %.60q", row.target, row.reason, after-before, fmt.Sprint(b.acts(t)))
		}
	}
	if _, err := b.Begin(t.Context(), trail.Act{Kind: "Two Words"}); !errors.Is(err, trail.ErrUnwritten) {
		t.Errorf("a kind of another form: got %v, want ErrUnwritten", err)
	}
}

func TestAddressesAreTruncated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "192.0.2.77:4711": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "127.0.0.1": "127.0.0.0/24",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1::/48", "[2001:db8:1:2::6]:80": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48",
		"": "", "localhost": "", "192.0.2": "", "192.0.2.77/32": "", "@": "",
	} {
		must(t, b.Record(t.Context(), trail.Act{Kind: trail.SignIn, Target: address, Address: address}, wire.Done, ""))
		found := false
		for _, a := range b.acts(t) {
			found = found || a.Target == address && a.Address == want
		}
		if !found {
			t.Errorf("%q: got no act with network %q", address, want)
		}
	}
}

func TestActThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	back := b.Leaderless(b.Topics.Desk, 0, 1, 2)
	_, err := b.Begin(t.Context(), trail.Act{Kind: trail.Refund})
	if !errors.Is(err, trail.ErrUnwritten) {
		t.Errorf("got %v, want ErrUnwritten", err)
	}
	back()
}

// TestNothingIsLostByCompaction compares the records with those that compaction would keep.
func TestNothingIsLostByCompaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 50 {
		end, err := b.Begin(t.Context(), trail.Act{Kind: trail.Refund, Target: "order/ord_1"})
		must(t, err)
		end(wire.Done, "")
		must(t, b.Record(t.Context(), trail.Act{Kind: trail.SignIn}, wire.Done, ""))
	}
	kept := map[string]*kgo.Record{}
	for _, r := range b.Records(t, b.Topics.Desk) {
		kept[string(r.Key)] = r
	}
	if len(kept) != 150 {
		t.Errorf("got %d records with different keys, want 150", len(kept))
	}
}
