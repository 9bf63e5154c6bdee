//go:build synctests

package httpapi_test

import (
	"bufio"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// selectedOf are the counts of a page of a job: what is selected, and the parts of the sum.
func selectedOf(t *testing.T, page string) (total int, parts []int) {
	t.Helper()
	_, sum, _ := strings.Cut(page, `<dl class="sum">`)
	sum, _, _ = strings.Cut(sum, "</dl>")
	for i, found := range regexp.MustCompile(`<dd[^>]*>([0-9,]+)</dd>`).FindAllStringSubmatch(sum, -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
		must(t, err)
		if i == 0 {
			total = n
		} else {
			parts = append(parts, n)
		}
	}
	return total, parts
}

// addsUp fails the test unless the counts of a page of a job add up.
func addsUp(t *testing.T, page string, want int) {
	t.Helper()
	total, parts := selectedOf(t, page)
	sum := 0
	for _, n := range parts {
		sum += n
	}
	if total != want || sum != want || len(parts) < 3 {
		t.Errorf("got %d = %v, want parts that add up to %d", total, parts, want)
	}
}

// actionOf is where a form of a page posts to.
func (b *reader) actionOf(page, form string) string {
	b.t.Helper()
	found := regexp.MustCompile(form + `method="post" action="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		b.t.Fatalf("the page has no form %q: %s", form, page)
	}
	return html.UnescapeString(found[1])
}

// jobOf starts a replay on a page, and returns the path of its page.
func (b *reader) jobOf(query string, form url.Values) string {
	b.t.Helper()
	status, body, to := b.post(b.actionOf(b.opened("/desk/replays/new?"+query), `<form id="start" `), form)
	path, _, _ := strings.Cut(to, "?")
	if status != http.StatusSeeOther || !strings.HasPrefix(path, "/desk/replays/job_") {
		b.t.Fatalf("got %d to %q: %s", status, to, body)
	}
	return path
}

// jobIn is the ID of the job of a page.
func jobIn(path string) string { return strings.TrimPrefix(path, "/desk/replays/") }

func TestNewReplayNamesWhatItSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		ids := s.dead(t, 30)
		l, err := s.view.DeadLetter(t.Context(), ids[0])
		must(t, err)
		b.opened("/desk/replays", "There was no replay yet")
		b.opened("/desk/replays/new", "Nothing is selected")
		b.opened("/desk/replays/new?state=closed", "None that can be replayed is selected")
		b.opened("/desk/replays/new?all=true", "Replay 30 dead letters")
		b.opened("/desk/replays/new?cause="+l.CauseID, "Replay 30 dead letters", "One order is sent first.", "Start with 1 of 30", "<b>4</b><small>then")
		b.opened("/desk/replays/new?id="+ids[0]+"&id="+ids[1], "Replay 2 dead letters", ">"+ids[1]+"<")
		for form, want := range map[string]string{
			"ramp=x": "Must be whole numbers with commas between", "ramp=0": "Must be a whole number from 1 to 1000000.", "rate=fast": "Must be a number; nothing is unlimited.",
			"rate=-1": "Must be a number from 0 to", "stop_above=101": "Must be a number from 0 to 100; nothing is never.", "reason=" + strings.Repeat("x", 501): `id="e-reason"`,
		} {
			values, err := url.ParseQuery(form)
			must(t, err)
			body := b.refused("/desk/replays/new?cause="+l.CauseID, values, 422, want, `aria-invalid="true"`)
			for _, v := range values {
				b.shows(form, body, `value="`+v[0]+`"`)
			}
		}
		b.refused("/desk/replays/new", nil, 422, "Nothing is selected")
		b.opened("/desk/replays/new?id=9-9&id=9-9", "Replay 1 dead letter<", "Start with 1 of 1")
		if n := len(s.Records(t, s.Topics.Desk)); n != 0 {
			t.Errorf("got %d records, want that nothing was started", n)
		}
		path := b.jobOf("cause="+l.CauseID, url.Values{"ramp": {"2, 3, rest"}, "rate": {"1.5"}, "stop_above": {"10"}, "reason": {"Depot is back"}})
		body := b.opened(path, "Replay of 30 dead letters", "1.5 a second", "more than 10\u00a0% of a step", "Depot is back", "Pause", "Cancel…", "No result is known yet.")
		addsUp(t, body, 30)
		b.opened("/desk", "Replay of 30 dead letters", "0 confirmed, 0 failed again, 30 not sent yet", "Open replay", "Replays, 1 not ended")
		b.opened("/desk/groups/"+l.CauseID, "A replay of this cause has not ended.")
		b.opened("/desk/replays", path, "Depot is back")
	})
}

// TestAReplayStartsAsItsButtonSays: a button that was made for other steps starts nothing, and is made again. Enter in a
// field only shows the steps.
func TestAReplayStartsAsItsButtonSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		s.dead(t, 30)
		const at = "/desk/replays/new?all=true"
		shown := b.opened(at, `<button class="vh" name="act" value="show"`, "Start with 1 of 30")
		for ramp, want := range map[string]string{"": "Start with 30 of 30", "7, 2": "Start with 7 of 30"} {
			for act, told := range map[string]string{"start": "Nothing was started: the steps have changed.", "show": "Replay 30 dead letters"} {
				status, body, _ := b.post(at, startOf(shown, url.Values{"act": {act}, "ramp": {ramp}}))
				if status != http.StatusOK {
					t.Errorf("%s with the steps %q: got %d, want the page again", act, ramp, status)
				}
				b.shows(act, body, told, want, `name="shown" value="`+ramp+`"`)
			}
		}
		if n := len(s.Records(t, s.Topics.Desk)); n != 0 {
			t.Errorf("got %d records, want that nothing was started", n)
		}
		_, shown, _ = b.post(at, startOf(shown, url.Values{"act": {"show"}, "ramp": {"7, 2"}}))
		b.acted(at, startOf(shown, url.Values{"ramp": {"7,2"}}), "The replay was started.")
	})
}

// startOf is the form of the start on a page of a new replay, as a browser sends it with some fields changed.
func startOf(page string, change url.Values) url.Values {
	_, body, _ := strings.Cut(page, `<form id="start" `)
	form := url.Values{"act": {"start"}}
	for _, found := range regexp.MustCompile(`<input [^>]*name="([a-z]+)"[^>]* value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !strings.Contains(found[0], "checkbox") || strings.Contains(found[0], " checked") {
			form.Set(found[1], html.UnescapeString(found[2]))
		}
	}
	maps.Copy(form, change)
	return form
}

// parked is the ID of a dead letter that is parked.
func (s *shop) parked(t *testing.T) (id string) {
	t.Helper()
	state := s.place(t, wanted())
	id = s.failDead(t, &state)
	for n := range view.ParkAfter {
		s.advance(t, &state, order.Change{Status: order.Working, Replay: n + 1})
		state.Replays = n + 1
		s.failDead(t, &state)
	}
	return id
}

// TestAReplayStartsWithTheNumberOfItsButton: a choice that includes further dead letters, and those that fail meanwhile,
// start nothing if the button then says another number.
func TestAReplayStartsWithTheNumberOfItsButton(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		s.dead(t, 2)
		s.parked(t)
		const at, told = "/desk/replays/new?all=true", "Nothing was started: the number of dead letters has changed."
		again := func(page string, change url.Values, want string) string {
			status, body, _ := b.post(at, startOf(page, change))
			if status != http.StatusOK {
				t.Errorf("%v: got %d, want the page again", change, status)
			}
			b.shows(want, body, told, want)
			return body
		}
		one := b.opened(at, "Start with 1 of 2")
		parked := again(one, url.Values{"override": {"true"}, "reason": {"Depot is back"}}, "Start with 1 of 3")
		again(parked, url.Values{"override": nil}, "Start with 1 of 2")
		_, all, _ := b.post(at, startOf(one, url.Values{"act": {"show"}, "ramp": {""}}))
		b.shows("all", all, "Start with 2 of 2")
		s.dead(t, 1)
		again(all, nil, "Start with 3 of 3")
		if n := len(s.Records(t, s.Topics.Desk)); n != 0 {
			t.Errorf("got %d records, want that nothing was started", n)
		}
		b.acted(at, startOf(one, nil), "The replay was started.", "Replay of 3 dead letters") // it sends one first, as its button says
		b.acted(at, startOf(parked, nil), "The replay was started.")
	})
}

func TestAReplayIsSteeredWithoutScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		ids := s.dead(t, 2)
		path := b.jobOf("id="+ids[0]+"&id="+ids[1], url.Values{"ramp": {"1"}})
		b.acted(path+"/pause", nil, "The replay was paused.", "paused", "Resume")
		b.acted(path+"/pause", nil, "paused") // again
		b.acted(path+"/resume", nil, "running, ramp")
		b.opened(path+"/rate", "Change the rate", `value="0"`)
		b.refused(path+"/rate", url.Values{"rate": {"fast"}}, 422, "Must be a number from 0 to 1000000.", `value="fast"`)
		b.acted(path+"/rate", url.Values{"rate": {"3"}}, "The rate was changed.", "3 a second")
		b.opened(path+"/cancel", "Cancel the replay?", "2 dead letters are not sent yet")
		b.refused(path+"/cancel", url.Values{"reason": {"a\nb"}}, 422, `id="e-reason"`)
		body := b.acted(path+"/cancel", url.Values{"reason": {"Wrong ones"}}, "cancelled")
		if strings.Contains(body, "Resume") || strings.Contains(body, "Pause") {
			t.Error("a cancelled replay has acts")
		}
		addsUp(t, body, 2)
		b.refused(path+"/resume", nil, 409, "Replay job ended", "Nothing was done.")
		if status, _, _ := b.post(path+"/erase", nil); status != http.StatusNotFound {
			t.Errorf("unknown act: got %d, want 404", status)
		}
	})
}

