package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

func TestRequestsOfTheDeskContainTheArguments(t *testing.T) {
	t.Parallel()
	c, r := setup(t, answer(http.StatusOK, "{}"))
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := client.DeadLetterFilter{States: []string{"open", "lost"}, Class: "down", Cause: "c1", Topic: "t", Words: "a&b", From: at, To: at.Add(time.Hour)}
	const filtered = "cause=c1&class=down&from=2026-03-01T12%3A00%3A00Z"
	const json = " Content-Type=application/json "
	for _, row := range []struct {
		call func() error
		want string
	}{
		{func() error { _, _, err := c.Groups(ctx, f, 7); return err }, "GET /v1/dead-letters/groups?" + filtered + "&limit=7&q=a%26b&state=open%2Clost&to=2026-03-01T13%3A00%3A00Z&topic=t"},
		{func() error { _, _, err := c.Groups(ctx, client.DeadLetterFilter{}, 0); return err }, "GET /v1/dead-letters/groups"},
		{func() error { _, err := c.DeadLetter(ctx, "a/b:0-1"); return err }, "GET /v1/dead-letters/a%2Fb:0-1"},
		{func() error { _, err := c.Replay(ctx, "3-1", "why"); return err }, `POST /v1/dead-letters/3-1/replay` + json + `{"reason":"why"}`},
		{func() error { _, err := c.ReplayParked(ctx, "3-1", ""); return err }, `POST /v1/dead-letters/3-1/replay` + json + `{"override":true}`},
		{func() error {
			_, err := c.Edit(ctx, "3-1", client.NewEdit{Version: 2, Value: []byte(`{"a":1}`), Reason: "r"})
			return err
		}, `POST /v1/dead-letters/3-1/edit` + json + `{"version":2,"value":{"a":1},"reason":"r"}`},
		{func() error {
			_, err := c.PreviewEdit(ctx, "3-1", client.NewEdit{Value: []byte(`"x"`), Encoding: "base64"})
			return err
		}, `POST /v1/dead-letters/3-1/edit?preview=true` + json + `{"version":0,"value":"x","encoding":"base64"}`},
		{func() error { _, err := c.Discard(ctx, "3-1", "r"); return err }, `POST /v1/dead-letters/3-1/discard` + json + `{"reason":"r"}`},
		{func() error { _, err := c.Restore(ctx, "3-1", ""); return err }, `POST /v1/dead-letters/3-1/restore`},
		{func() error { _, err := c.Note(ctx, "3-1", "t"); return err }, `POST /v1/dead-letters/3-1/notes` + json + `{"text":"t"}`},
		{func() error { _, err := c.Group(ctx, "c/1"); return err }, "GET /v1/dead-letters/groups/c%2F1"},
		{func() error { _, err := c.Assign(ctx, "c/1", ""); return err }, `POST /v1/dead-letters/groups/c%2F1/assign` + json + `{}`},
		{func() error { _, err := c.Assign(ctx, "c/1", "ann"); return err }, `POST /v1/dead-letters/groups/c%2F1/assign` + json + `{"to":"ann"}`},
		{func() error { return c.Release(ctx, "c/1") }, `POST /v1/dead-letters/groups/c%2F1/assign` + json + `{"release":true}`},
		{func() error { _, err := c.NoteGroup(ctx, "c/1", "t"); return err }, `POST /v1/dead-letters/groups/c%2F1/notes` + json + `{"text":"t"}`},
		{func() error {
			_, err := c.PreviewFix(ctx, client.Fix{Selection: client.Selection{All: true}, Patch: []byte(`[]`), Override: true}, "n")
			return err
		}, `POST /v1/dead-letters/fix?cursor=n` + json + `{"selection":{"all":true},"patch":[],"override":true}`},
		{func() error {
			body, err := c.Export(ctx, client.DeadLetterFilter{Reason: "no-route"}, "csv")
			return errors.Join(err, body.Close())
		}, "GET /v1/dead-letters/export?format=csv&reason=no-route"},
		{func() error {
			for _, err := range c.Import(ctx, strings.NewReader("{}\n")) {
				return err
			}
			return nil
		}, "POST /v1/dead-letters/import Content-Type=application/x-ndjson {}"},
	} {
		if err := row.call(); err != nil {
			t.Errorf("%s: got %v", row.want, err)
		}
		if got := r.asked[len(r.asked)-1]; got != row.want {
			t.Errorf("got request\n%s\nwant\n%s", got, row.want)
		}
	}
}

