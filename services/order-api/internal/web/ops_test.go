package web

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/client/system"
)

func newPages(t *testing.T) *Pages {
	t.Helper()
	p, err := New(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// healthy is a system of which all is known and nothing is wrong: worker n owns every n-th partition.
func healthy(workers, partitions int) system.Stats {
	s := system.Stats{
		At: noon, Rev: noon.UnixMilli(), Promise: system.Promise{LimitSeconds: 900, OldestAgeSeconds: new(0.8), OldestKnown: true}, Rates: system.Rates{Placed: 21.4, Confirmed: 24.14},
		Latency: &system.Latency{Orders: 6000, P50: 0.016, P95: 0.074, P99: 0.21, Steps: []system.StepLatency{
			{Step: "shipping", Orders: 6000, P50: 0.004, P95: 0.011, P99: 0.03}, {Step: "email", Orders: 6000, P50: 0.006, P95: 0.022, P99: 1.5},
		}}, Orders: &system.Orders{Retrying: 2}, DeadLetters: &system.DeadLetters{Open: 1072},
		InFlight: 37, Slots: 64 * workers,
		Dependencies: []system.Dependency{{Name: "mail server", State: "closed", Workers: workers}},
		Kafka:        &system.Kafka{Up: 3, Brokers: 3}, Jobs: []system.Job{},
		Topics:       []system.Topic{{Name: "orders", Partitions: partitions, Records: new(int64(412388)), Lag: new(int64(10)), Bytes: new(int64(391_400_000)), Kept: &system.Kept{Seconds: 2_592_000}}, {Name: "orders.dlq", Partitions: partitions}},
		Changes:      []system.Change{{At: noon.Add(-2 * time.Minute), Kind: "worker-joined", Worker: "wrk_a", Host: "vm-1"}},
	}
	s.ReadModel.Fresh = &s.At
	for n := range workers {
		s.Workers = append(s.Workers, system.Worker{
			ID: fmt.Sprintf("wrk_%026d", n), Host: "vm-1", PID: 6527 + n, Version: "1.8.1", State: "live", StartedAt: noon.Add(-time.Hour), SeenAt: noon, LeaseSeconds: 6, Slots: 64,
		})
	}
	for n := range partitions {
		w := &s.Workers[n%workers]
		w.Partitions = append(w.Partitions, int32(n))
		s.Partitions = append(s.Partitions, system.Partition{Number: int32(n), Owner: &w.ID, State: new("running"), Lag: new(int64(n))})
	}
	for n := range 180 {
		s.Points = append(s.Points, system.Point{At: noon.Add(time.Duration(n-179) * 5 * time.Second), Placed: 20.2 + float64(n%7), Confirmed: 19.4 + float64(n%5), OldestAgeSeconds: new(float64(n%9) / 7)})
	}
	return s
}

func unown(s *system.Stats, numbers ...int) {
	for _, n := range numbers {
		s.Partitions[n].Owner, s.Partitions[n].State = nil, nil
		s.Unowned++
	}
}

// mailDown opens the circuit breaker.
func mailDown(s *system.Stats) {
	s.Dependencies[0] = system.Dependency{
		Name: "mail server", State: "open", Since: new(noon.Add(-time.Minute)), NextProbe: new(noon.Add(4 * time.Second)), Reason: "mail-away", Down: 3, Workers: 4,
	}
	s.Orders.Waiting = 12
}

// shown renders the page, with the texts of its tags only.
func shown(t *testing.T, s system.Stats) string {
	t.Helper()
	s.Points = s.Points[:min(len(s.Points), 2)]
	body, err := newPages(t).part("ops", "main", opsPage{Stats: s})
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(body), " ")
	return strings.Join(strings.Fields(html.UnescapeString(text)), " ")
}

// facts are what a page says of a system that is not healthy in one way, and what it does not say.
type facts struct {
	change func(*system.Stats)
	want   []string
	not    string
}

func TestOperationsSayWhatTheServerKnows(t *testing.T) {
	t.Parallel()
	checkFacts(t, map[string]facts{
		"healthy": {
			func(*system.Stats) {},
			[]string{
				"The promise is kept. The oldest order not started is 0.8 s old; the limit is 15 min. 99 % of orders are mailed within 210 ms.", "Placed, a second 21.4 Confirmed, a second 24.1",
				"0.8 s of 15 min", "37 of 256", "retrying 2", "waiting 0", "dead 1,072", "16 ms 74 ms 210 ms", "Mail server up breaker closed", "Read model up to date",
				"12 partitions, 4 workers, 0 without an owner", "orders 412,388 391 MB 30 days 10", "orders.dlq – – – –",
				"6,000 orders Within 50 % 95 % 99 % whole way 16 ms 74 ms 210 ms wait, shipping 4 ms 11 ms 30 ms invoice – – – email 6 ms 22 ms 1.5 s", "Kafka 3 of 3 brokers",
			},
			"no owner",
		},
		"empty": {
			func(s *system.Stats) {
				*s = system.Stats{At: noon, Promise: system.Promise{OldestKnown: true}, Orders: &system.Orders{}, DeadLetters: &system.DeadLetters{}, Jobs: []system.Job{}, Unowned: 1, Partitions: []system.Partition{{Number: 0}}}
			},
			[]string{
				"No promise is set.", "No order is waiting to be started; no limit is set.", "No worker is running: orders are accepted, and none is worked on.", "5 min, no order Within", "whole way – – – wait, shipping – – – invoice – – – email – – –", "Kafka not known",
				"Mail server not known", "None in the last 15 minutes.", "Replays that have not ended Desk None.", "1 partition, 0 workers, 1 without an owner",
			},
			"is kept",
		},
		"unowned": {
			func(s *system.Stats) { unown(s, 3, 7) },
			[]string{"2 partitions without an owner: orders in them are not worked on until a worker takes over.", "no owner 2 partitions 3 no owner 7 no owner"},
			"No worker is running",
		},
		"blocked": {
			func(s *system.Stats) {
				s.Blocked, s.Promise.OldestAgeSeconds = 1, nil
				s.Partitions[5].State, s.Partitions[5].Reason = new("blocked"), "records 4 to 9 were lost"
			},
			[]string{"No order is waiting to be started, apart from those in blocked partitions;", "1 blocked partition:", "5 blocked", "Partition 5 is blocked: records 4 to 9 were lost"},
			"5 running",
		},
		"broker down": {
			func(s *system.Stats) {
				s.Kafka.Up = 2
				s.Topics[0].Kept, s.Topics[0].Bytes = &system.Kept{Compacted: true}, new(int64(0))
				s.Topics[1].Kept, s.Topics[1].Bytes = &system.Kept{}, new(int64(2_240_000_000))
			},
			[]string{"Kafka 2 of 3 brokers", "orders 412,388 0 B compacted 10", "orders.dlq – 2.2 GB for ever –"},
			"3 of 3",
		},
		"mail down": {
			mailDown,
			[]string{
				"The promise is kept.", "Mail server is down since 11:59:00 UTC ; 12 orders waiting.", "Mail server is down: 12 orders wait. They continue by themselves when it is back.", "waiting 12",
				"down breaker open at 3 of 4 workers, since 11:59:00 UTC , next probe 12:00:04 UTC", "Mail server could not be reached",
			},
			"is up",
		},
	})
}

func TestOperationsSayWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	checkFacts(t, map[string]facts{
		"refusing": {
			func(s *system.Stats) {
				s.Promise.OldestAgeSeconds, s.Promise.Refusing, s.Promise.Why = new(960.0), true, "backpressure"
			},
			[]string{"New orders are refused. The oldest order not started is 16 min old; the limit is 15 min.", "New orders are refused: the oldest order not started is older than 15 min."},
			"is kept",
		},
		"refusing until an operator acts": {
			func(s *system.Stats) { s.Promise.Refusing, s.Promise.Why = true, "blocked" },
			[]string{"New orders are refused: the topics are not those that this API knows. An operator must act"},
			"older than",
		},
		"read model behind": {
			func(s *system.Stats) { s.ReadModel.Lag, s.ReadModel.Fresh = 4000, new(noon.Add(-40*time.Second)) },
			[]string{"Catching up: the read model is 40 s behind Kafka.", "behind by 4,000 records, complete at 11:59:20 UTC"},
			"up to date",
		},
		"read model not compared with Kafka": {
			func(s *system.Stats) { s.ReadModel.Fresh = new(noon.Add(-40 * time.Second)) },
			[]string{"Read model not known complete at 11:59:20 UTC"},
			"up to date",
		},
		"read model never complete": {
			func(s *system.Stats) { s.ReadModel.Fresh = nil },
			[]string{"Read model not known"},
			"up to date",
		},
		"read model away": {
			func(s *system.Stats) {
				s.Orders, s.DeadLetters, s.Jobs, s.Promise = nil, nil, nil, system.Promise{LimitSeconds: 900}
			},
			[]string{"It is not known whether the promise is kept.", "The age of the oldest order not started is not known", "The read model cannot be used:", "retrying –", "waiting –", "dead –", "– of 15 min", "Replays that have not ended Desk Not known."},
			"The promise is kept",
		},
		"just started": {
			func(s *system.Stats) { s.Promise = system.Promise{LimitSeconds: 900} },
			[]string{"It is not known whether the promise is kept. The age of the oldest order not started is not known", "– of 15 min"},
			"The promise is kept",
		},
		"nothing to start": {
			func(s *system.Stats) { s.Promise.OldestAgeSeconds, s.Orders.Accepted = nil, 1 },
			[]string{"The promise is kept. No order is waiting to be started; the limit is 15 min.", "none of 15 min"},
			"not known",
		},
		"rebalance": {
			func(s *system.Stats) {
				s.Partitions[3].Owner, s.Partitions[3].State = &s.Workers[0].ID, new("restoring")
				s.Workers[0].StartedAt = noon.Add(-6 * time.Second)
				s.Workers[2].State, s.Workers[2].Partitions = "silent", nil
				unown(s, 2, 6, 10)
				s.Changes = append([]system.Change{{At: noon.Add(-time.Second), Kind: "partitions-moved", Worker: s.Workers[0].ID, Partitions: []int32{1, 3, 4, 5}}}, s.Changes...)
			},
			[]string{"joined 6 s ago", "3 restoring", "3 draining", "silent", "last heard of 12:00:00 UTC", "Partitions 1 and 3 – 5 moved to wrk_000000", "3 workers, 3 without an owner"},
			"4 workers,",
		},
		"more than three strips": {
			func(s *system.Stats) {
				mailDown(s)
				unown(s, 1)
				s.Promise.Refusing = true
				s.Jobs = []system.Job{{ID: "job_a", Kind: "replay", State: "halted", Total: 10, Done: 4}, {ID: "job_b", Kind: "replay", State: "halted"}}
			},
			[]string{"Replay stopped by its rule: 4 of 10 were sent.", "2 more", "stopped by its rule"},
			"They continue by themselves when it is back.",
		},
	})
}

