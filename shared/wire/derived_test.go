package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

var (
	at       = time.Date(2026, 3, 2, 9, 30, 1, 250_000_000, time.UTC)
	placedBy = order.Cause{Actor: order.Actor{Kind: order.ActorCustomer, ID: "cus:17"}, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	asked    = order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann"}, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-00"}
)

// sourceOf is a record of the topic orders as workers get it, at offset 124 of partition 3.
func sourceOf(r *kgo.Record) wire.Source {
	return wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: order.Origin{Partition: 3, Offset: 124}}
}

func parked() wire.Parked {
	s := finished()
	return wire.Parked{
		Source: sourceOf(wire.Order(s.Order)), Cause: s.Order.Cause, At: at, Status: order.Retrying, Rev: 5, Attempts: 6,
		FirstFailed: at.Add(-time.Hour), Retries: 2, Since: at.Add(-time.Minute), Replay: 1, Job: "job_1", Edit: 2, Progress: s.Progress,
	}
}

func replayRequest() wire.ReplayRequest {
	s := finished()
	return wire.ReplayRequest{
		Source: sourceOf(wire.Order(s.Order)), Cause: asked, Placed: s.Order.Cause, At: at, Number: 2, Rev: 5, StateAt: 1007,
		Attempts: 6, FirstFailed: at.Add(-time.Hour), Progress: s.Progress,
		Job: "job_1", DryRun: true, Edit: 2, EditedBy: order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "bob"}, Trace: placedBy.Trace}, EditReason: "typo in the city, <Zoë>",
	}
}

// in puts a record into a partition, as its topic does.
func in(partition int32, r *kgo.Record) *kgo.Record {
	r.Partition = partition
	return r
}

func TestDerivedRecordsSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := wire.Source{
			Key: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key"), Value: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "value"),
			Origin: order.Origin{Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset")},
		}
		names := []string{"ce_specversion", "ce_type", "ce_time", "actor", "traceparent", "order_actor", "rev", "retries", "progress", "x", ""}
		for range count(t, "headers", 5) {
			source.Headers = append(source.Headers, kgo.RecordHeader{
				Key: rapid.SampledFrom(names).Draw(t, "name"), Value: []byte(rapid.SampledFrom([]string{"7", "orders.retrying", "customer:eve", ""}).Draw(t, "of")),
			})
		}
		p := wire.Parked{
			Source: source, Cause: drawCause(t), At: instant(t, "at"), Status: rapid.SampledFrom([]order.Status{order.Retrying, order.Waiting}).Draw(t, "status"),
			Rev: rapid.Int64Min(0).Draw(t, "rev"), Attempts: count(t, "attempts", 1e6), FirstFailed: instant(t, "first"), Replay: count(t, "replay", 9), Progress: drawProgress(t),
			Job: rapid.SampledFrom([]string{"", "job_1"}).Draw(t, "job"), Edit: count(t, "edit", 3),
		}
		if p.Retries = count(t, "retries", 9); p.Retries > 0 {
			p.Since = instant(t, "since")
		}
		got, err := wire.ReadParked(in(source.Origin.Partition, p.Record()))
		if diff := cmp.Diff(p, got, whole); diff != "" || err != nil {
			t.Errorf("%v, parked order (-want +got):\n%s", err, diff)
		}
		q := wire.ReplayRequest{
			Source: source, Cause: drawCause(t), Placed: p.Cause, At: p.At, Number: 1 + p.Replay, Rev: p.Rev, StateAt: p.Rev, Attempts: p.Attempts,
			FirstFailed: p.FirstFailed, Progress: p.Progress, Job: p.Job, DryRun: p.Job != "" && rapid.Bool().Draw(t, "dry"), Edit: p.Edit,
			EditedBy: drawCause(t), EditReason: strings.TrimRight(text(t, "why"), "\U0010fffd"),
		}
		read, err := wire.ReadReplayRequest(in(source.Origin.Partition, q.Record()))
		if diff := cmp.Diff(q, read, whole); diff != "" || err != nil {
			t.Errorf("%v, replay request (-want +got):\n%s", err, diff)
		}
	})
}

// set returns a record in which headers of the envelope have other values.
func set(r *kgo.Record, headers ...string) *kgo.Record {
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return in(3, r)
}

func TestDerivedRecordsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	p, q, tooMuch := parked(), replayRequest(), "9223372036854775808"
	for name, row := range map[string]struct {
		r    *kgo.Record
		want error
	}{
		"nothing":                              {&kgo.Record{}, wire.ErrUndecodable},
		"an order":                             {wire.Order(finished().Order), wire.ErrUndecodable},
		"another type":                         {set(p.Record(), "ce_type", "orders.gift"), wire.ErrUndecodable},
		"no schema version":                    {set(p.Record(), "schema", ""), wire.ErrUndecodable},
		"a newer schema version":               {set(p.Record(), "schema", "9", "rev", "x"), wire.ErrNewer},
		"a newer version of a request":         {set(q.Record(), "schema", "9", "dead_letter", "x"), wire.ErrNewer},
		"no origin":                            {set(p.Record(), "origin", ""), wire.ErrUndecodable},
		"an origin below zero":                 {set(p.Record(), "origin", "-1"), wire.ErrUndecodable},
		"a revision beyond all":                {set(p.Record(), "rev", tooMuch), wire.ErrUndecodable},
		"progress that is none":                {set(p.Record(), "progress", `{"finished":1}`), wire.ErrUndecodable},
		"a request of progress that is none":   {set(q.Record(), "progress", "{"), wire.ErrUndecodable},
		"a request that names no dead letter":  {set(q.Record(), "dead_letter", "3"), wire.ErrUndecodable},
		"a request of another partition":       {set(q.Record(), "dead_letter", "4-124"), wire.ErrUndecodable},
		"a request of a negative offset":       {set(q.Record(), "dead_letter", "3--1"), wire.ErrUndecodable},
		"a request of an offset beyond all":    {set(q.Record(), "dead_letter", "3-"+tooMuch), wire.ErrUndecodable},
		"a request without a number of replay": {set(q.Record(), "replay", "0"), wire.ErrUndecodable},
		"a parked order of an odd job":         {set(p.Record(), "job", "../x"), wire.ErrUndecodable},
		"a parked order of an odd edit":        {set(p.Record(), "edit", "1.5"), wire.ErrUndecodable},
		"a request of an odd job":              {set(q.Record(), "job", "a b"), wire.ErrUndecodable},
		"a request of a job of a megabyte":     {set(q.Record(), "job", strings.Repeat("j", 1<<20)), wire.ErrUndecodable},
		"a request of edit 0":                  {set(q.Record(), "edit", "0"), wire.ErrUndecodable},
		"a request of a negative edit":         {set(q.Record(), "edit", "-1"), wire.ErrUndecodable},
		"a request of an edit beyond all":      {set(q.Record(), "edit", "4294967296"), wire.ErrUndecodable},
		"a dry run that is neither":            {set(q.Record(), "dry_run", "false"), wire.ErrUndecodable},
		"a dry run without a job":              {set(q.Record(), "job", ""), wire.ErrUndecodable},
		"a reason of two lines":                {set(q.Record(), "edit_reason", "a\nb"), wire.ErrUndecodable},
		"a reason of a megabyte":               {set(q.Record(), "edit_reason", strings.Repeat("r", 1<<20)), wire.ErrUndecodable},
		"a reason that is no text":             {set(q.Record(), "edit_reason", "\xff"), wire.ErrUndecodable},
	} {
		_, err1 := wire.ReadParked(row.r)
		_, err2 := wire.ReadReplayRequest(row.r)
		if wire.Type(row.r) == "orders.replay" {
			err1 = err2
		}
		if !errors.Is(err1, row.want) || err2 == nil || len(err1.Error()) > 1000 {
			t.Errorf("%s: got %.1000v and %.1000v, want %v in short", name, err1, err2, row.want)
		}
	}
}

// TestADryRunIsNeverTakenForAReplay is about a worker that would otherwise mail.
func TestADryRunIsNeverTakenForAReplay(t *testing.T) {
	t.Parallel()
	dry := replayRequest()
	real := dry
	real.DryRun = false
	for _, row := range []struct {
		r    *kgo.Record
		want bool
	}{
		{dry.Record(), true},
		{real.Record(), false},
		{set(real.Record(), "dry_run", "maybe"), true}, // and no request at all
		{set(wire.CancelRequest{Order: "ord_1"}.Record(), "dry_run", "true"), false},
		{&kgo.Record{}, false},
	} {
		if got := wire.IsDryRun(row.r); got != row.want {
			t.Errorf("%s: got %t, want %t", row.r.Headers, got, row.want)
		}
	}
}

// TestOnlyTheEnvelopeIsBelieved writes a parked order whose source has headers with our names.
func TestOnlyTheEnvelopeIsBelieved(t *testing.T) {
	t.Parallel()
	want := parked()
	want.Cause, want.Retries, want.Since, want.Job, want.Edit = order.Cause{}, 0, time.Time{}, "", 0 // so that the envelope has no header of these names
	want.Headers = set(want.Record(), "retries", "99", "actor", "operator:eve", "traceparent", "00-eve", "job", "job_eve", "edit", "7").Headers
	got, err := wire.ReadParked(in(3, want.Record()))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, parked order (-want +got):\n%s", err, diff)
	}
}

