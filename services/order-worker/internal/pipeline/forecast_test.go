//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// dryRun asks for a forecast, and returns the newest one.
func (l *line) dryRun(t *testing.T, q *wire.ReplayRequest) wire.Forecast {
	t.Helper()
	q.Job, q.DryRun = "job_1", true
	q.Cause = order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann"}}
	l.work(t, l.ask(t, q))
	records := l.Records(t, l.Topics.Desk)
	if len(records) == 0 {
		t.Fatal("got no forecast")
	}
	r := records[len(records)-1]
	f, err := wire.ReadForecast(r)
	if err != nil || r.Partition != partition || f.Job != q.Job || f.DeadLetter != q.Origin.String() || f.Cause != q.Cause || f.At.IsZero() {
		t.Fatalf("got %+v in partition %d, %v; want the forecast of %s for its job", f, r.Partition, err, q.Origin)
	}
	return f
}

// written is how many records a worker has written anywhere but to the desk.
func (l *line) written(t *testing.T) (n int) {
	t.Helper()
	for _, topic := range []string{l.Topics.Status, l.Topics.Invoices, l.Topics.DLQ, l.Topics.Retry10s, l.Topics.Retry2m, l.Topics.Waiting, l.Topics.Orders} {
		n += len(l.Records(t, topic))
	}
	return n
}

// tale is a forecast, one word a step.
func tale(f wire.Forecast) string {
	words := []string{}
	if f.Answer != "" {
		words = append(words, f.Answer)
	}
	for _, s := range f.Steps {
		words = append(words, strings.TrimSuffix(strings.TrimPrefix(string(s.Step)+" "+string(s.Outcome)+" "+s.Reason, " "), " "))
	}
	return strings.Join(words, ", ")
}

// TestAForecastIsWhatTheReplayThenDoes writes nothing but the forecast.
func TestAForecastIsWhatTheReplayThenDoes(t *testing.T) {
	t.Parallel()
	odd := func(context.Context, *order.Work) error {
		return failure.New(failure.Permanent, failure.RenderRefused, errors.New("odd text of zoe@example.com"))
	}
	for _, row := range []struct {
		name    string
		at      func(*line)                           // what fails at first
		since   func(*line)                           // what fails now
		request func(*testing.T, *wire.ReplayRequest) // or nil
		want    string
	}{
		{"cured", func(l *line) { l.shipping.plan = refuse }, nil, nil, "shipping ok, invoice ok, email not-tried"},
		{"not cured", func(l *line) { l.shipping.plan = refuse }, func(l *line) { l.shipping.plan = refuse }, nil, "shipping fails recipient-refused"},
		{"fails later", func(l *line) { l.shipping.plan = refuse }, func(l *line) { l.invoice.do = odd }, nil, "shipping ok, invoice fails render-refused"},
		{"no plan for the mail", func(l *line) { l.shipping.plan = refuse }, func(l *line) { l.email.plan = refuse }, nil, "shipping ok, invoice ok, email fails recipient-refused"},
		{"invoiced before", func(l *line) { l.email.do = refuse }, nil, nil, "email not-tried"},
		{"panics", func(l *line) { l.shipping.plan = refuse }, func(l *line) {
			l.invoice.do = func(context.Context, *order.Work) error { panic("bug") }
		}, nil, "shipping ok, invoice fails internal"},
		{
			"edited", func(l *line) { l.shipping.plan = refuse }, func(l *line) { l.shipping.plan = onlyTo("FR") },
			func(t *testing.T, q *wire.ReplayRequest) {
				*q = *edited(t, dlq.DeadLetter{Source: q.Source, Rev: q.Rev}, 1, to("FR"))
			},
			"shipping ok, invoice ok, email not-tried",
		},
		{
			"edit refused", func(l *line) { l.email.do = refuse }, nil,
			func(t *testing.T, q *wire.ReplayRequest) {
				*q = *edited(t, dlq.DeadLetter{Source: q.Source, Rev: q.Rev}, 1, to("FR"))
			},
			"edit-refused",
		},
		{
			"edit that is none", func(l *line) { l.shipping.plan = refuse }, nil,
			func(_ *testing.T, q *wire.ReplayRequest) { q.Value, q.Edit = []byte("{"), 1 }, "edit-refused",
		},
		{"an older dead letter", func(l *line) { l.shipping.plan = refuse }, nil, func(_ *testing.T, q *wire.ReplayRequest) { q.Rev = 0 }, "conflict"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				row.at(l)
				l.work(t, l.place(t, "ord_1"))
				l.shipping.plan, l.email.do = nil, nil
				if row.since != nil {
					row.since(l)
				}
				q := replayOf(l.deadLetter(t))
				if row.request != nil {
					row.request(t, q)
				}
				before, mails := l.written(t), l.email.done
				f := l.dryRun(t, q)
				if got := tale(f); got != row.want {
					t.Errorf("got %q, want %q", got, row.want)
				}
				if l.written(t) != before || l.email.done != mails {
					t.Errorf("got %d records and %d mails more, want none", l.written(t)-before, l.email.done-mails)
				}
				q.DryRun = false
				l.work(t, l.ask(t, q))
				l.foretold(t, f)
			})
		})
	}
}

