package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/wire"
)

var jobHead = wire.JobHead{ID: "job_0123456789abcdefghijklmnop", At: at, Cause: asked}

func job() wire.Job {
	return wire.Job{
		JobHead: jobHead, Kind: wire.JobReplay, Total: 1001, Chunks: 2, Selection: "reason=no-route", Rate: 12.5, Ramp: []int{1, 5, 20, 100}, StopAbove: 0.1,
		Patch: json.RawMessage(`[{"op":"replace","path":"/note","value":"<b>"}]`), Override: true, PauseOnNewCause: true, Reason: "the rate card is right now",
	}
}

func jobChunk() wire.JobChunk {
	return wire.JobChunk{JobHead: jobHead, N: 1, IDs: []string{"3-124", "3-125"}}
}

func rangeChunk() wire.JobChunk {
	return wire.JobChunk{JobHead: jobHead, N: 1, Ranges: []wire.Range{{0, 7, 999}, {3, 0, 6}}}
}

func jobEvent() wire.JobEvent {
	return wire.JobEvent{JobHead: jobHead, Event: wire.JobHalt, Act: "act_1", Reason: "too many failed", Step: 3, Bad: 31, Of: 100, Causes: []string{"cause_1"}}
}

func jobBatch() wire.JobBatch {
	return wire.JobBatch{
		JobHead: jobHead, From: 26, To: 29, Step: 3, Numbers: []int{1, 0, 4}, Skipped: map[int]wire.SkipReason{27: wire.SkipClosed},
	}
}

func TestRecordsOfJobsSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		j, c, e, b := job(), jobChunk(), jobEvent(), jobBatch()
		j.At, j.Cause = instant(t, "at"), drawCause(t)
		j.Selection, j.Rate, j.StopAbove = text(t, "selection"), rapid.Float64Range(0, 1e9).Draw(t, "rate"), rapid.Float64Range(0, 0.999).Draw(t, "limit")
		c.N, c.IDs = count(t, "chunk", 1e3), rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "ids")
		e.Rate, e.Step, e.Cause = j.Rate, count(t, "step", 1e6), j.Cause
		b.Step, b.Numbers[0], b.Cause = e.Step, 1+count(t, "number", 1e6), j.Cause
		gotJob, err1 := wire.ReadJob(j.Record())
		gotChunk, err2 := wire.ReadJobChunk(c.Record())
		gotEvent, err3 := wire.ReadJobEvent(e.Record())
		gotBatch, err4 := wire.ReadJobBatch(b.Record())
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{j, c, e, b}, []any{gotJob, gotChunk, gotEvent, gotBatch}); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// TestNoRecordOfAJobReplacesAnother is about compaction, which keeps the last record of a key.
func TestNoRecordOfAJobReplacesAnother(t *testing.T) {
	t.Parallel()
	chunk, event, batch := jobChunk(), jobEvent(), jobBatch()
	chunk.N, event.Act, batch.From = 2, "act_2", 25
	records := []*kgo.Record{
		job().Record(), jobChunk().Record(), jobEvent().Record(), jobBatch().Record(), chunk.Record(), event.Record(), batch.Record(),
	}
	keys := map[string]bool{}
	for _, r := range records {
		keys[string(r.Key)] = true
	}
	if len(keys) != len(records) {
		t.Errorf("got keys %v, want %d", keys, len(records))
	}
}

// readers and records have the functions that read and write the records of jobs.
var readers = map[string]func(*kgo.Record) error{
	"job":    func(r *kgo.Record) error { _, err := wire.ReadJob(r); return err },
	"chunk":  func(r *kgo.Record) error { _, err := wire.ReadJobChunk(r); return err },
	"ranges": func(r *kgo.Record) error { _, err := wire.ReadJobChunk(r); return err },
	"event":  func(r *kgo.Record) error { _, err := wire.ReadJobEvent(r); return err },
	"batch":  func(r *kgo.Record) error { _, err := wire.ReadJobBatch(r); return err },
}

var records = map[string]func() *kgo.Record{
	"job": job().Record, "chunk": jobChunk().Record, "ranges": rangeChunk().Record, "event": jobEvent().Record, "batch": jobBatch().Record,
}

