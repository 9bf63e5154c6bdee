package ctl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/ctl"
)

const started = "ordersctl: replay job job_1: 10 dead letters; Ctrl-C stops watching, not the job\n"

func TestReplayFollowsItsJobToTheEnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		last        client.ReplayJob
		stdout, err string
	}{
		{"all confirmed", job(2, "done", client.ReplayCounts{Confirmed: 10}), "job_1 done 10: 10 confirmed\n", "<nil>"},
		{
			"some were closed before", with(job(2, "done", client.ReplayCounts{Confirmed: 7, AlreadyDone: 1, Skipped: 2}), func(j *client.ReplayJob) { j.Skipped["closed"] = 2 }),
			"job_1 done 10: 7 confirmed, 1 already done, 2 skipped\n  skipped  2 closed\n", "<nil>",
		},
		{"some failed again", with(job(2, "done", client.ReplayCounts{Confirmed: 8, FailedAgain: 2}), func(j *client.ReplayJob) {
			j.FailedAgain = []client.FailedAgain{{Cause: "c2", Step: "email", Reason: "recipient-refused", Count: 2, New: true}}
		}), "job_1 done 10: 8 confirmed, 2 failed again\n  failed   2 email recipient-refused (new)\n", "replay job job_1 is done: 8 confirmed, 2 failed again"},
		{
			"some are lost", with(job(2, "done", client.ReplayCounts{Confirmed: 9, Skipped: 1}), func(j *client.ReplayJob) { j.Skipped["lost"] = 1 }),
			"job_1 done 10: 9 confirmed, 1 skipped\n  skipped  1 lost\n", "replay job job_1 is done: 9 confirmed, 1 skipped",
		},
		{"a patch leaves some out", with(job(2, "done", client.ReplayCounts{Confirmed: 9, Skipped: 1}), func(j *client.ReplayJob) {
			j.Skipped["refused"], j.Patch = 1, json.RawMessage(`[{"op":"remove","path":"/note"}]`)
		}), "job_1 done 10: 9 confirmed, 1 skipped\n  skipped  1 refused\n", "<nil>"},
		{
			"halted", with(job(2, "halted", client.ReplayCounts{Confirmed: 4, FailedAgain: 2}), func(j *client.ReplayJob) {
				j.Ramp = []client.RampStep{{Size: 6, Sent: 6, Confirmed: 4, FailedAgain: 2, State: "halted"}}
				j.Halted = &client.Halted{At: noon, Why: "2 of 6 failed again (33 %), more than 10 %"}
			}), "job_1 halted 10: 4 confirmed, 2 failed again, 4 not sent\n  step 1   6: 4 confirmed, 2 failed again, halted\n",
			"replay job job_1 has halted: 2 of 6 failed again (33 %), more than 10 %",
		},
		{"cancelled by somebody else", job(2, "cancelled", client.ReplayCounts{Confirmed: 4}), "job_1 cancelled 10: 4 confirmed, 6 not sent\n", "replay job job_1 is cancelled: 4 confirmed, 6 not sent"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t)
			d.answers["POST /v1/replays"] = []any{job(0, "running", client.ReplayCounts{})}
			d.events["job_1"] = []client.ReplayJob{job(1, "running", client.ReplayCounts{InProgress: 3}), row.last}
			stdout, stderr, err := d.run(t, "", "dlq", "replay", "--cause", "c1", "--rate", "50", "--ramp", "1,5,20", "--stop-above", "10%", "--reason", "New rates")
			if diff := gocmp.Diff(row.stdout, stdout); diff != "" || fmt.Sprint(err) != row.err {
				t.Errorf("got %v, stdout (-want +got):\n%s", err, diff)
			}
			if !strings.HasPrefix(stderr, started+"ordersctl: job_1: 0 of 10 have a result, running\n") {
				t.Errorf("got %q on stderr, want the start and the progress", stderr)
			}
			want := []string{`POST /v1/replays {"selection":{"filter":{"cause":"c1"}},"rate":50,"ramp":[1,5,20],"stop_above":0.1,"reason":"New rates"}`}
			if diff := gocmp.Diff(want, d.requests("POST")); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplaySendsOneKindOfSelection(t *testing.T) {
	t.Parallel()
	const usage = "give the IDs of dead letters, or filters such as --cause, or --all"
	for args, want := range map[string]string{
		"0-1 payments.dlt:0-7 --replay-to payments": `{"selection":{"ids":["0-1","payments.dlt:0-7"]},"replay_to":"payments"}`,
		"--all --override":                          `{"selection":{"all":true},"override":true}`,
		"--step email --class down --failed-with mail-away --search zoe --topic t": `{"selection":{"filter":{"step":"email","class":"down","reason":"mail-away","topic":"t","q":"zoe"}}}`,
		"--from 2026-03-01T12:00:00Z --to 2026-03-02T12:00:00Z":                    `{"selection":{"filter":{"from":"2026-03-01T12:00:00Z","to":"2026-03-02T12:00:00Z"}}}`,
		"":                           usage,
		"0-1 --all":                  usage,
		"0-1 --step email":           usage,
		"--all --step email":         usage,
		"--from yesterday":           "--from: must be a time such as 2026-03-01T12:00:00Z",
		"--all --stop-above 100%":    "--stop-above: must be a share such as 10% or 0.1, below 100%",
		"--all --stop-above x":       "--stop-above: must be a share such as 10% or 0.1, below 100%",
		"--all --pause-on-new-cause": `{"selection":{"all":true},"pause_on_new_cause":true}`,
		"--all --ramp none":          `{"selection":{"all":true},"ramp":[]}`,
		"--all --ramp 1,x":           "--ramp: must be sizes such as 1,5,20,100, or none",
		"--all --ramp 0":             "--ramp: must be sizes such as 1,5,20,100, or none",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t)
			d.answers["POST /v1/replays"] = []any{job(0, "running", client.ReplayCounts{})}
			_, _, err := d.run(t, "", append([]string{"dlq", "replay", "--detach"}, strings.Fields(args)...)...)
			got := d.requests("POST")
			if strings.HasPrefix(want, "{") {
				if diff := gocmp.Diff([]string{"POST /v1/replays " + want}, got); diff != "" || err != nil {
					t.Errorf("%v, requests (-want +got):\n%s", err, diff)
				}
			} else if err == nil || err.Error() != want || len(got) != 0 {
				t.Errorf("got %v and requests %q, want %s and none", err, got, want)
			}
		})
	}
}