// TestProgressIsStreamedAsCells: at each event the counts add up; the last one closes the stream.
func TestProgressIsStreamedAsCells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		state := s.place(t, wanted())
		id := s.failDead(t, &state)
		s.run(t)
		path := b.jobOf("id="+id+"&id=9-9", url.Values{"ramp": {"1"}})
		stream := s.send(t, s.raw, "GET", path+"/events", "")
		lines := bufio.NewScanner(stream.Body)
		cells, events, last := "", 0, ""
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "data: "):
				cells += line[6:] + "\n"
			case line == "" && cells != "":
				events, last = events+1, cells
				addsUp(t, cells, 2)
				if strings.Contains(cells, "data-ended") != strings.Contains(cells, "</svg>done</span>") {
					t.Errorf("event %d ends the stream of a job that goes on", events)
				}
				if total, parts := selectedOf(t, cells); total == 2 && parts[1] == 1 && state.Status == order.Dead {
					s.advance(t, &state, order.Change{Status: order.Working, Replay: 1, Job: jobIn(path)})
					s.advance(t, &state, order.Change{Status: order.Confirmed, Replay: 1, Job: jobIn(path)})
				}
				cells = ""
			}
		}
		b.shows("the last event", last, `data-ended="yes"`, "1 of 1 result confirmed.", `id="sum"`, `id="ramp"`)
		if events < 2 {
			t.Errorf("got %d events, want each change", events)
		}
		page := b.opened(path, "done", "1 unknown")
		addsUp(t, page, 2)
		if strings.Contains(page, "data-live") {
			t.Error("the page of a job that has ended is live")
		}
	})
}

// TestFailuresOfAReplayAreNamed: the stop rule halts the job at a cause that is new for its orders.
func TestFailuresOfAReplayAreNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		first, second := s.place(t, wanted()), s.place(t, wanted())
		ids := []string{s.failDead(t, &first), s.failDead(t, &second)}
		s.run(t)
		path := b.jobOf("id="+ids[0]+"&id="+ids[1], url.Values{"ramp": {"1"}, "stop_above": {"5"}})
		kafkatest.Pass(5 * time.Second)
		state := &first
		if q, err := wire.ReadReplayRequest(s.Records(t, s.Topics.Replay)[0]); err != nil || q.Origin.String() == ids[1] {
			must(t, err)
			state = &second
		}
		s.advance(t, state, order.Change{Status: order.Working, Replay: 1, Job: jobIn(path)})
		state.Replays = 1
		s.failDead(t, state)
		s.advance(t, state, order.Change{Status: order.Dead, Step: order.StepShipping, Reason: "no-route", Replay: 1, Job: jobIn(path)})
		kafkatest.Pass(5 * time.Second)
		body := b.opened(path, "stopped by its rule", "1 of 1 of a step failed again", "begins the ramp again at step 1", "Failed again", "No shipping route to the address", "Resume", "1 failed again, 100\u00a0%", "stopped")
		addsUp(t, body, 2)
	})
}

