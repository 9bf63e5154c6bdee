//go:build synctests

package ledger_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// erase appends the tombstone of an order, as an operator does.
func (o *owner) erase(t *testing.T, id order.ID) *kgo.Record {
	t.Helper()
	r := in(o.Topics.Status, &kgo.Record{Key: []byte(id)})
	o.Produce(t, r)
	return r
}

// last is the record of an order that compaction will keep.
func (o *owner) last(t *testing.T, id order.ID) (last *kgo.Record) {
	t.Helper()
	for _, r := range o.Records(t, o.Topics.Status) {
		if string(r.Key) == string(id) {
			last = r
		}
	}
	return last
}

func TestErasedOrderStaysErased(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		after func(t *testing.T, o *owner, late *ledger.Ledger, w *order.State)
	}{
		{"tombstone", func(t *testing.T, o *owner, _ *ledger.Ledger, _ *order.State) { o.erase(t, "ord_1") }},
		{"stale state, tombstone", func(t *testing.T, o *owner, late *ledger.Ledger, w *order.State) {
			write(t, late, w, order.Confirmed)
			o.erase(t, "ord_1")
		}},
		{"tombstone, stale state", func(t *testing.T, o *owner, late *ledger.Ledger, w *order.State) {
			o.erase(t, "ord_1")
			write(t, late, w, order.Confirmed)
		}},
		{"tombstone, stale state, compaction", func(t *testing.T, o *owner, late *ledger.Ledger, w *order.State) {
			o.erase(t, "ord_1")
			write(t, late, w, order.Confirmed)
			write(t, o.open(t), begun(late, "ord_2", 8), order.Working) // compaction leaves the last one alone
			o.Cluster.Compact()
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := setup(t)
				late := o.open(t)
				o.place(t, "ord_1")
				w := begun(late, "ord_1", 0)
				write(t, late, w, order.Working)
				write(t, o.open(t), w, order.Dead)
				row.after(t, o, late, w)
				for range 2 {
					l := o.open(t)
					if s, known := remember(t, l, "ord_1"); known && s.Status != erased {
						t.Errorf("got %+v, want the order erased", s)
					}
					if s, known := found(t, l, ledger.Question{ID: "ord_1", Origin: ledger.Anywhere}); known && s.Status != erased {
						t.Errorf("got %+v when it is asked for, want the order erased", s)
					}
				}
				if last := o.last(t, "ord_1"); last != nil && last.Value != nil {
					t.Errorf("the last record is %q at offset %d, want the tombstone", wire.Header(last, "state"), last.Offset)
				}
			})
		})
	}
}

// An operator erases an order while its owner works on it: the tombstone is handled in the order's lane, after the attempt.
func TestStateOfAnAttemptBehindATombstoneIsErased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		r := o.place(t, "ord_1")
		w := begun(l, "ord_1", r.Offset)
		write(t, l, w, order.Working)
		time.Sleep(time.Second)
		tombstone := o.erase(t, "ord_1")
		write(t, l, w, order.Confirmed)
		for range 2 { // its own tombstone is read, too
			if err := l.Amend(t.Context(), tombstone); err != nil {
				t.Fatal(err)
			}
			tombstone = o.last(t, "ord_1")
		}
		if tombstone.Value != nil || len(o.Records(t, o.Topics.Status)) != 5 {
			t.Errorf("got %d records, the last %q; want one more tombstone", len(o.Records(t, o.Topics.Status)), tombstone.Value)
		}
		time.Sleep(time.Second)
		again := o.place(t, "ord_1") // the key is repeated: that is another order
		for _, row := range []struct {
			r    *kgo.Record
			want bool
		}{{r, true}, {again, false}} {
			if s, known := found(t, l, placed(row.r)); known != row.want || known && s.Status != erased {
				t.Errorf("offset %d: known: %t, %+v; want it erased: %t", row.r.Offset, known, s, row.want)
			}
		}
		write(t, l, begun(l, "ord_1", again.Offset), order.Working)
		if err := l.Amend(t.Context(), tombstone); err != nil {
			t.Fatal(err)
		}
		if s, _ := remember(t, l, "ord_1"); s.Origin != again.Offset || s.Status != order.Working {
			t.Errorf("got %+v, want the later order as it is", s)
		}
	})
}

// A state that this version cannot read is repaired byte for byte, when the partition is assigned and later.
func TestStaleStateIsRepairedIfANewerVersionWroteTheCurrentOne(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"schema":9,"more":true}`, "\x00no JSON"} {
		synctest.Test(t, func(t *testing.T) {
			o := setup(t)
			late := o.open(t)
			w := begun(late, "ord_1", 7)
			l := o.open(t)
			write(t, late, begun(late, "ord_2", 8), order.Working)
			newer := in(o.Topics.Status, wire.State(order.State{Work: order.Work{Order: w.Order, Origin: w.Origin}, Rev: 3, Status: order.Confirmed, Timeline: []order.Change{{Rev: 3}}}, l.Claim()))
			newer.Value = []byte(value)
			o.Produce(t, newer)
			write(t, late, w, order.Working)
			stands := func(when string) {
				t.Helper()
				if last := o.last(t, "ord_1"); !bytes.Equal(last.Value, newer.Value) || wire.Header(last, "state") != string(order.Confirmed) {
					t.Errorf("%s: the last record is %q with %q, want %q", when, wire.Header(last, "state"), last.Value, newer.Value)
				}
			}
			l = o.open(t)
			stands("assigned")
			write(t, late, w, order.Mailing)
			if err := l.Amend(t.Context(), o.last(t, "ord_1")); err != nil {
				t.Errorf("later: got %v, want it repaired", err)
			}
			stands("later")
		})
	}
}

// Compaction keeps the last record of a key, so only a stale one that is the last hides the current state.
func TestStaleStateBeforeTheCurrentOneIsNotRepaired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		late, w := o.working(t)
		l := o.open(t)
		former := *w
		write(t, late, &former, order.Mailing)
		stale := o.last(t, "ord_1")
		write(t, l, w, order.Mailing)
		before := len(o.Records(t, o.Topics.Status))
		if got := l.Judge(stale); got != status.Stale {
			t.Errorf("got verdict %d, want %d", got, status.Stale)
		}
		if err := l.Amend(t.Context(), stale); err != nil {
			t.Fatal(err)
		}
		if got := len(o.Records(t, o.Topics.Status)); got != before {
			t.Errorf("got %d records, want %d", got, before)
		}
		if got := l.Judge(stale); got != status.Current {
			t.Errorf("judged again: got verdict %d, want %d: it has nothing to do", got, status.Current)
		}
	})
}