func checkFacts(t *testing.T, all map[string]facts) {
	t.Helper()
	for name, row := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := healthy(4, 12)
			row.change(&s)
			text := shown(t, s)
			for _, want := range row.want {
				if !strings.Contains(text, want) {
					t.Errorf("the page lacks %q: %s", want, text)
				}
			}
			if strings.Contains(text, row.not) {
				t.Errorf("the page has %q: %s", row.not, text)
			}
		})
	}
}

// TestEachPartitionIsListedOnceUnderItsOwner has 20 workers and 96 partitions.
func TestEachPartitionIsListedOnceUnderItsOwner(t *testing.T) {
	t.Parallel()
	s := healthy(20, 96)
	unown(&s, 40, 41)
	blocks := opsPage{Stats: s}.Blocks()
	if len(blocks) != 21 || blocks[0].ID() != "unowned" || len(blocks[0].Cells) != 2 {
		t.Fatalf("got %d blocks, the first %+v; want the partitions without an owner and 20 workers", len(blocks), blocks[0])
	}
	seen := map[int32]string{}
	for _, b := range blocks {
		for _, c := range b.Cells {
			if seen[c.Number] != "" {
				t.Errorf("partition %d is listed under %s and %s", c.Number, seen[c.Number], b.ID())
			}
			seen[c.Number] = b.ID()
		}
	}
	for _, p := range s.Partitions {
		if want := "w-" + deref(p.Owner); p.Owner != nil && seen[p.Number] != want {
			t.Errorf("partition %d is listed under %q, want %q", p.Number, seen[p.Number], want)
		}
	}
	if len(seen) != 96 {
		t.Errorf("got %d partitions, want 96", len(seen))
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestWhatWorkersTellIsShownAsText: a page with hostile text has the same markup as one with harmless text.
func TestWhatWorkersTellIsShownAsText(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	count := func(text string) string {
		s := healthy(2, 3)
		s.Workers[0].Host, s.Partitions[1].Reason, s.Partitions[1].State = text, text, new("blocked")
		s.Changes[0].Host = text
		html, err := p.part("ops", "main", opsPage{Stats: s})
		if err != nil {
			t.Fatal(err)
		}
		counts := ""
		for _, c := range []string{"<", ">", `"`, "'", "<a ", "<script"} {
			counts += fmt.Sprintf("%s: %d ", c, bytes.Count(html, []byte(c)))
		}
		return counts
	}
	want := count("vm-1")
	for _, text := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "' onmouseover='alert(1)", "</li></section>", "{{.}}", "<!--", "]]>", "&lt;b&gt;", "\n\nevent: cells\ndata: <b>"} {
		if got := count(text); got != want {
			t.Errorf("%q changes the markup: got %s, want %s", text, got, want)
		}
	}
}

// TestBreakItFollowsWhatIsBroken: of the section only what has changed is sent, without what the visitor has done.
func TestBreakItFollowsWhatIsBroken(t *testing.T) {
	t.Parallel()
	now := healthy(1, 3)
	v := breakView{Breaking: Breaking{Workers: []int{41}, Mail: "works"}, Done: "The worker was killed."}
	s := opsStream{part: newPages(t).part, broken: func() *breakView { one := v; return &one }}
	send := func() string {
		var b bytes.Buffer
		if err := s.send(&b, &now); err != nil {
			t.Fatal(err)
		}
		now.Rev++
		return b.String()
	}
	if first := send(); !strings.Contains(first, "process 41") || !strings.Contains(first, `value="works" checked`) || strings.Contains(first, v.Done) {
		t.Errorf("at first: got %s, want the whole section", first)
	}
	v.Workers, v.Mail = nil, "down"
	v.Total, v.Placed, v.Refused = 100, 40, 2
	got := send()
	for _, want := range []string{"No worker of this program is running", `value="down" checked`, "40 of 100 orders placed, 2 refused."} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	v.Placed = 50
	if got := send(); strings.Contains(got, "break-mail") || !strings.Contains(got, `id="break-load"`) {
		t.Errorf("got %s, want the load alone", got)
	}
}

// TestOnlyPartsThatHaveChangedAreSent: what a stream keeps does not grow with the number of events.
func TestOnlyPartsThatHaveChangedAreSent(t *testing.T) {
	t.Parallel()
	s := opsStream{part: newPages(t).part, broken: func() *breakView { return nil }}
	send := func(now *system.Stats) (ids []string, all string) {
		var b bytes.Buffer
		if err := s.send(&b, now); err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^data: <(?:section|div|li)[^>]* id="([^"]*)"|^data: <(?:section|div|li) id="([^"]*)"`).FindAllStringSubmatch(b.String(), -1) {
			ids = append(ids, found[1]+found[2])
		}
		return ids, b.String()
	}
	now := healthy(3, 12)
	ids, all := send(&now)
	if got := strings.Join(ids, " "); got != "head strips now say latency dependencies owners topics jobs changes map w-"+now.Workers[0].ID+" w-"+now.Workers[1].ID+" w-"+now.Workers[2].ID || strings.Count(all, "data-point") != 180 || strings.Index(all, "event: points") > strings.Index(all, "event: cells") {
		t.Errorf("at first: got parts %q, want all, after the points", got)
	}
	now.Rev, now.Points = now.Rev+1000, nil
	if ids, all := send(&now); len(ids) != 0 || all != fmt.Sprintf("id: %d\nevent: beat\ndata: \n\n", now.Rev) {
		t.Errorf("no change: got %q", all)
	}
	now.Partitions[4].Lag = new(int64(99))
	if ids, _ := send(&now); strings.Join(ids, " ") != "w-"+now.Workers[1].ID {
		t.Errorf("another lag: got parts %q, want one worker", ids)
	}
	now.Workers = now.Workers[:2]
	unown(&now, 2, 5, 8, 11)
	if ids, _ := send(&now); strings.Join(ids, " ") != "strips owners map unowned w-"+now.Workers[0].ID+" w-"+now.Workers[1].ID {
		t.Errorf("a worker is gone: got parts %q, want all blocks", ids)
	}
	for n := range 100 {
		now.Workers[0].ID = fmt.Sprintf("wrk_%d", n)
		send(&now)
	}
	if len(s.sent) != len(opsParts)+3 {
		t.Errorf("after 100 workers the stream knows %d parts, want %d", len(s.sent), len(opsParts)+3)
	}
	if _, all := send(nil); all != "event: beat\ndata:\n\n" {
		t.Errorf("nothing has changed: got %q, want a heartbeat", all)
	}
}

// TestOperationsFitTheBudget: the page and all its files, compressed.
func TestOperationsFitTheBudget(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	var b bytes.Buffer
	v := opsPage{Stats: healthy(4, 12)}
	if err := p.templates["ops"].Execute(&b, page{Title: v.Title(), Place: "ops", Live: "/ops/events", Body: v, Finding: true, Desk: true, Ops: true}); err != nil {
		t.Fatal(err)
	}
	sum := len(compress(b.Bytes()))
	files := regexp.MustCompile(`"/assets/([^"]*)"`).FindAllStringSubmatch(b.String(), -1)
	for _, f := range files {
		sum += len(p.assets.byName[f[1]].small())
	}
	if len(files) != 6 || sum > 61_000 {
		t.Errorf("got %d bytes in the page and %d files, want at most 61,000 in 6", sum, len(files))
	}
	t.Logf("%d bytes, of them %d of the page", sum, len(compress(b.Bytes())))
	other := bytes.Buffer{}
	if err := p.templates["orders"].ExecuteTemplate(io.Writer(&other), "files", nil); err != nil || other.Len() != 0 {
		t.Errorf("another page loads %q, %v; want no charts", other.String(), err)
	}
}