// TestAReplayPausesAtTheFirstNewCauseIfAsked: the page and the API name the cause.
func TestAReplayPausesAtTheFirstNewCauseIfAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		first, second := s.place(t, wanted()), s.place(t, wanted())
		ids := []string{s.failDead(t, &first), s.failDead(t, &second)}
		s.run(t)
		path := b.jobOf("id="+ids[0]+"&id="+ids[1], url.Values{"ramp": {"1"}, "stop_above": {""}, "pause_on_new_cause": {"true"}})
		b.opened(path, "<dd>the first new cause</dd>")
		kafkatest.Pass(5 * time.Second)
		state := &first
		if q, err := wire.ReadReplayRequest(s.Records(t, s.Topics.Replay)[0]); err != nil || q.Origin.String() == ids[1] {
			must(t, err)
			state = &second
		}
		s.advance(t, state, order.Change{Status: order.Working, Replay: 1, Job: jobIn(path)})
		r := wire.Order(state.Order)
		l := dlq.DeadLetter{
			Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: state.Origin}, Topic: s.Topics.Orders, Group: "order-workers",
			Step: order.StepEmail, Class: failure.Permanent, Reason: failure.MailRejected, Message: "no such mailbox", Attempts: 1,
			FirstFailed: time.Now(), LastFailed: time.Now(), Worker: "w", Rev: state.Rev + 1, Replays: 1, Job: jobIn(path),
		}
		s.put(t, s.Topics.DLQ, state.Origin.Partition, l.Record())
		s.advance(t, state, order.Change{Status: order.Dead, Step: l.Step, Reason: string(l.Reason), Replay: 1, Job: jobIn(path)})
		kafkatest.Pass(5 * time.Second)
		j, err := s.client.ReplayJob(t.Context(), jobIn(path))
		must(t, err)
		if j.Halted == nil || len(j.Halted.Causes) != 1 || len(j.FailedAgain) != 1 || !j.FailedAgain[0].New || j.FailedAgain[0].Cause != j.Halted.Causes[0] || !j.PauseOnNewCause {
			t.Fatalf("got %+v, halted %+v, want one new cause", j, j.Halted)
		}
		b.opened(path, "stopped by its rule", "failed again for a cause that they did not have before", j.Halted.Causes[0], "new for these", "Resume")
		j, err = s.client.ResumeReplay(t.Context(), j.ID, "")
		must(t, err)
		kafkatest.Pass(5 * time.Second)
		if j, err = s.client.ReplayJob(t.Context(), j.ID); err != nil || j.Halted != nil || j.Counts.NotSent != 0 {
			t.Errorf("resumed: got %+v, %v; want the rest sent", j, err)
		}
	})
}

// forecastOf fails the test unless a page forecasts for a step how many would pass, would fail and are not tried.
func forecastOf(t *testing.T, page string, step order.Step, want ...int) {
	t.Helper()
	_, row, _ := strings.Cut(page, `scope="row">`+string(step)+"</th>")
	row, _, _ = strings.Cut(row, "</tr>")
	var got []int
	for _, found := range regexp.MustCompile(`>([0-9]+)</td>`).FindAllStringSubmatch(row, -1) {
		n, err := strconv.Atoi(found[1])
		must(t, err)
		got = append(got, n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v that would pass, would fail and are not tried", step, got, want)
	}
}

// TestForecastSaysWhatWasNotTried: also while the dry run is not finished, and behind a step that would fail.
func TestForecastSaysWhatWasNotTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		ids := s.dead(t, 2)
		s.run(t)
		query := "id=" + ids[0] + "&id=" + ids[1]
		status, _, to := b.post(b.actionOf(b.opened("/desk/replays/new?"+query), "<form "), url.Values{"act": {"try"}})
		to, _, _ = strings.Cut(to, "#")
		if status != http.StatusSeeOther || !strings.Contains(to, "dry_run=job_") {
			t.Fatalf("got %d to %q, want the selection with the dry run", status, to)
		}
		waiting := b.opened(to, "0 of 2 tried", "The dry run is not finished")
		for _, step := range order.Steps() {
			forecastOf(t, waiting, step, 0, 0, 2)
		}
		if again := regexp.MustCompile(`<a href="([^"]+)">show what it has found`).FindStringSubmatch(waiting); again == nil || html.UnescapeString(again[1]) != to+"#forecast" {
			t.Errorf("got link %q, want %s", again, to)
		}
		kafkatest.Pass(5 * time.Second)
		for i, r := range s.Records(t, s.Topics.Replay) {
			q, err := wire.ReadReplayRequest(r)
			must(t, err)
			if !q.DryRun {
				t.Error("got a replay, want a dry run")
			}
			steps := []wire.StepForecast{{Step: order.StepShipping, Outcome: wire.StepOK}, {Step: order.StepInvoice, Outcome: wire.StepOK}, {Step: order.StepEmail, Outcome: wire.StepNotTried}}
			if i == 1 {
				steps = []wire.StepForecast{{Step: order.StepShipping, Outcome: wire.StepFails, Class: "permanent", Reason: "no-route"}}
			}
			f := wire.Forecast{Job: q.Job, DeadLetter: q.Origin.String(), At: time.Now(), Steps: steps}
			s.put(t, s.Topics.Desk, r.Partition, f.Record())
		}
		kafkatest.Pass(5 * time.Second)
		body := b.opened(to, "2 of 2 tried", "Nothing was sent, stored or numbered.", "no-route", "Run again", "Start with 1 of 2")
		if strings.Contains(body, "not finished") {
			t.Error("the dry run is not finished")
		}
		forecastOf(t, body, order.StepShipping, 1, 1, 0)
		forecastOf(t, body, order.StepInvoice, 1, 0, 1)
		forecastOf(t, body, order.StepEmail, 0, 0, 2)
		job := regexp.MustCompile(`dry_run=(job_[a-z0-9]+)`).FindStringSubmatch(to)[1]
		addsUp(t, b.opened("/desk/replays/"+job, "Dry run of 2 dead letters", "1 would fail"), 2)
		b.opened("/desk/replays/new?"+query+"&dry_run="+job, "2 of 2 tried")
		if status, _, _ := b.get("/desk/replays/new?" + query + "&dry_run=job_x"); status != http.StatusNotFound {
			t.Errorf("unknown dry run: got %d, want 404", status)
		}
	})
}