func TestDamagedFactsLeaveAParkedOrder(t *testing.T) {
	t.Parallel()
	want := parked()
	r := set(want.Record(), "attempts", "-5", "retries", "x", "since", "yesterday", "replay", "", "ce_time", "9999-12-31T23:59:59-01:00",
		"actor", "emperor:zoe", "traceparent", "00\n", "progress", "")
	want.Attempts, want.Retries, want.Replay, want.Since, want.At, want.Cause, want.Progress = 0, 0, 0, time.Time{}, time.Time{}, order.Cause{}, order.Progress{}
	got, err := wire.ReadParked(r)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, parked order (-want +got):\n%s", err, diff)
	}
}

func TestCauseThatIsTooLongOrNotPlainIsIgnored(t *testing.T) {
	t.Parallel()
	long := string(bytes.Repeat([]byte("x"), 200))
	for _, headers := range [][2]string{{"actor", "customer:"}, {"actor", "zoe"}, {"actor", "customer:" + long}, {"actor", "customer:zoë"}, {"traceparent", long + "x"}} {
		r := wire.Order(order.Order{ID: "ord_1"})
		if got := wire.CauseOf(set(r, headers[0], headers[1])); got != (order.Cause{}) {
			t.Errorf("%s: got %+v, want nothing", fmt.Sprintf("%.30q", headers), got)
		}
	}
}

// TestDerivedRecordsOfTheLargestOrderFitTheirTopics gives them an order of the largest size, with
// many headers.
func TestDerivedRecordsOfTheLargestOrderFitTheirTopics(t *testing.T) {
	t.Parallel()
	header := kgo.RecordHeader{Key: "h", Value: make([]byte, 1015)}
	for n, kept := range map[int]int{3: 3, 16: 16, 17: 0, 100_000: 0} {
		p, q := parked(), replayRequest()
		p.Headers = nil
		for range n {
			p.Headers = append(p.Headers, header)
		}
		p.Value = make([]byte, topic.MaxOrder)
		q.Source = p.Source
		for _, r := range []*kgo.Record{in(3, p.Record()), in(3, q.Record())} {
			size := len(r.Key) + len(r.Value)
			for _, h := range r.Headers {
				size += len(h.Key) + len(h.Value) + 8
			}
			if most := topic.MaxBytes("orders.waiting"); size > most {
				t.Errorf("%d headers: got %d bytes, want at most %d", n, size, most)
			}
		}
		got, err := wire.ReadParked(in(3, p.Record()))
		if err != nil || len(got.Headers) != kept {
			t.Errorf("%d headers: got %d, %v; want %d", n, len(got.Headers), err, kept)
		}
	}
}

func FuzzReadDerived(f *testing.F) {
	f.Add([]byte("k"), []byte("{}"), "124", "3-124", "5", "2", "2026-03-02T09:30:00Z", "customer:zoe", "1", wire.Progress(finished().Progress))
	f.Add([]byte(nil), []byte(nil), "-1", "x", "", "", "\xff", ":", "9", []byte("{"))
	f.Fuzz(func(t *testing.T, key, value []byte, origin, id, rev, number, at, actor, schema string, progress []byte) {
		headers := []string{
			"origin", origin, "dead_letter", id, "rev", rev, "replay", number, "retries", number, "attempts", number, "since", at, "ce_time", at,
			"actor", actor, "order_actor", actor, "traceparent", actor, "schema", schema, "progress", string(progress),
		}
		p, q := parked(), replayRequest()
		r, r2 := set(p.Record(), headers...), set(q.Record(), headers...)
		r.Key, r.Value, r2.Key, r2.Value = key, value, key, value
		refused := func(err error) bool { return errors.Is(err, wire.ErrUndecodable) || errors.Is(err, wire.ErrNewer) }
		if p, err := wire.ReadParked(r); err == nil {
			if again, err := wire.ReadParked(in(3, p.Record())); err != nil || !cmp.Equal(p.Cause, again.Cause) || p.Retries != again.Retries {
				t.Errorf("read again: got %+v, %v; want %+v", again, err, p)
			}
		} else if !refused(err) {
			t.Errorf("parked: got %v", err)
		}
		if q, err := wire.ReadReplayRequest(r2); err == nil {
			if again, err := wire.ReadReplayRequest(in(3, q.Record())); err != nil || q.Placed != again.Placed || q.Number != again.Number {
				t.Errorf("read again: got %+v, %v; want %+v", again, err, q)
			}
		} else if !refused(err) {
			t.Errorf("request: got %v", err)
		}
	})
}
