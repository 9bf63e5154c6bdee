package view_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// customers are made-up customers of six scripts, with their cities and what they paid.
func customers() [][3]string {
	return [][3]string{
		{"Zoë Łukasiewicz", "Kraków", "1 234,56 zł"},
		{"Иван Петров", "Санкт-Петербург", "5 000,00 руб."},
		{"Αλέξανδρος Παπαδόπουλος", "Αθήνα", "12,50 €"},
		{"فاطمة الزهراء", "القاهرة", "١٬٢٣٤٫٥٠ جنيه"},
		{"山田 太郎", "東京都", "¥1,234"},
		{"김철수", "서울특별시", "₩12,000"},
		{"प्रिया शर्मा", "मुंबई", "₹१,२३४.५०"},
	}
}

// failing are the dead letters of orders of all customers, each with each message. The customer's
// values are written where a message has {name}, {city}, {amount} and {id}.
func failing(topic string, messages ...string) (all []*kgo.Record) {
	for _, message := range messages {
		for _, c := range customers() {
			n := len(all)
			o := placed(n)
			o.Customer.Name, o.ShipTo.City = c[0], c[1]
			l := deadLetter(int64(n), o, failure.RecipientRefused, 1)
			r := wire.Order(o)
			l.Key, l.Value, l.Headers, l.Topic, l.Step = r.Key, r.Value, r.Headers, topic, order.StepEmail
			l.Cause.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
			l.Message = strings.NewReplacer("{name}", strings.ToUpper(c[0]), "{city}", c[1], "{amount}", c[2], "{id}", string(o.ID), "{email}", o.Customer.Email).Replace(message)
			l.FirstFailed = time.Now().Add(-time.Duration(n) * time.Minute)
			l.LastFailed = l.FirstFailed
			all = append(all, l.Record())
		}
	}
	return all
}

func TestDeadLettersAreGroupedByCauseInAnyScript(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b bench) {
		messages := []string{
			"order {id}: step email: 550 5.1.1 <{email}>: {name} of {city} is unknown", "order {id}: step email: 550 5.2.2 <{email}>: {name} of {city} is unknown",
			"order {id}: step email: 552 5.2.2 <{email}>: {name} of {city} is unknown", "order {id}: step email: {name} ({city}) paid {amount}, which is too little",
			"order {id}: step email: {name} ({city}) paid {amount}, which is too much", "ошибка 17: {name}, {city}, {amount}", "ошибка 18: {name}, {city}, {amount}",
		}
		all := failing(b.Topics.Orders, messages...)
		b.put(t, b.Topics.DLQ, all...)
		v, _ := b.start(t)
		groups, err := v.Groups(t.Context(), view.DeadLetterFilter{})
		must(t, err)
		got := map[string]string{}
		for _, g := range groups {
			hours := 0
			for _, n := range g.Hours {
				hours += n
			}
			got[g.Text] = fmt.Sprint(g.Total(), g.Counts[view.Open], hours, " ", g.Step, " ", g.Reason)
		}
		want, every := map[string]string{}, "7 7 7 email recipient-refused"
		for _, text := range []string{
			"order …: step email: 550 5.1.1 <…>: … of … is unknown", "order …: step email: 550 5.2.2 <…>: … of … is unknown",
			"order …: step email: 552 5.2.2 <…>: … of … is unknown", "order …: step email: … paid …, which is too little",
			"order …: step email: … paid …, which is too much", "ошибка 17: …", "ошибка 18: …",
		} {
			want[text] = every
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		for _, q := range []struct {
			text string
			want int
		}{
			{"Zoë", 7}, {"zoe0@example.com", 1}, {"петр ИВА", 7}, {"山田", 7}, {"प्रिया", 7}, {"1-3", 1}, {"ord_003", 1}, {"4bf92f3577b34da6a3ce929d0e0e4736", len(all)}, {"little", 7}, {"nothing", 0}, {"!", 0},
		} {
			ids, err := v.Select(t.Context(), view.DeadLetterFilter{Text: q.text, Topic: b.Topics.DLQ, Limit: 100})
			must(t, err)
			if len(ids) != q.want {
				t.Errorf("search for %q: got %v, want %d", q.text, ids, q.want)
			}
		}
	})
}

