//go:build synctests

package httpapi_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// dead are the IDs of so many dead letters, of orders with the notes n0, n1 …
func (s *shop) dead(t *testing.T, n int) (ids []string) {
	t.Helper()
	for i := range n {
		o := wanted()
		o.Note = fmt.Sprintf("n%d", i)
		state := s.place(t, o)
		ids = append(ids, s.failDead(t, &state))
	}
	return ids
}

func TestEachActOfTheDeskIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		state := s.placeAs(t, "vera", wanted())
		id := s.failDead(t, &state)
		at := "/v1/dead-letters/" + id
		l, err := s.view.DeadLetter(t.Context(), id)
		must(t, err)
		s.post(t, "editor", at+"/edit", `{"version":0,"value":`+with("Berlin", "Bonn")+`,"reason":"Typo"}`, 200)
		s.post(t, "editor", at+"/edit?preview=true", `{"version":1,"value":`+good+`}`, 200) // has no effect
		s.post(t, "editor", at+"/edit", `{"version":0,"value":`+with("Berlin", "Köln")+`}`, 409)
		s.post(t, "editor", at+"/discard", `{"reason":"Test"}`, 200)
		s.post(t, "operator", at+"/replay", `{}`, 409)
		s.post(t, "editor", at+"/restore", `{"reason":"No test"}`, 200)
		s.post(t, "support", at+"/notes", `{"text":"Asked\nthe customer"}`, 201)
		s.post(t, "support", "/v1/dead-letters/groups/"+l.CauseID+"/notes", `{"text":"a"}`, 201)
		time.Sleep(time.Millisecond) // acts are sorted by time
		resp := s.send(t, s.http, "POST", "/v1/replays", `{"selection":{"ids":["`+id+`"]},"reason":"Try"}`, headers("operator")...)
		job := strings.TrimPrefix(resp.Header.Get("Location"), "/v1/replays/")
		for _, act := range []string{"pause", "pause", "resume"} {
			s.post(t, "operator", "/v1/replays/"+job+"/"+act, `{"reason":"Slow"}`, 202)
		}
		s.post(t, "operator", "/v1/replays/"+job+"/rate", `{"rate":2.5}`, 202)
		s.post(t, "operator", "/v1/replays/"+job+"/cancel", "", 202)
		s.post(t, "operator", "/v1/replays/"+job+"/resume", "", 409)
		want := []string{
			"operator:operator resume replay/" + job + " refused replay-ended",
			"operator:operator cancel-job replay/" + job + " done",
			"operator:operator rate replay/" + job + " done",
			"operator:operator resume replay/" + job + " done Slow",
			"operator:operator pause replay/" + job + " done Slow", "operator:operator pause replay/" + job + " done Slow",
			"operator:operator replay-job dead-letters done Try",
			"operator:support note cause/" + l.CauseID + " done",
			"operator:support note dead-letter/" + id + " done",
			"operator:editor restore dead-letter/" + id + " done No test",
			"operator:operator replay dead-letter/" + id + " refused dead-letter-discarded",
			"operator:editor discard dead-letter/" + id + " done Test",
			"operator:editor edit dead-letter/" + id + " refused edit-conflict",
			"operator:editor edit dead-letter/" + id + " done Typo",
		}
		if diff := cmp.Diff(want, briefly(s.acts(t, ""))); diff != "" {
			t.Errorf("audit trail (-want +got):\n%s", diff)
		}
	})
}