// TestAFixByRuleIsPreviewedAndStarted: what a patch does is shown before anything is stored, faults are at its field, and the job
// edits each dead letter first.
func TestAFixByRuleIsPreviewedAndStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, withPages(t))
		b := s.reader(t, "Bearer editor")
		for _, country := range []string{"DE", "DE", "AT"} {
			o := victims()
			o.ShipTo.Country = country
			if country == "AT" {
				o.ShipTo.PostalCode = "1010"
			}
			state := s.placeAs(t, "vera", o)
			s.failDead(t, &state)
		}
		all, _, err := s.view.DeadLetters(t.Context(), view.DeadLetterFilter{Limit: 9})
		must(t, err)
		path := "/desk/replays/new?cause=" + all[0].CauseID
		b.opened("/desk/groups/"+all[0].CauseID, `href="/desk/replays/new?cause=`+all[0].CauseID+`#f-patch">Fix by rule…`)
		rule := `[{"op": "test", "path": "/ship_to/country", "value": "DE"}, {"op": "replace", "path": "/ship_to/city", "value": "<b>Bonn</b>"}]`
		preview := func(patch string) url.Values {
			return url.Values{"act": {"preview"}, "patch": {patch}, "ramp": {"2, 1"}, "stop_above": {"5"}}
		}
		status, body, _ := b.post(path, preview(rule))
		if status != http.StatusOK {
			t.Errorf("got %d, want the preview", status)
		}
		b.shows("preview", body, "Of 3 dead letters:", "2 <", "would change", "1 <", "a test operation does not hold", "/ship_to/city", "<ins><bdi>&#34;&lt;b&gt;Bonn", html.EscapeString(rule), `value="2, 1"`)
		if n := len(s.Records(t, s.Topics.Desk)); n != 0 {
			t.Errorf("got %d records, want that nothing is stored", n)
		}
		for patch, want := range map[string]string{
			"{": "Must be JSON: a list of operations", "{}": `id="f-patch"`, `[{"op":"fly","path":"/note"}]`: `aria-invalid="true"`, "": `aria-invalid="true"`,
		} {
			b.refused(path, preview(patch), 422, want, html.EscapeString(patch), `role="alert"`)
		}
		operator := s.reader(t, "Bearer operator")
		operator.refused(path, preview(rule), 403)
		operator.opened(path, "Needs the role editor.")
		start := preview(rule)
		start.Set("act", "start")
		operator.refused(path, start, 403)
		status, body, to := b.post(path, start)
		if status != http.StatusSeeOther || !strings.HasPrefix(to, "/desk/replays/job_") {
			t.Fatalf("got %d to %q: %s", status, to, body)
		}
		job, err := s.as(t, "editor").ReplayJob(t.Context(), jobIn(strings.TrimSuffix(to, "?done=start")))
		must(t, err)
		if !strings.Contains(string(job.Patch), "Bonn") || job.Total != 3 {
			t.Errorf("got a job of %d with the patch %s", job.Total, job.Patch)
		}
	})
}

// TestAForeignReplayStartsWhileDeadLettersArrive: it has no steps, so it cannot begin with as many as its button says.
func TestAForeignReplayStartsWhileDeadLettersArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := besidePayments(t, withPages(t))
		b := s.reader(t, "")
		arrive := func() {
			s.put(t, "payments.dlt", 0, &kgo.Record{Value: []byte("10 EUR"), Headers: []kgo.RecordHeader{{Key: "kafka_dlt-original-topic", Value: []byte("payments")}}})
			kafkatest.Pass(2 * time.Second)
		}
		arrive()
		const at = "/desk/replays/new?topic=payments.dlt"
		form := startOf(b.opened(at, "Start with 1 of 1"), nil)
		arrive()
		b.acted(at, form, "The replay was started.", "2 dead letters")
	})
}
