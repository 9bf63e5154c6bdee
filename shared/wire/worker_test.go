package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/wire"
)

func TestWorkerSurvivesItsRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := wire.Worker{
			ID: rapid.StringMatching("wrk_[a-z2-7]{1,26}").Draw(t, "id"), Host: text(t, "host"), PID: count(t, "pid", 1e6), Version: text(t, "version"),
			Group: text(t, "group"), Started: instant(t, "started"), At: instant(t, "at"), Lease: time.Duration(count(t, "lease", 60_000)) * time.Millisecond,
			InFlight: count(t, "in flight", 64), Slots: count(t, "slots", 64), Partitions: []wire.WorkerPartition{},
		}
		for n := range count(t, "partitions", 4) {
			w.Partitions = append(w.Partitions, wire.WorkerPartition{Number: int32(n), State: "blocked", Reason: text(t, "reason"), InFlight: n})
		}
		for range count(t, "dependencies", 2) {
			w.Dependencies = append(w.Dependencies, wire.Dependency{Name: "mail server", State: "half-open", Since: instant(t, "since"), Reason: "mail-away"})
		}
		got, err := wire.ReadWorker(w.Record())
		if diff := cmp.Diff(w, got); err != nil || diff != "" {
			t.Fatalf("got %v (-want +got):\n%s", err, diff)
		}
	})
}

// What a reader would refuse is made readable: a worker is never missing because of the name of its host.
func TestWorkerWithHostileTextsCanBeRead(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"\x1b[2J", "a\nb", "\xff\xfe", "\u202etxt", strings.Repeat("ë", 10_000)} {
		w := wire.Worker{
			ID: "wrk_a", Host: bad, Version: bad, Group: bad, Started: time.Now(), At: time.Now(), Partitions: []wire.WorkerPartition{{State: "blocked", Reason: bad}},
		}
		if got, err := wire.ReadWorker(w.Record()); err != nil || got.Host != got.Partitions[0].Reason || len(got.Host) > 600 {
			t.Errorf("%.20q: got %.40q, %v; want a text", bad, got.Host, err)
		}
	}
}

func TestRecordsThatAreNoWorkersAreRefused(t *testing.T) {
	t.Parallel()
	good := wire.Worker{ID: "wrk_a", Started: time.Now(), At: time.Now()}
	for name, change := range map[string]func(*kgo.Record){
		"key":      func(r *kgo.Record) { r.Key = []byte("a b") },
		"no JSON":  func(r *kgo.Record) { r.Value = []byte("{") },
		"times":    func(r *kgo.Record) { r.Value = []byte(`{"schema":1}`) },
		"newer":    func(r *kgo.Record) { r.Value = []byte(`{"schema":99}`) },
		"negative": func(r *kgo.Record) { r.Value = []byte(strings.Replace(string(r.Value), `"slots":0`, `"slots":-1`, 1)) },
		"partition": func(r *kgo.Record) {
			r.Value = []byte(strings.Replace(string(r.Value), `"partitions":[]`, `"partitions":[{"number":-1,"state":"running"}]`, 1))
		},
		"state": func(r *kgo.Record) {
			r.Value = []byte(strings.Replace(string(r.Value), `"dependencies":[]`, `"dependencies":[{"name":"a","state":"<b>"}]`, 1))
		},
	} {
		r := good.Record()
		change(r)
		if _, err := wire.ReadWorker(r); !errors.Is(err, wire.ErrUndecodable) && !errors.Is(err, wire.ErrNewer) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}