// TestEditedReplayedAndFailedAgainIsShown writes what the worker writes.
func TestEditedReplayedAndFailedAgainIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		id := s.failDead(t, &state)
		made, err := s.client.Edit(t.Context(), id, client.NewEdit{Value: json.RawMessage(with("Berlin", "Bonn")), Reason: "Typo"})
		if err != nil || made.Version != 1 || len(made.Changes) != 1 || made.Changes[0].Pointer != "/ship_to/city" {
			t.Fatalf("edit: got %+v, %v", made, err)
		}
		_, err = s.client.Replay(t.Context(), id, "")
		must(t, err)
		q, err := wire.ReadReplayRequest(s.Records(t, s.Topics.Replay)[0])
		must(t, err)
		edited, err := q.Order()
		must(t, err)
		again := dlq.DeadLetter{
			Source: q.Source, Topic: s.Topics.Orders, Step: order.StepEmail, Class: failure.Permanent, Reason: "mail-refused", Message: "no such mailbox",
			Attempts: 2, FirstFailed: state.Order.PlacedAt, LastFailed: state.Order.PlacedAt.Add(time.Hour), Replays: 1, Edit: q.Edit, Rev: state.Rev + 2,
		}
		state.Order, state.Edit = edited, q.Edit
		s.put(t, s.Topics.DLQ, state.Origin.Partition, again.Record())
		s.advance(t, &state, order.Change{Status: order.Working, Replay: 1})
		s.advance(t, &state, order.Change{Status: order.Dead, Step: order.StepEmail, Reason: "mail-refused", Replay: 1})
		synctest.Wait()
		l, err := s.client.DeadLetter(t.Context(), id)
		must(t, err)
		var told []string
		for _, f := range l.History.Failures {
			told = append(told, fmt.Sprintf("failure of replay %d, version %d: %s", f.Replay, f.Version, f.Message))
		}
		for _, e := range l.History.Edits {
			told = append(told, fmt.Sprintf("version %d by %s: %s, %s %s", e.Version, e.By, e.Reason, e.Changes[0].Before, e.Changes[0].After))
		}
		for _, r := range l.History.Replays {
			told = append(told, fmt.Sprintf("replay %d of version %d: %s", r.Replay, r.Version, r.Result))
		}
		want := []string{
			"failure of replay 0, version 0: no route to AQ", "failure of replay 1, version 1: no such mailbox",
			`version 1 by operator:demo: Typo, "Berlin" "Bonn"`, "replay 1 of version 1: failed-again",
		}
		if diff := cmp.Diff(want, told); diff != "" || l.State != "open" || !strings.Contains(l.Record.Value, "Bonn") || l.Edit.Version != 1 {
			t.Errorf("%s, version %d, %s (-want +got):\n%s", l.State, l.Edit.Version, l.Record.Value, diff)
		}
		_, err = s.client.Edit(t.Context(), id, client.NewEdit{Value: json.RawMessage(good)})
		p, ok := err.(*client.Problem) //nolint:errorlint // it is returned as it is
		if !ok || p.Type != "/problems/edit-conflict" || p.Version != 1 {
			t.Errorf("edit of an old version: got %+v, want a conflict with version 1", err)
		}
	})
}

// exported are the lines of an export.
func (s *shop) exported(t *testing.T, parameters string) string {
	t.Helper()
	return text(t, s.send(t, s.http, "GET", "/v1/dead-letters/export"+parameters, ""))
}

// imported are the results of an import, in short.
func (s *shop) imported(t *testing.T, lines string) (all []string) {
	t.Helper()
	for r, err := range s.client.Import(t.Context(), strings.NewReader(lines)) {
		must(t, err)
		line := fmt.Sprintf("%d %s %s %s", r.Line, r.ID, r.Decision, r.Result)
		if r.Problem != nil {
			line += " " + strings.TrimPrefix(r.Problem.Type, "/problems/")
		}
		all = append(all, line)
	}
	return all
}