func TestRequestsForReplayJobsContainTheArguments(t *testing.T) {
	t.Parallel()
	c, r := setup(t, answer(http.StatusOK, "{}"))
	ctx := t.Context()
	const json = " Content-Type=application/json "
	for _, row := range []struct {
		call func() error
		want string
	}{
		{func() error {
			_, err := c.StartReplay(ctx, client.NewReplayJob{
				Selection: client.Selection{IDs: []string{"3-1"}}, DryRun: true, Rate: 0.5, Ramp: []int{1, 5}, StopAbove: 0.1, PauseOnNewCause: true, Patch: []byte(`[]`), Override: true, ReplayTo: "t", Reason: "r",
			})
			return err
		}, `POST /v1/replays` + json + `{"selection":{"ids":["3-1"]},"dry_run":true,"rate":0.5,"ramp":[1,5],"stop_above":0.1,"patch":[],"pause_on_new_cause":true,"override":true,"replay_to":"t","reason":"r"}`},
		{func() error {
			_, err := c.StartReplay(ctx, client.NewReplayJob{Selection: client.Selection{Filter: &client.DeadLetterFilter{Cause: "c1", Words: "zoe"}}})
			return err
		}, `POST /v1/replays` + json + `{"selection":{"filter":{"cause":"c1","q":"zoe"}}}`},
		{func() error {
			_, _, err := c.Replays(ctx, client.ReplayQuery{Phase: "halted", Limit: 7, Cursor: "n"})
			return err
		}, "GET /v1/replays?cursor=n&limit=7&phase=halted"},
		{func() error { _, err := c.ReplayJob(ctx, "job/1"); return err }, "GET /v1/replays/job%2F1"},
		{func() error { _, err := c.Forecasts(ctx, "job_1", 7, "n"); return err }, "GET /v1/replays/job_1/forecasts?cursor=n&limit=7"},
		{func() error { _, err := c.PauseReplay(ctx, "job_1", "r"); return err }, `POST /v1/replays/job_1/pause` + json + `{"reason":"r"}`},
		{func() error { _, err := c.ResumeReplay(ctx, "job_1", ""); return err }, `POST /v1/replays/job_1/resume`},
		{func() error { _, err := c.CancelReplay(ctx, "job_1", ""); return err }, `POST /v1/replays/job_1/cancel`},
		{func() error { _, err := c.ChangeReplayRate(ctx, "job_1", 0, "r"); return err }, `POST /v1/replays/job_1/rate` + json + `{"rate":0,"reason":"r"}`},
	} {
		if err := row.call(); err != nil {
			t.Errorf("%s: got %v", row.want, err)
		}
		if got := r.asked[len(r.asked)-1]; got != row.want {
			t.Errorf("got request\n%s\nwant\n%s", got, row.want)
		}
	}
}

func TestWatchReplayReconnectsUntilTheJobHasEnded(t *testing.T) {
	t.Parallel()
	progress := func(revs ...int64) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, rev := range revs {
				fmt.Fprintf(w, "id: %d\ndata: {\"rev\":%d,\"phase\":\"running\"}\n\n", rev, rev)
			}
		}
	}
	c, r := setup(t, progress(3, 4), answer(http.StatusServiceUnavailable, "{}"), progress(9), answer(http.StatusNoContent, ""))
	var got []int64
	for j, err := range c.WatchReplay(t.Context(), "job_1", -1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, j.Rev)
	}
	const path = "GET /v1/replays/job_1/events"
	want := []string{path, path + " Last-Event-Id=4", path + " Last-Event-Id=4", path + " Last-Event-Id=9"}
	if diff := cmp.Diff(want, r.asked); diff != "" || fmt.Sprint(got) != "[3 4 9]" {
		t.Errorf("got revs %v, requests (-want +got):\n%s", got, diff)
	}
}

func TestImportEndsWithAnUnreadableResult(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]http.HandlerFunc{
		"a refusal": answer(http.StatusForbidden, "{}"),
		"garbage":   answer(http.StatusOK, "{\"line\":1,\"result\":\"done\"}\n<html>\n{}\n"),
		"a cut": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "{\"line\":1,\"result\":\"done\"}\n{\"li")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"a long line": answer(http.StatusOK, strings.Repeat("x", 2<<20)),
	} {
		c, _ := setup(t, with)
		var errs []error
		for _, err := range c.Import(t.Context(), strings.NewReader("{}\n")) {
			if err != nil {
				errs = append(errs, err)
			} else if len(errs) > 0 {
				t.Errorf("%s: a result follows the error %v", name, errs)
			}
		}
		if len(errs) != 1 {
			t.Errorf("%s: got %v, want one error", name, errs)
		}
	}
}

func TestExportThatIsCutOffIsAnError(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "{}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	body, err := c.Export(t.Context(), client.DeadLetterFilter{}, "ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err == nil || string(text) != "{}\n" {
		t.Errorf("got %q, %v; want an error after the line", text, err)
	}
}