func TestWhatIsNoRecordOfAJobIsUndecodable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ of, old, wrong string }{
		{"job", `"schema":1,`, ``},
		{"job", `"job":"job_0123456789abcdefghijklmnop"`, `"job":"job_1"`},
		{"job", `"job_0123456789abcdefghijklmnop"`, `"job/1"`},
		{"job", `"replay"`, `"delete"`},
		{"job", `"total":1001`, `"total":0`},
		{"job", `"total":1001`, `"total":99999999`},
		{"job", `"total":1001`, `"total":1e400`},
		{"job", `"chunks":2`, `"chunks":3`},
		{"job", `"chunks":2`, `"chunks":-2`},
		{"job", `12.5`, `-1`},
		{"job", `12.5`, `"fast"`},
		{"job", `12.5`, `1e999`},
		{"job", `[1,5,20,100]`, `[1,0]`},
		{"job", `[1,5,20,100]`, `[-1]`},
		{"job", `0.1`, `1`},
		{"job", `0.1`, `-0.1`},
		{"job", `{"op":"replace","path":"/note","value":"<b>"}`, nested(200)},
		{"job", `the rate card`, `the\nrate card`},
		{"job", `the rate card`, strings.Repeat("x", wire.MaxReason)},
		{"chunk", `["3-124","3-125"]`, `[]`},
		{"chunk", `["3-124","3-125"]`, `[1]`},
		{"chunk", `["3-124","3-125"]`, `["` + strings.Repeat(`","`, wire.MaxChunk) + `"]`},
		{"ranges", `"ranges"`, `"ids":["3-124"],"ranges"`},
		{"ranges", `[0,7,999]`, `[-1,7,999]`},
		{"ranges", `[0,7,999]`, `[2147483648,7,999]`},
		{"ranges", `[0,7,999]`, `[0,-7,9]`},
		{"ranges", `[0,7,999]`, `[0,7,6]`},
		{"ranges", `[0,7,999]`, `[0,7,1007]`},
		{"ranges", `[0,7,999]`, `[0,6,999]`},
		{"ranges", `[0,7,999]`, `[0,-9223372036854775808,9223372036854775807]`},
		{"chunk", `"n":1`, `"n":2`},
		{"chunk", `"n":1`, `"n":-1`},
		{"event", `"halt"`, `"explode"`},
		{"event", `"act_1"`, `"act_2"`},
		{"event", `"act_1"`, `""`},
		{"event", `"reason":"`, `"rate":-5,"reason":"`},
		{"batch", `"from":26`, `"from":-1`},
		{"batch", `"from":26`, `"from":25`},
		{"batch", `"to":29`, `"to":26`},
		{"batch", `"to":29`, `"to":9000000000`},
		{"batch", `"step":3`, `"step":-3`},
		{"batch", `[1,0,4]`, `[1,0]`},
		{"batch", `[1,0,4]`, `[1,-1,4]`},
		{"batch", `[1,0,4]`, `[0,0,4]`},
		{"batch", `[1,0,4]`, `[1,2,4]`},
		{"batch", `"27"`, `"29"`},
		{"batch", `"27"`, `"x"`},
		{"batch", `"closed"`, `""`},
	} {
		r := records[row.of]()
		if !strings.Contains(string(r.Value), row.old) {
			t.Fatalf("%s has no %s: %s", row.of, row.old, r.Value)
		}
		r.Value = []byte(strings.Replace(string(r.Value), row.old, row.wrong, 1))
		if err := readers[row.of](r); !errors.Is(err, wire.ErrUndecodable) || len(err.Error()) > 400 {
			t.Errorf("%s with %.60s: got %v, want a short ErrUndecodable", row.of, row.wrong, err)
		}
	}
}

func TestDamagedRecordsOfJobsAreUndecodable(t *testing.T) {
	t.Parallel()
	for of, record := range records {
		for name, spoil := range map[string]func(*kgo.Record){
			"no value":      func(r *kgo.Record) { r.Value = nil },
			"null":          func(r *kgo.Record) { r.Value = []byte("null") },
			"another key":   func(r *kgo.Record) { r.Key = append(r.Key, 'x') },
			"no headers":    func(r *kgo.Record) { r.Headers = nil },
			"no time":       func(r *kgo.Record) { setHeader(r, "ce_time", "yesterday") },
			"another type":  func(r *kgo.Record) { setHeader(r, "ce_type", "orders.act") },
			"two documents": func(r *kgo.Record) { r.Value = append(r.Value, r.Value...) },
		} {
			r := record()
			spoil(r)
			if err := readers[of](r); !errors.Is(err, wire.ErrUndecodable) {
				t.Errorf("%s, %s: got %v, want ErrUndecodable", of, name, err)
			}
		}
		newer := record()
		setHeader(newer, "schema", "9")
		if err := readers[of](newer); !errors.Is(err, wire.ErrNewer) {
			t.Errorf("%s of a newer version: got %v, want ErrNewer", of, err)
		}
	}
}

// setHeader replaces the value of a header.
func setHeader(r *kgo.Record, name, value string) {
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			r.Headers[i].Value = []byte(value)
		}
	}
}