func TestExportedDecisionsCanBeImported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		ids := s.dead(t, 3)
		edited := strings.Replace(with("Berlin", "Bonn"), `"note":""`, `"note":"n0"`, 1)
		decisions := fmt.Sprintf("\ufeff{\"id\":%q,\"decision\":\"edit\",\"value\":%s}\r\n\n{\"id\":%q,\"decision\":\"note\",\"text\":\"=1+1\"}\n{\"id\":%q,\"decision\":\"discard\",\"reason\":\"Test\"}",
			ids[0], edited, ids[0], ids[1])
		done := []string{"1 " + ids[0] + " edit done", "3 " + ids[0] + " note done", "4 " + ids[1] + " discard done"}
		if diff := cmp.Diff(done, s.imported(t, decisions)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		lines := s.exported(t, "")
		again := s.imported(t, lines)
		for _, r := range again {
			if !strings.HasSuffix(r, " unchanged") {
				t.Errorf("of the export: got %s, want unchanged", r)
			}
		}
		if len(again) != 3 || strings.Count(lines, "\n") != 3 || strings.HasPrefix(lines, "\ufeff") {
			t.Errorf("got %q of %s, want three decisions in three lines", again, lines)
		}
		// Into another installation with the same orders, which has no decisions yet.
		other := setup(t)
		if got := other.dead(t, 1); got[0] != "" {
			refused := other.imported(t, `{"id":"`+got[0]+`","decision":"restore"}`)
			if refused[0] != "1 "+got[0]+" restore unchanged" {
				t.Errorf("restore of an open one: got %q", refused)
			}
		}
	})
}

func TestImportRefusesLinesOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		id := s.dead(t, 1)[0]
		for line, want := range map[string]string{
			`{`: "refused malformed", `[]`: "refused invalid-import", `{"id":7}`: "refused invalid-import", `{"id":"` + id + `","decision":"erase"}`: "refused invalid-import",
			`{"id":"` + id + `","decision":"discard"}`:                               "refused invalid-import",
			`{"id":"` + id + `","decision":"discard","reason":"a\nb"}`:               "refused invalid-import",
			`{"id":"` + id + `","decision":"note"}`:                                  "refused invalid-import",
			`{"id":"` + id + `","decision":"note","text":"\u0000"}`:                  "refused invalid-import",
			`{"id":"` + id + `","decision":"edit"}`:                                  "refused invalid-import",
			`{"id":"` + id + `","decision":"edit","value":"x"}`:                      "refused invalid-order",
			`{"id":"` + id + `","decision":"edit","value":{}}`:                       "refused invalid-order",
			`{"id":"` + id + `","decision":"edit","version":5,"value":` + good + `}`: "refused edit-conflict",
			`{"id":"9-9","decision":"note","text":"a"}`:                              "refused unknown-dead-letter",
			`{"id":"topic:9-9","decision":"edit","value":"a"}`:                       "refused unknown-dead-letter",
			`{"id":"topic:9-9","decision":"edit","value":{}}`:                        "refused invalid-import",
			"\"\xff\"": "refused malformed",
		} {
			all := s.imported(t, line+"\n"+`{"id":"`+id+`","decision":"restore"}`)
			if len(all) != 2 || !strings.HasSuffix(all[0], want) || !strings.HasSuffix(all[1], "unchanged") {
				t.Errorf("%s: got %q, want %s, and the next line carried out", line, all, want)
			}
		}
		for body, status := range map[string]int{strings.Repeat("{}\n", 10_001): 422, strings.Repeat(" ", 8<<20+1): 413, "": 200} {
			resp := s.send(t, s.http, "POST", "/v1/dead-letters/import", body, "Content-Type", "application/x-ndjson")
			if resp.StatusCode != status {
				t.Errorf("%d bytes: got %s, want %d", len(body), resp.Status, status)
			}
		}
		if resp := s.send(t, s.http, "POST", "/v1/dead-letters/import", "{}", "Content-Type", "application/json"); resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("JSON: got %s, want 415", resp.Status)
		}
	})
}

func TestCSVIsSafeForSpreadsheets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		ids := s.dead(t, 8)
		for i, reason := range []string{"=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1+1", `a "quoted", text`, "'=1"} {
			_, err := s.client.Discard(t.Context(), ids[i], reason)
			must(t, err)
		}
		whole := s.exported(t, "?format=csv&state=discarded")
		if !strings.HasPrefix(whole, "\ufeffid,state,") {
			t.Errorf("got %.20q, want a byte order mark and the header", whole)
		}
		rows, err := csv.NewReader(strings.NewReader(whole)).ReadAll()
		must(t, err)
		got := map[string]string{}
		for _, row := range rows[1:] {
			got[row[0]] = row[len(row)-1]
		}
		want := map[string]string{
			ids[0]: "'=1+1", ids[1]: "'+1", ids[2]: "'-1", ids[3]: "'@SUM(A1)", ids[4]: "' =1", ids[5]: "'＝1+1", ids[6]: `a "quoted", text`, ids[7]: "'=1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("reasons (-want +got):\n%s", diff)
		}
	})
}