func TestInterruptDetachesFromTheJob(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["POST /v1/replays"] = []any{job(0, "running", client.ReplayCounts{})}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	stderr := writer(func(p []byte) (int, error) {
		if strings.Contains(string(p), "have a result") {
			interrupt()
		}
		return len(p), nil
	})
	err := ctl.Run(ctx, []string{"dlq", "replay", "--all", "--api", d.url}, func(string) string { return "" }, strings.NewReader(""), io.Discard, stderr)
	want := "ordersctl: detached: replay job job_1 goes on in the API\nhint: watch it with: ordersctl dlq jobs watch job_1\n"
	if err == nil || told(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := d.requests("POST"); len(got) != 1 {
		t.Errorf("got requests %q, want the start of the job only", got)
	}
}

func TestReplayStopsWatchingAfterItsWait(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["POST /v1/replays"] = []any{job(0, "running", client.ReplayCounts{})}
	_, _, err := d.run(t, "", "dlq", "replay", "--all", "--wait", "50ms")
	want := "ordersctl: --wait is over: replay job job_1 goes on in the API\nhint: watch it with: ordersctl dlq jobs watch job_1\n"
	if err == nil || told(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProgressThatIsCutOffIsContinued(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["GET /v1/replays/job_1"] = []any{job(0, "running", client.ReplayCounts{})}
	d.events["job_1"] = []client.ReplayJob{job(1, "running", client.ReplayCounts{InProgress: 3}), job(2, "done", client.ReplayCounts{Confirmed: 10})}
	d.cut = 1
	stdout, _, err := d.run(t, "", "dlq", "jobs", "watch", "job_1", "--json")
	if err != nil || strings.Count(stdout, "\n") != 3 || len(d.requests("GET /v1/replays/job_1/events")) != 2 {
		t.Errorf("got %v and %q, want three lines of progress over two connections", err, stdout)
	}
	var last client.ReplayJob
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Phase != "done" {
		t.Errorf("got %v and phase %q in the last line, want done", err, last.Phase)
	}
}

func TestAStartWithoutAnAnswerIsNotRepeated(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for i, lost := range []any{hangUp{}, http.StatusGatewayTimeout} {
		d.answers["POST /v1/replays"] = []any{lost, job(0, "done", client.ReplayCounts{Confirmed: 10})}
		_, _, err := d.run(t, "", "dlq", "replay", "--all")
		if err == nil || !strings.Contains(told(err), "\nhint: it may have been started: look with ordersctl dlq jobs list before you repeat this\n") || len(d.requests("POST")) != i+1 {
			t.Errorf("%v: got %v after %d requests, want a hint after one", lost, err, len(d.requests("POST"))-i)
		}
	}
	d.answers["POST /v1/replays"] = []any{http.StatusServiceUnavailable, job(0, "done", client.ReplayCounts{Confirmed: 10})}
	if stdout, _, err := d.run(t, "", "dlq", "replay", "--all"); err != nil || stdout != "job_1 done 10: 10 confirmed\n" {
		t.Errorf("refused for a moment: got %q, %v; want a second request", stdout, err)
	}
	d.answers["POST /v1/replays"] = []any{http.StatusForbidden}
	if _, _, err := d.run(t, "", "dlq", "replay", "--all"); err == nil || !strings.Contains(told(err), "hint: sign in with a key of another role") {
		t.Errorf("forbidden: got %v, want a hint about roles", err)
	}
}

func TestDryRunPrintsWhatWouldFail(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	dry := with(job(0, "done", client.ReplayCounts{WouldPass: 9, WouldFail: 1}), func(j *client.ReplayJob) { j.Kind = "dry-run" })
	d.answers["POST /v1/replays"] = []any{dry}
	steps := func(shipping string) []client.ForecastStep {
		return []client.ForecastStep{{Step: "shipping", Outcome: shipping, Reason: "no-route", Message: "no zone for AQ"}, {Step: "email", Outcome: "not-tried"}}
	}
	d.answers["GET /v1/replays/job_1/forecasts"] = []any{client.Forecasts{
		Causes: []client.CauseForecast{{Cause: "c1", Selected: 10, Tried: 10, WouldPass: 9, WouldFail: 1}},
		Forecasts: []client.Forecast{
			{DeadLetter: "0-1", Cause: "c1", At: noon, Steps: steps("ok")}, {DeadLetter: "0-2", Cause: "c1", At: noon, Steps: steps("fails")},
		},
	}}
	stdout, stderr, err := d.run(t, "", "dlq", "replay", "--all", "--dry-run")
	if want := "0-2  c1  shipping  no-route  no zone for AQ\n"; stdout != want || fmt.Sprint(err) != "replay job job_1 is done: 9 would pass, 1 would fail" {
		t.Errorf("got %q, %v; want %q", stdout, err, want)
	}
	if want := "ordersctl: cause c1: 10 selected, 10 tried: 9 would pass, 1 would fail\nordersctl: not tried: e-mail. Nothing was sent or written\n"; !strings.HasSuffix(stderr, want) {
		t.Errorf("got %q on stderr, want it to end with %q", stderr, want)
	}
}

func TestJobCommandsWaitForTheirEffect(t *testing.T) {
	t.Parallel()
	running := job(5, "running", client.ReplayCounts{Confirmed: 1})
	halted := with(job(5, "halted", client.ReplayCounts{FailedAgain: 1}), func(j *client.ReplayJob) { j.Halted = &client.Halted{At: noon, Why: "1 of 1 failed again"} })
	for _, row := range []struct {
		args, request string
		answer        client.ReplayJob
		events        []client.ReplayJob
		stdout        string
	}{
		{"pause job_1 --reason Lunch", `/pause {"reason":"Lunch"}`, running, []client.ReplayJob{job(6, "running", client.ReplayCounts{Confirmed: 2}), job(7, "paused", client.ReplayCounts{Confirmed: 2})}, "job_1 paused 10: 2 confirmed, 8 not sent\n"},
		{"resume job_1", "/resume", halted, []client.ReplayJob{job(6, "running", client.ReplayCounts{FailedAgain: 1})}, "job_1 running 10: 1 failed again, 9 not sent\n"},
		{"cancel job_1", "/cancel", running, []client.ReplayJob{job(6, "cancelled", client.ReplayCounts{Confirmed: 1})}, "job_1 cancelled 10: 1 confirmed, 9 not sent\n"},
		{"rate job_1 0.5", `/rate {"rate":0.5}`, running, []client.ReplayJob{with(running, func(j *client.ReplayJob) { j.Rev, j.Rate = 6, 0.5 })}, "job_1 running 10: 1 confirmed, 9 not sent\n"},
	} {
		d := openDesk(t)
		path, _, _ := strings.Cut("/v1/replays/job_1"+row.request, " ")
		d.answers["POST "+path] = []any{http.StatusServiceUnavailable, row.answer}
		d.events["job_1"] = row.events
		stdout, _, err := d.run(t, "", append([]string{"dlq", "jobs"}, strings.Fields(row.args)...)...)
		if err != nil || stdout != row.stdout {
			t.Errorf("%s: got %q, %v; want %q", row.args, stdout, err, row.stdout)
		}
		want := "POST /v1/replays/job_1" + row.request
		if diff := gocmp.Diff([]string{want, want}, d.requests("POST")); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", row.args, diff)
		}
	}
}

func TestDiscardAsksForEachDeadLetter(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	l := client.DeadLetter{ID: "0-1", State: "discarded", Topic: "orders.dlq", Reason: "no-route"}
	d.answers["GET /v1/dead-letters"] = []any{
		map[string]any{"dead_letters": []client.DeadLetter{l, {ID: "0-2", State: "open", Topic: "orders.dlq"}}, "next": "b"},
		map[string]any{"dead_letters": []client.DeadLetter{{ID: "0-3", State: "open", Topic: "orders.dlq"}}},
	}
	d.answers["POST /v1/dead-letters/0-1/discard"] = []any{http.StatusServiceUnavailable, l}
	d.answers["POST /v1/dead-letters/0-2/discard"] = []any{http.StatusConflict}
	d.answers["POST /v1/dead-letters/0-3/discard"] = []any{l}
	stdout, stderr, err := d.run(t, "", "dlq", "discard", "--failed-with", "no-route", "--reason", "Test orders")
	if stdout != "0-1 discarded\n0-2 refused\n0-3 discarded\n" || stderr != "ordersctl: dead letter 0-2: told to answer 409\n" || fmt.Sprint(err) != "1 of 3 dead letters were refused" {
		t.Errorf("got %q, %q, %v", stdout, stderr, err)
	}
	if got, want := d.requests("GET")[0], "GET /v1/dead-letters?limit=200&reason=no-route&state=open%2Clost%2Cparked"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := d.requests("POST")[0], `POST /v1/dead-letters/0-1/discard {"reason":"Test orders"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAForeignDeadLetterIsShownWithItsTopicAndNoMail(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["GET /v1/dead-letters/payments.dlt:0-1"] = []any{client.DeadLetter{
		ID: "payments.dlt:0-1", State: "open", Topic: "payments.dlt", NextReplay: &client.NextReplay{Mail: "none", Documents: []string{}},
		Foreign: &client.Foreign{Dialect: "Spring Kafka", SourceTopic: "payments", ReplayTo: "payments", ReplayToBy: "header"},
	}}
	stdout, _, err := d.run(t, "", "dlq", "show", "payments.dlt:0-1")
	if err != nil || !strings.Contains(stdout, "  replay   to payments, as its headers say\n") || strings.Contains(stdout, "mail") {
		t.Errorf("got %q, %v; want where a replay goes, and nothing of a mail", stdout, err)
	}
}

func TestDecisionsStopWhenTheRoleMayNotDecide(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["POST /v1/dead-letters/0-1/restore"] = []any{http.StatusForbidden}
	stdout, _, err := d.run(t, "", "dlq", "restore", "0-1", "0-2", "0-3")
	if stdout != "" || err == nil || !strings.Contains(told(err), "hint: sign in with a key of another role") {
		t.Errorf("got %q, %v; want a hint and no further request", stdout, err)
	}
	stdout, _, err = d.run(t, "", "dlq", "restore", "0-1", "0-2", "--dry-run")
	if stdout != "0-1 would be restored\n0-2 would be restored\n" || err != nil || len(d.requests("POST")) != 1 {
		t.Errorf("dry run: got %q, %v", stdout, err)
	}
	if _, _, err := d.run(t, "", "dlq", "discard", "0-1"); err == nil || len(d.requests("POST")) != 1 {
		t.Errorf("discard without a reason: got %v, want a usage error", err)
	}
}

func TestNotesAreWrittenOnce(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	note := client.Note{At: noon, By: "support:bo", Text: "Asked"}
	d.answers["POST /v1/dead-letters/0-1/notes"] = []any{note, http.StatusServiceUnavailable}
	d.answers["POST /v1/dead-letters/groups/c1/notes"] = []any{note}
	for _, args := range []string{"0-1 Asked", "0-1 Asked", "--on-cause c1 Asked"} {
		_, _, _ = d.run(t, "", append([]string{"dlq", "note"}, strings.Fields(args)...)...)
	}
	want := []string{`POST /v1/dead-letters/0-1/notes {"text":"Asked"}`, `POST /v1/dead-letters/0-1/notes {"text":"Asked"}`, `POST /v1/dead-letters/groups/c1/notes {"text":"Asked"}`}
	if diff := gocmp.Diff(want, d.requests("POST")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestExportIsWrittenInFullOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end  func(http.ResponseWriter)
		want string
	}{
		"whole":   {func(http.ResponseWriter) {}, "{\"id\":\"0-1\",\"message\":\"\\u009b\"}\n{\"id\":\"0-2\"}\n"},
		"cut off": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "the old one"},
	} {
		s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "{\"id\":\"0-1\",\"message\":\"\u009b\"}\n{\"id\":\"0-2\"}\n")
			_ = http.NewResponseController(w).Flush()
			row.end(w)
		})
		path := filepath.Join(t.TempDir(), "x.ndjson")
		if err := os.WriteFile(path, []byte("the old one"), 0o644); err != nil {
			t.Fatal(err)
		}
		stdout, _, err := s.run(t, "", "dlq", "export", "-o", path)
		got, _ := os.ReadFile(path)
		if string(got) != row.want || (err == nil) != (name == "whole") || err == nil && stdout != path+" 2 lines\n" {
			t.Errorf("%s: got %q, %v and file %q, want %q", name, stdout, err, got, row.want)
		}
		if info, _ := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", name, info.Mode())
		}
		if rest := files(t, filepath.Dir(path)); len(rest) != 1 {
			t.Errorf("%s: got files %q, want one", name, rest)
		}
	}
}

func TestImportReportsEachDecision(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.answers["POST /v1/dead-letters/import"] = []any{
		`{"line":1,"id":"0-1","decision":"discard","result":"done"}` + "\n" +
			`{"line":2,"id":"0-2","decision":"note","result":"unchanged"}` + "\n" +
			`{"line":3,"id":"0-9","decision":"edit","result":"refused","problem":{"type":"/problems/unknown-dead-letter","title":"Dead letter not found","status":404}}` + "\n",
		"{\"line\":1,\"result\":\"done\"}\n<html>\n",
	}
	stdout, stderr, err := d.run(t, `{"id":"0-1"}`, "dlq", "import", "-")
	if want := "-:1 0-1 discard done\n-:2 0-2 note unchanged\n-:3 0-9 edit refused\n"; stdout != want || stderr != "ordersctl: -:3: Dead letter not found\n" || fmt.Sprint(err) != "decisions 3: 1 done, 1 unchanged, 1 refused" {
		t.Errorf("got %q, %q, %v; want %q", stdout, stderr, err, want)
	}
	if _, _, err := d.run(t, `{"id":"0-1"}`, "dlq", "import", "-"); err == nil || !strings.Contains(told(err), "hint: an import can be repeated") {
		t.Errorf("cut off: got %v, want a hint", err)
	}
}

func TestListsShowGroupsAndJobs(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	g := client.Group{
		ID: "c1", Topic: "orders.dlq", Step: "shipping", Reason: "no-route", Class: "permanent", Message: "no zone for ‹text›", Total: 12,
		Counts: client.GroupCounts{Open: 9, Parked: 1, Discarded: 2}, FirstFailed: noon, LastFailed: noon.Add(time.Hour), HoursFrom: noon, Notes: []client.Note{},
	}
	foreign := g
	foreign.ID, foreign.Topic, foreign.Step, foreign.Counts, foreign.Total = "c2", "payments.dlt", "", client.GroupCounts{Sent: 3}, 3
	d.answers["GET /v1/dead-letters/groups"] = []any{map[string]any{"groups": []client.Group{g, foreign}, "total": 5}}
	d.answers["GET /v1/replays"] = []any{map[string]any{"replays": []client.ReplayJob{job(1, "running", client.ReplayCounts{Confirmed: 3})}}}
	d.answers["GET /v1/replays/job_1"] = []any{with(job(9, "halted", client.ReplayCounts{Confirmed: 4, FailedAgain: 2}), func(j *client.ReplayJob) {
		j.Rate, j.StopAbove, j.Override, j.Patch, j.Runner = 50, 0.1, true, json.RawMessage(`[{"op":"remove","path":"/note"}]`), "api-1"
		j.Halted = &client.Halted{At: noon, Why: "2 of 6 failed again"}
	})}
	for _, row := range []struct{ args, stdout, stderr string }{
		{"groups", "c1  12  shipping      no-route  2026-03-01T13:00:00Z  2026-03-01T12:00:00Z  9 open, 1 parked, 2 discarded  -  no zone for ‹text›\n" +
			"c2  3   payments.dlt  no-route  2026-03-01T13:00:00Z  2026-03-01T12:00:00Z  3 sent                         -  no zone for ‹text›\n", "ordersctl: 3 more causes: see --limit\n"},
		{"jobs", "job_1  running  replay  10  3 confirmed, 7 not sent  2026-03-01T12:00:00Z  operator:ann  cause c1  New rates\n", ""},
		{"jobs list --phase running --limit 1", "job_1  running  replay  10  3 confirmed, 7 not sent  2026-03-01T12:00:00Z  operator:ann  cause c1  New rates\n", ""},
		{"jobs show job_1", "job_1 halted 10: 4 confirmed, 2 failed again, 4 not sent\n  asked    replay, cause c1, 50 a second, stops above 10 %, parked ones too, with a patch\n" +
			"  started  2026-03-01T12:00:00Z by operator:ann: New rates\n  halted   2026-03-01T12:00:00Z: 2 of 6 failed again\n  runner   api-1\n", ""},
	} {
		stdout, stderr, err := d.run(t, "", append([]string{"dlq"}, strings.Fields(row.args)...)...)
		if diff := gocmp.Diff(row.stdout, stdout); diff != "" || stderr != row.stderr || err != nil {
			t.Errorf("%s: got %q, %v, stdout (-want +got):\n%s", row.args, stderr, err, diff)
		}
	}
}
