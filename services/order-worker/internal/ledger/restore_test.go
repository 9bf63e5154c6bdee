//go:build synctests

package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// openAt claims the partition for a group that continues at an offset of orders, with the marks that an owner commits there.
func (o *owner) openAt(t *testing.T, last *ledger.Ledger, next int64) *ledger.Ledger {
	t.Helper()
	start := ledger.Start{Next: next, Since: map[string]ledger.Mark{}}
	for _, topic := range []string{o.Topics.Orders, o.Topics.Replay, o.Topics.Waiting} {
		at := next
		if topic != o.Topics.Orders {
			at = o.end(t, topic)
		}
		start.Since[topic] = last.Since(topic, at)
	}
	l, err := ledger.Open(t.Context(), o.cfg, partition, start)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// observe has an owner know that records which are appended from now on arrive later.
func (o *owner) observe(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	for _, topic := range []string{o.Topics.Orders, o.Topics.Replay, o.Topics.Waiting} {
		m := l.Moment()
		l.Arrived(topic, o.end(t, topic), m)
	}
}

func (o *owner) end(t *testing.T, topic string) int64 {
	t.Helper()
	p := kafka.Partition{Topic: topic, Number: partition}
	end := kafka.HighWatermarks(t.Context(), o.Client, p)[p]
	if end.Err != nil {
		t.Fatal(end.Err)
	}
	return end.At
}

// place appends an order to the topic orders.
func (o *owner) place(t *testing.T, id order.ID) *kgo.Record {
	t.Helper()
	r := in(o.Topics.Orders, wire.Order(order.Order{ID: id, PlacedAt: time.Now()}))
	o.Produce(t, r)
	return r
}

// placed asks for a record of the topic orders.
func placed(r *kgo.Record) ledger.Question {
	return ledger.Question{ID: order.ID(r.Key), Origin: r.Offset, By: r}
}

// finish works on a record of orders from its start to its end.
func finish(t *testing.T, l *ledger.Ledger, r *kgo.Record, end order.Status) {
	t.Helper()
	if s, known := found(t, l, placed(r)); known {
		t.Fatalf("%s is known before it is begun: %+v", r.Key, s)
	}
	w := begun(l, order.ID(r.Key), r.Offset)
	for _, s := range []order.Status{order.Working, order.Waiting, end} {
		write(t, l, w, s)
	}
}

func TestRestoreReadsBackToTheOldestUnfinishedOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		finish(t, l, o.place(t, "ord_long_ago"), order.Confirmed)
		o.observe(t, l)
		time.Sleep(20 * time.Minute)
		o.observe(t, l)
		finish(t, l, o.place(t, "ord_before"), order.Dead)
		time.Sleep(10 * time.Minute)
		o.observe(t, l)
		slow := o.place(t, "ord_slow")
		w := begun(l, "ord_slow", slow.Offset)
		write(t, l, w, order.Waiting)
		time.Sleep(5 * time.Hour)
		finish(t, l, o.place(t, "ord_after"), order.Confirmed)

		o.observe(t, l)
		next := o.openAt(t, l, slow.Offset)
		got := map[order.ID]remembered{}
		for _, id := range []order.ID{"ord_long_ago", "ord_before", "ord_slow", "ord_after"} {
			if s, known := remember(t, next, id); known {
				got[id] = s
			}
		}
		want := map[order.ID]remembered{"ord_before": {1, order.Dead}, "ord_slow": {2, order.Waiting}, "ord_after": {3, order.Confirmed}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("standings (-want +got):\n%s", diff)
		}
	})
}

func TestDeletedOffsetsMakeNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		before := o.cfg.Incarnation
		var all []*kgo.Record
		for _, end := range []order.Status{order.Confirmed, order.Dead, order.Confirmed, order.Cancelled} {
			r := o.place(t, order.ID("ord_"+end)+order.ID(rune('a'+len(all))))
			finish(t, l, r, end)
			again := o.place(t, order.ID(r.Key)) // its key is repeated
			all = append(all, r, again)
			time.Sleep(time.Hour)
		}
		o.cfg.Incarnation = "OTHER1"
		if s, known := found(t, o.open(t), placed(in(o.Topics.Orders, &kgo.Record{Key: []byte("ord_new")}))); known {
			t.Errorf("got %+v for the first order of a topic that was created again", s)
		}
		o.cfg.Incarnation = before
		l = o.open(t)
		for i, r := range all {
			if s, known := found(t, l, placed(r)); !known || !s.Status.Final() || s.Origin != all[i&^1].Offset {
				t.Errorf("offset %d: known: %t, %+v; want it finished, as it was placed at %d", r.Offset, known, s, all[i&^1].Offset)
			}
		}
		if s, known := found(t, l, placed(o.place(t, "ord_new"))); known {
			t.Errorf("got %+v for an order that is not begun", s)
		}
	})
}