// TestExportIsWhole has more dead letters than a page.
func TestExportIsWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.dead(t, 230)
		seen := map[string]bool{}
		for line := range strings.Lines(s.exported(t, "?state=open,parked")) {
			var l client.DeadLetter
			must(t, json.Unmarshal([]byte(line), &l))
			if seen[l.ID] || l.Record == nil {
				t.Errorf("got %s, want each dead letter once, with its record", line)
			}
			seen[l.ID] = true
		}
		if len(seen) != 230 {
			t.Errorf("got %d dead letters, want 230", len(seen))
		}
	})
}

func TestFixIsPreviewedOnEachDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		ids := s.dead(t, 120)
		invoiced := s.place(t, wanted())
		s.work(t, &invoiced)
		ids = append(ids, s.failDead(t, &invoiced), "9-9")
		fix := client.Fix{
			Selection: client.Selection{IDs: ids},
			Patch:     json.RawMessage(`[{"op":"test","path":"/ship_to/country","value":"DE"},{"op":"replace","path":"/ship_to/city","value":"Bonn"}]`),
		}
		pages, results := 0, map[string]string{}
		for cursor := ""; ; pages++ {
			p, err := s.client.PreviewFix(t.Context(), fix, cursor)
			must(t, err)
			if p.Total != 122 || p.Changed != 120 || p.Locked != 1 || p.NotEditable != 1 {
				t.Errorf("page %d: got %+v, want 120 of 122 changed", pages, p)
			}
			for _, r := range p.DeadLetters {
				results[r.ID] = r.Result
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if len(results) != 122 || pages != 2 || results[ids[120]] != "locked" || results[ids[7]] != "changed" {
			t.Errorf("got %d results on %d pages, want each once", len(results), pages+1)
		}
		fix.Patch = json.RawMessage(`[{"op":"test","path":"/note","value":"n3"},{"op":"replace","path":"/ship_to/country","value":"UK"}]`)
		fix.Selection = client.Selection{All: true}
		p, err := s.client.PreviewFix(t.Context(), fix, "")
		if err != nil || p.NotMatched != 120 || p.Invalid != 1 || p.Total != 121 {
			t.Errorf("got %+v, %v; want one invalid, and all others not matched", p, err)
		}
		for _, l := range s.Records(t, s.Topics.Desk) {
			if wire.Type(l) == wire.TypeDecision {
				t.Error("got a decision, want none of a preview")
			}
		}
	})
}

// run runs replay jobs until the test ends.
func (s *shop) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.jobs.Run(ctx) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestProgressOfAJobIsStreamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		id := s.failDead(t, &state)
		s.run(t)
		j, err := s.client.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: []string{id, "9-9"}}, Reason: "Try"})
		must(t, err)
		var seen []string
		began := time.Now()
		events := 0
		for j, err := range s.client.WatchReplay(t.Context(), j.ID, -1) {
			must(t, err)
			events++
			n := j.Counts
			if sum := n.NotSent + n.InProgress + n.Confirmed + n.FailedAgain + n.Skipped; sum != 2 {
				t.Errorf("got %+v, want counts that add up to 2", n)
			}
			if len(seen) == 0 || seen[len(seen)-1] != j.Phase {
				seen = append(seen, j.Phase)
			}
			if n.InProgress == 1 && state.Status == order.Dead {
				s.advance(t, &state, order.Change{Status: order.Working, Replay: 1, Job: j.ID})
				s.advance(t, &state, order.Change{Status: order.Confirmed, Replay: 1, Job: j.ID})
			}
		}
		if diff := cmp.Diff("done", seen[len(seen)-1]); diff != "" {
			t.Errorf("phases %q (-want +got):\n%s", seen, diff)
		}
		if most := 2 + 2*int(time.Since(began)/time.Second+1); events > most {
			t.Errorf("got %d events in %v, want at most two a second", events, time.Since(began))
		}
		last, err := s.client.ReplayJob(t.Context(), j.ID)
		if err != nil || last.Counts.Confirmed != 1 || last.Skipped["unknown"] != 1 || last.Phase != "done" {
			t.Errorf("got %+v, %v; want one confirmed, one unknown", last, err)
		}
		resp := s.send(t, s.http, "GET", "/v1/replays/"+j.ID+"/events", "", "Last-Event-ID", fmt.Sprint(last.Rev))
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("after the last event: got %s, want 204", resp.Status)
		}
	})
}

