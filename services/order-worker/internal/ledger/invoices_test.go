//go:build synctests

package ledger_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

func TestIssuedInvoiceIsTheOneThatWasKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		other, w := begun(l, "ord_0", 6), begun(l, "ord_1", 7)
		issued := w.Document
		for _, w := range []*order.State{other, w} {
			if err := l.Keep(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(&order.Kept{Offset: 1, SHA256: wire.SHA256(issued), Bytes: len(issued)}, w.Progress.Invoice.Kept); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		w.Document = nil
		if err := l.Load(t.Context(), w); err != nil || !bytes.Equal(w.Document, issued) {
			t.Errorf("loaded %q, %v; want %q", w.Document, err, issued)
		}
	})
}

// TestAnotherOrdersDocumentIsNeverLoaded has pointers to what is not the order's document, or not there.
func TestAnotherOrdersDocumentIsNeverLoaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		other, w := begun(l, "ord_0", 6), begun(l, "ord_1", 7)
		for _, w := range []*order.State{other, w} {
			if err := l.Keep(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		w.Document = nil
		for _, offset := range []int64{other.Progress.Invoice.Kept.Offset, 99} {
			w.Progress.Invoice.Kept.Offset = offset
			err := l.Load(t.Context(), w)
			if class, reason := failure.Of(err); class != failure.Permanent || reason != failure.InvoiceGone || w.Document != nil {
				t.Errorf("offset %d: got %q, %v; want permanent, %s", offset, w.Document, err, failure.InvoiceGone)
			}
		}
	})
}

func TestInvoiceIsKeptOnceHoweverLateTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		w := begun(l, "ord_1", 7)
		// The record is written, and the answer is lost: for longer than the client waits for a record.
		late := o.Cluster.Fault(kafkatest.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topics.Invoices, Err: kerr.RequestTimedOut, Count: -1})
		time.AfterFunc(time.Minute, late.Remove)
		if err := l.Keep(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if got := o.Invoices(t)["ord_1"]; len(got) != 1 || w.Progress.Invoice.Kept.Offset != got[0].Offset {
			t.Errorf("got %d invoices, the order points at %+v; want one, and at it", len(got), w.Progress.Invoice.Kept)
		}
	})
}

func TestInvoiceOfAWorkerThatStoppedIsAdopted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		after []time.Duration // when invoices of the order were kept
		want  int64           // the offset that is adopted, or -1
	}{
		{"none", nil, -1},
		{"one", []time.Duration{time.Second}, 1},
		{"the first of two", []time.Duration{time.Second, time.Minute}, 1},
		{"one long after", []time.Duration{24 * time.Hour}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := setup(t)
				l := o.open(t)
				w, other := begun(l, "ord_1", 7), begun(l, "ord_2", 8)
				o.keep(t, other, []byte("of another order"))
				if err := l.Announce(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				for i, after := range row.after {
					time.Sleep(after)
					o.keep(t, w, []byte{'a' + byte(i)})
				}
				o.Produce(t, in(o.Topics.Invoices, wire.VoidNumber{Origin: w.Origin, Reason: "duplicate", At: time.Now()}.Record()), in(o.Topics.Invoices, wire.Invoice(other, time.Now())))

				w.Document = nil
				if err := o.open(t).Adopt(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				if row.want < 0 {
					if w.Progress.Invoice.Kept != nil || w.Document != nil {
						t.Errorf("got %+v, want none", w.Progress.Invoice.Kept)
					}
					return
				}
				if diff := cmp.Diff(&order.Kept{Offset: row.want, SHA256: wire.SHA256([]byte("a")), Bytes: 1}, w.Progress.Invoice.Kept); diff != "" {
					t.Errorf("adopted (-want +got):\n%s", diff)
				}
				if string(w.Document) != "a" {
					t.Errorf("document: got %q, want %q", w.Document, "a")
				}
			})
		})
	}
}

// keep appends an invoice as a worker does that stops before it can say so.
func (o *owner) keep(t *testing.T, w *order.State, document []byte) {
	t.Helper()
	dying := *w
	dying.Document = document
	o.Produce(t, in(o.Topics.Invoices, wire.Invoice(&dying, time.Now())))
}

func in(topic string, r *kgo.Record) *kgo.Record {
	r.Topic, r.Partition = topic, partition
	return r
}

func TestInvoiceTooLargeForItsTopicIsAFailureForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).open(t)
		w := begun(l, "ord_1", 7)
		w.Document = make([]byte, 2*topic.MaxOrder)
		err := l.Keep(t.Context(), w)
		if class, reason := failure.Of(err); err == nil || class != failure.Permanent || reason != failure.TooLarge {
			t.Errorf("got %v, want a permanent failure, too-large", err)
		}
		if w.Progress.Invoice.Kept != nil {
			t.Errorf("got %+v, want nothing kept", w.Progress.Invoice.Kept)
		}
	})
}

func TestOffsetWithoutAnInvoiceHasAReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		if err := l.Void(t.Context(), l.Origin(7), failure.Duplicate, order.Cause{}); err != nil {
			t.Fatal(err)
		}
		records := o.Records(t, o.Topics.Invoices)
		if len(records) != 1 || records[0].Partition != partition || wire.Type(records[0]) != wire.TypeVoid ||
			string(records[0].Key) != l.Origin(7).InvoiceNumber() || wire.Header(records[0], "reason") != "duplicate" {
			t.Errorf("got %+v, want one void record of %s: duplicate", records, l.Origin(7).InvoiceNumber())
		}
	})
}

func TestDeadLetterOfALargeRecordFits(t *testing.T) {
	t.Parallel()
	large, headers := make([]byte, topic.MaxOrder+topic.MaxOrder/4-8_000), []kgo.RecordHeader{{Key: "h", Value: make([]byte, 10_000)}}
	for _, row := range []struct {
		name       string
		deadLetter dlq.DeadLetter
		value      int // bytes that are left
		headers    int
	}{
		{"small", dlq.DeadLetter{Source: wire.Source{Key: []byte("k"), Value: []byte("{"), Headers: headers}}, 1, 1},
		{"too large with its headers", dlq.DeadLetter{Source: wire.Source{Key: []byte("k"), Value: large, Headers: headers}}, len(large), 0},
		{"too large without", dlq.DeadLetter{Source: wire.Source{Key: []byte("k"), Value: make([]byte, 3*topic.MaxOrder)}}, 0, 0},
		{"with a key that is too large", dlq.DeadLetter{Source: wire.Source{Key: large, Value: large}}, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := setup(t)
				l := o.open(t)
				deadLetter := row.deadLetter
				deadLetter.Origin, deadLetter.Step, deadLetter.Reason, deadLetter.Message = l.Origin(7), order.StepEmail, failure.MailBusy, "busy"
				at, err := l.DeadLetter(t.Context(), &deadLetter)
				if err != nil {
					t.Fatal(err)
				}
				want := &order.DeadLetter{ID: "1-7", Partition: partition, Step: order.StepEmail, Reason: "mail-busy"}
				if diff := cmp.Diff(want, at); diff != "" {
					t.Errorf("pointer (-want +got):\n%s", diff)
				}
				deadLetters := o.DeadLetters(t)
				if len(deadLetters) != 1 || deadLetters[0].Message != "busy" || len(deadLetters[0].Value) != row.value || len(deadLetters[0].Headers) != row.headers {
					t.Errorf("got %d dead letters, want one of %d bytes with %d headers", len(deadLetters), row.value, row.headers)
				}
			})
		})
	}
}