func TestStaleStateIsRepairedWhenThePartitionIsAssigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		late, w := o.working(t)
		o.open(t) // and stops before it has read what the late one writes
		write(t, late, w, order.Confirmed)
		write(t, late, begun(late, "ord_2", 8), order.Dead)

		if s, known := remember(t, o.open(t), "ord_2"); known {
			t.Errorf("got %+v of an order that only the late owner has begun", s)
		}
		write(t, o.open(t), begun(late, "ord_3", 9), order.Working) // compaction leaves the last one alone
		o.Cluster.Compact()
		l := o.open(t)
		s, err := state(t.Context(), l, "ord_1")
		if err != nil || s.Status != order.Working {
			t.Errorf("got %q, %v; want it working: the late owner's state is stale", s.Status, err)
		}
	})
}

func TestStateBeforeAStaleOneSurvivesCompaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		late, w := o.working(t)
		l := o.open(t)
		write(t, late, w, order.Confirmed)
		write(t, l, begun(l, "ord_2", 8), order.Working) // compaction leaves the last one alone
		o.Cluster.Compact()
		if err := l.Amend(t.Context(), o.last(t, "ord_1")); err != nil {
			t.Fatal(err)
		}
		for name, l := range map[string]*ledger.Ledger{"this owner": l, "the next": o.open(t)} {
			s, err := state(t.Context(), l, "ord_1")
			if standing, _ := remember(t, l, "ord_1"); err != nil || s.Status != order.Working || s.Origin != w.Origin || standing.Status != order.Working {
				t.Errorf("%s: got %q at %s, standing %q, %v; want it working at %s", name, s.Status, s.Origin, standing.Status, err, w.Origin)
			}
		}
	})
}

func TestRecallFindsTheNewestState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		finish(t, l, o.place(t, "ord_dead"), order.Dead) // states at 1, 2, 3
		finish(t, l, o.place(t, "ord_sent"), order.Dead) // 4, 5, 6
		finish(t, l, o.place(t, "ord_gone"), order.Dead) // 7, 8, 9
		w := begun(l, "ord_sent", 1)
		w.Rev = 3
		time.Sleep(time.Hour)
		o.observe(t, l)
		time.Sleep(time.Hour)
		write(t, l, w, order.Confirmed) // 10: its replay, which the view has not applied yet
		asked := in(o.Topics.Replay, &kgo.Record{Value: []byte("{}")})
		o.Produce(t, asked)
		o.observe(t, l)
		time.Sleep(time.Hour)
		o.observe(t, l)
		for _, row := range []struct {
			name  string
			id    order.ID
			at    int64
			asked *kgo.Record
			want  remembered
		}{
			{"where the desk saw it", "ord_dead", 3, asked, remembered{Status: order.Dead}},
			{"where it was before the last replay", "ord_sent", 6, asked, remembered{Origin: 1, Status: order.Confirmed}},
			{"at an unknown place", "ord_sent", 0, asked, remembered{Origin: 1, Status: order.Confirmed}},
			{"where another order is", "ord_dead", 6, asked, remembered{Status: order.Dead}},
			{"where nothing is", "ord_dead", 1 << 40, asked, remembered{Status: order.Dead}},
			{"where a claim is", "ord_dead", 11, asked, remembered{Status: order.Dead}},
			{"at an unknown time", "ord_sent", 6, nil, remembered{Origin: 1, Status: order.Confirmed}},
			{"of an order that was never begun", "ord_none", 0, asked, remembered{}},
		} {
			l := o.openAt(t, l, 3)
			if s, known := remember(t, l, row.id); known {
				t.Fatalf("%s: got %+v before it is recalled", row.name, s)
			}
			got, known := found(t, l, ledger.Question{ID: row.id, Origin: ledger.Anywhere, Seen: row.at, By: row.asked})
			if diff := cmp.Diff(row.want, got); diff != "" || known != (row.want.Status != "") {
				t.Errorf("%s: known: %t (-want +got):\n%s", row.name, known, diff)
			}
			if s, err := state(t.Context(), l, row.id); known && (err != nil || s.Status != row.want.Status) {
				t.Errorf("%s: got state %q, %v; want %q", row.name, s.Status, err, row.want.Status)
			}
		}
	})
}

func TestNowIsTheBrokersTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).open(t) // kfake takes our time for its own
		time.Sleep(36 * time.Hour)
		if behind := time.Since(l.Now()); behind < 0 || behind > time.Second {
			t.Errorf("got a time %s behind the broker's, want at most what the claim took", behind)
		}
	})
}

func TestUnknownOrderIsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if s, known := found(t, setup(t).open(t), ledger.Question{ID: "ord_1", Origin: ledger.Anywhere}); known {
			t.Errorf("got %+v, want it not begun", s)
		}
	})
}