// TestAnOrderThatIsErasedDuringItsReplayIsCountedAsErased has two orders, and erases one that no worker has replayed.
func TestAnOrderThatIsErasedDuringItsReplayIsCountedAsErased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		kept, gone := s.place(t, wanted()), s.place(t, wanted())
		ids := []string{s.failDead(t, &kept), s.failDead(t, &gone)}
		s.run(t)
		j, err := s.client.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: ids}, Ramp: []int{}, Reason: "Try"})
		must(t, err)
		for j, err = range s.client.WatchReplay(t.Context(), j.ID, -1) {
			must(t, err)
			if j.Counts.InProgress == 2 {
				s.put(t, s.Topics.Status, gone.Origin.Partition, &kgo.Record{Key: []byte(gone.Order.ID)})
				s.advance(t, &kept, order.Change{Status: order.Working, Replay: 1, Job: j.ID})
				s.advance(t, &kept, order.Change{Status: order.Confirmed, Replay: 1, Job: j.ID})
			}
		}
		want := client.ReplayCounts{Confirmed: 1, Skipped: 1}
		if diff := cmp.Diff(want, j.Counts); diff != "" || j.Skipped["erased"] != 1 || j.Phase != "done" {
			t.Errorf("got a job that is %s and skipped %v (-want +got):\n%s", j.Phase, j.Skipped, diff)
		}
	})
}

func TestSelectionsThatCannotBeReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		id := s.dead(t, 1)[0]
		one := `{"selection":{"ids":["` + id + `"]}`
		for body, want := range map[string]string{
			`{}`: "invalid-selection", `{"selection":{}}`: "invalid-selection", `{"selection":{"filter":{}}}`: "empty-selection",
			`{"selection":{"all":true,"ids":["a"]}}`: "invalid-selection", `{"selection":{"ids":[]}}`: "invalid-selection", `{"selection":{"all":false}}`: "invalid-selection",
			`{"selection":{"ids":["` + id + `","` + id + `"]}}`: "invalid-selection", `{"selection":{"ids":["1-1","t:1-1"]}}`: "invalid-selection",
			`{"selection":{"filter":{"states":["dead"]}}}`: "invalid-selection", `{"selection":{"filter":{"reason":"no-such"}}}`: "empty-selection",
			`{"selection":{"filter":{"from":"yesterday"}}}`: "invalid-selection", `{"selection":{"filter":{"class":"x"}}}`: "invalid-selection",
			one + `,"rate":-1}`: "invalid-replay", one + `,"rate":"fast"}`: "invalid-replay", one + `,"rate":1e999}`: "invalid-replay", one + `,"ramp":[0]}`: "invalid-replay",
			one + `,"ramp":7}`: "invalid-replay", one + `,"stop_above":1.1}`: "invalid-replay", one + `,"reason":"a\nb"}`: "invalid-replay",
			one + `,"replay_to":"payments"}`: "invalid-replay", one + `,"patch":[]}`: "invalid-patch", one + `,"patch":[{"op":"x"}]}`: "invalid-patch",
			one + `,"what":1}`: "invalid-replay", `{"selection":{"ids":["t:1-1"]},"dry_run":true}`: "invalid-replay",
		} {
			resp := s.send(t, s.http, "POST", "/v1/replays", body, "Content-Type", "application/json")
			if got := text(t, resp); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got, "/problems/"+want+`"`) {
				t.Errorf("%s: got %s %s, want %s", body, resp.Status, got, want)
			}
		}
	})
}