// TestDecisionsAreFoldedWithUnknownRecordsAmongThem has records of a newer program in the topic of
// the desk, and damaged ones.
func TestDecisionsAreFoldedWithUnknownRecordsAmongThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.DLQ, failing(b.Topics.Orders, "a")[0])
	decision := func(id string, kind wire.DecisionKind, version int) *kgo.Record {
		d := wire.Decision{ID: id, At: time.Now(), Kind: kind, DeadLetter: "1-0", Text: "because", Version: version}
		if kind == wire.Edit {
			d.Value = []byte(id)
		}
		return d.Record()
	}
	newer := wire.Envelope{Type: "orders.something", ID: "x", Time: time.Now()}.Record([]byte("something/x"), []byte(`{"schema":1}`), nil)
	damaged := decision("d0", wire.Discard, 0)
	damaged.Value = []byte(`{"schema":1,"id":"d0"}`)
	b.put(t, b.Topics.Desk, newer, damaged, &kgo.Record{Key: []byte("decision/d1")}, decision("e1", wire.Edit, 1), decision("d1", wire.Discard, 0))
	v, _ := b.start(t)
	l, err := v.DeadLetter(t.Context(), "1-0")
	must(t, err)
	if l.State != view.Discarded || l.Discard.ID != "d1" || string(l.Edit.Value) != "e1" {
		t.Errorf("got %s, %+v, %+v, want it discarded and edited", l.State, l.Discard, l.Edit)
	}
	// A later decision is seen when its record is applied.
	late := decision("d2", wire.Restore, 0)
	b.put(t, b.Topics.Desk, decision("e2", wire.Edit, 1), late)
	must(t, v.Desk(t.Context(), 1, late.Offset+1))
	all, err := v.Decisions(t.Context(), "1-0")
	must(t, err)
	var got []string
	for _, d := range all {
		got = append(got, d.ID)
	}
	if diff := cmp.Diff([]string{"e1", "d1", "d2"}, got); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if l, err = v.DeadLetter(t.Context(), "1-0"); err != nil || l.State != view.Open || l.Edit.ID != "e1" {
		t.Errorf("got %+v, %v, want it open again, with its edit", l, err)
	}
}

// TestEachFailureOfADeadLetterIsKept has a dead letter that was replayed twice, and failed for
// another cause in between.
func TestEachFailureOfADeadLetterIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := placed(0)
	b.put(t, b.Topics.Orders, wire.Order(o))
	var letters []dlq.DeadLetter
	for n, message := range []string{"no route", "550 mailbox full", "no route"} {
		l := deadLetter(0, o, failure.NoRoute, int64(n+1))
		l.Topic, l.Replays, l.Message, l.LastFailed = b.Topics.Orders, n, message, l.LastFailed.Add(time.Duration(n)*time.Hour)
		letters = append(letters, l)
	}
	b.put(t, b.Topics.DLQ, records(letters...)...)
	v, _ := b.start(t)
	all, err := v.Failures(t.Context(), "1-0")
	must(t, err)
	var got []string
	for _, f := range all {
		got = append(got, fmt.Sprintf("%d %s %t %d-%d", f.Number, f.Message, f.At.Equal(letters[f.Number].LastFailed), f.Partition, f.Offset))
	}
	if diff := cmp.Diff([]string{"0 no route true 1-0", "1 550 mailbox full true 1-1", "2 no route true 1-2"}, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if all[0].CauseID != all[2].CauseID || all[0].CauseID == all[1].CauseID {
		t.Errorf("got causes %+v, want two", all)
	}
}