// foretold compares a forecast with what the replay has done.
func (l *line) foretold(t *testing.T, f wire.Forecast) {
	t.Helper()
	s := l.States(t)["ord_1"]
	last := s.Timeline[len(s.Timeline)-1]
	if f.Answer != "" {
		if last.Reason != f.Answer || last.Status != order.Dead {
			t.Errorf("got %+v, want the answer %s", last, f.Answer)
		}
		return
	}
	step := f.Steps[len(f.Steps)-1]
	if step.Outcome != wire.StepFails {
		if s.Status != order.Confirmed || f.Shipping != s.Progress.Shipping.Price || f.Total != s.Progress.Invoice.Total || f.Edit != s.Edit {
			t.Errorf("got %+v, want what was forecast: %+v", s, f)
		}
		return
	}
	dead := l.deadLetter(t)
	got := wire.StepForecast{Step: dead.Step, Outcome: wire.StepFails, Class: dead.Class.String(), Reason: string(dead.Reason), Message: dead.Message}
	if diff := cmp.Diff(step, got); diff != "" && dead.Reason != failure.Internal { // the stack of a panic has addresses
		t.Errorf("dead letter (-forecast +got):\n%s", diff)
	}
	if strings.Contains(step.Message, "zoe@") {
		t.Errorf("got %q, want no address", step.Message)
	}
}

func TestAForecastOfWhatIsNoOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.put(t, l.Topics.Orders, &kgo.Record{Key: []byte("ord_1"), Value: []byte("{")}))
		before := l.written(t)
		if got := tale(l.dryRun(t, replayOf(l.deadLetter(t)))); got != "fails undecodable" {
			t.Errorf("got %q", got)
		}
		q := replayOf(l.deadLetter(t))
		q.Value, q.Edit = wire.Order(sample("ord_1")).Value, 1
		if got := tale(l.dryRun(t, q)); got != "shipping ok, invoice ok, email not-tried" {
			t.Errorf("edited: got %q", got)
		}
		if len(l.States(t)) != 0 || l.written(t) != before {
			t.Errorf("got %v, want nothing begun", l.States(t))
		}
	})
}

func TestAForecastOfAnOrderThatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.shipping.plan = refuse
		l.work(t, l.place(t, "ord_1"))
		l.shipping.plan = nil
		q := replayOf(l.deadLetter(t))
		l.work(t, l.ask(t, q))
		if got := tale(l.dryRun(t, q)); got != "already-done" {
			t.Errorf("confirmed: got %q", got)
		}
		erase := l.put(t, l.Topics.Status, &kgo.Record{Key: []byte("ord_1")})
		l.work(t, erase)
		if got := tale(l.dryRun(t, q)); got != "already-done" {
			t.Errorf("erased: got %q", got)
		}
		q.Origin.Offset = 9
		if got := tale(l.dryRun(t, q)); got != "conflict" {
			t.Errorf("not placed: got %q", got)
		}
	})
}

// TestAForecastLeavesNoTraceInTheMetrics counts real attempts only.
func TestAForecastLeavesNoTraceInTheMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		scrape := func() string {
			w := httptest.NewRecorder()
			l.settings.Meter.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			own := slices.DeleteFunc(strings.Split(w.Body.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "go_") || strings.Contains(line, "process_") || strings.Contains(line, "promhttp_")
			})
			return strings.Join(own, "\n")
		}
		l.shipping.plan = refuse
		l.work(t, l.place(t, "ord_1"))
		before := scrape()
		l.dryRun(t, replayOf(l.deadLetter(t)))
		if diff := cmp.Diff(before, scrape()); diff != "" {
			t.Errorf("metrics (-before +after):\n%s", diff)
		}
	})
}

func TestADamagedDryRunIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.shipping.plan = refuse
		l.work(t, l.place(t, "ord_1"))
		l.shipping.plan = nil
		before := l.written(t)
		for _, damage := range []kgo.RecordHeader{{Key: "dry_run", Value: []byte("no")}, {Key: "job"}, {Key: "dead_letter"}, {Key: "progress", Value: []byte("{")}} {
			q := replayOf(l.deadLetter(t))
			q.Job, q.DryRun = "job_1", true
			r := q.Record()
			r.Headers = append(r.Headers, damage)
			l.work(t, l.put(t, l.Topics.Replay, r))
		}
		if l.written(t) != before || len(l.Records(t, l.Topics.Desk)) != 0 || l.email.done != 0 {
			t.Errorf("got %d records, %d forecasts, %d mails; want nothing", l.written(t)-before, len(l.Records(t, l.Topics.Desk)), l.email.done)
		}
	})
}
