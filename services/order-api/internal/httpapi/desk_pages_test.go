//go:build synctests

package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// opened is a page that is there.
func (b *reader) opened(path string, want ...string) string {
	b.t.Helper()
	status, body, _ := b.get(path)
	if status != http.StatusOK {
		b.t.Errorf("%s: got %d %s", path, status, body)
	}
	b.shows(path, body, want...)
	return body
}

func (b *reader) shows(what, body string, want ...string) {
	b.t.Helper()
	for _, w := range want {
		if !strings.Contains(body, w) {
			b.t.Errorf("%s lacks %q", what, w)
		}
	}
}

// acted posts a form that is accepted, and returns the page that the answer leads to.
func (b *reader) acted(path string, form url.Values, want ...string) string {
	b.t.Helper()
	status, body, to := b.post(path, form)
	if status != http.StatusSeeOther {
		b.t.Fatalf("%s: got %d %s, want it accepted", path, status, body)
	}
	return b.opened(to, want...)
}

// refused posts a form that is not accepted, and returns the page that says so.
func (b *reader) refused(path string, form url.Values, want int, words ...string) string {
	b.t.Helper()
	status, body, _ := b.post(path, form)
	if status != want {
		b.t.Errorf("%s: got %d, want %d", path, status, want)
	}
	b.shows(path, body, words...)
	return body
}

func TestDeskShowsCausesAndDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		b.opened("/desk", "Nothing is dead", "Closed dead letters")
		b.opened("/desk/dead-letters", "Nothing is dead")
		ids := s.dead(t, 53)
		id := ids[len(ids)-1]
		l, err := s.view.DeadLetter(t.Context(), id)
		must(t, err)
		body := b.opened("/desk", "53 dead letters, 1 cause.", "No shipping route to the address", "no route to AQ", "/desk/replays/new?cause="+l.CauseID, "state=lost%2Cparked%2Copen")
		if n := strings.Count(body, `<tr role="row">`); n != 2 {
			t.Errorf("got %d rows, want the head and one cause", n)
		}
		b.opened("/desk?step=invoice", "No dead letter matches", "Remove the filter")
		b.opened("/desk?step=shipping&class=permanent", "53 dead letters", `<option value="shipping" selected>`)
		first := b.opened("/desk/groups/"+l.CauseID, "53 open.", `<a href="/desk/dead-letters?cause=`+l.CauseID+`">filter them</a>`, "Replay all 53…", "Zoë Łukasiewicz", "49.80", "No field differs much")
		next := regexp.MustCompile(`href="(/desk/groups/[^"]*cursor=[^"]*)">Next 50`).FindStringSubmatch(first)
		if next == nil || strings.Count(first, `name="id"`) != 50 {
			t.Fatalf("got %d rows and next %v, want a page of 50", strings.Count(first, `name="id"`), next)
		}
		if second := b.opened(next[1], "First page"); strings.Count(second, `name="id"`) != 3 || strings.Contains(second, "Next 50") {
			t.Errorf("got %d rows on the second page, want the last 3", strings.Count(second, `name="id"`))
		}
		b.opened("/desk/dead-letters?cause="+l.CauseID, "53 dead letters", "Replay all that match…", "Cause: ")
		b.opened("/desk/dead-letters?q="+id, "1 dead letter<", ">"+id+"</a>")
		if body := b.opened("/desk/dead-letters?state=closed", "No dead letter matches"); strings.Contains(body, "Replay all that match") {
			t.Error("closed dead letters can be replayed")
		}
		b.opened("/desk/dead-letters/"+id, "Dead letter "+id, "Nothing is settled yet", "no route to AQ", "A replay resumes at shipping.", "It issues the invoice.",
			"The customer gets one mail.", "10115", "Next of this cause", "ce_type")
		for path, want := range map[string]string{
			"/desk?state=&q=&step=": "/desk", "/desk/dead-letters?state=parked&q=": "/desk/dead-letters?state=parked", "/desk/audit?actor=&act=": "/desk/audit",
		} {
			if status, _, to := b.get(path); status != http.StatusSeeOther || to != want {
				t.Errorf("%s: got %d to %q, want %s", path, status, to, want)
			}
		}
		for path, want := range map[string]int{
			"/desk?state=odd": 400, "/desk?what=1": 400, "/desk/dead-letters?cursor=x": 400, "/desk/dead-letters/9-9": 404, "/desk/dead-letters/%3Cb%3E": 404,
			"/desk/groups/cause_x": 404, "/desk/replays/job_x": 404, "/desk/audit?outcome=odd": 400, "/desk/nothing": 404,
		} {
			if status, _, _ := b.get(path); status != want {
				t.Errorf("%s: got %d, want %d", path, status, want)
			}
		}
	})
}

func TestActsOfTheDeskNeedNoScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		id := s.dead(t, 1)[0]
		l, err := s.view.DeadLetter(t.Context(), id)
		must(t, err)
		at, cause := "/desk/dead-letters/"+id, "/desk/groups/"+l.CauseID
		b.acted(at+"/note", url.Values{"text": {"Asked\r\nthe customer"}}, "The note was saved.", "Asked\nthe customer", "operator:demo")
		b.refused(at+"/note", url.Values{"text": {""}}, 422, "Invalid note", `aria-invalid="true"`)
		b.refused(at+"/note", url.Values{"text": {strings.Repeat("ab", 5000)}}, 422, strings.Repeat("ab", 5000)+"</textarea>")
		b.acted(cause+"/note", url.Values{"text": {"Depot <b>closed</b>"}}, "Depot &lt;b&gt;closed&lt;/b&gt;")
		b.acted(cause+"/assign", url.Values{"act": {"me"}}, "assigned to <bdi>operator:demo</bdi>", "Release")
		b.acted(cause+"/assign", url.Values{"act": {"release"}}, "Assign to me")
		b.opened(at+"/discard", "Discard dead letter "+id+"?", "You can restore it later.")
		b.refused(at+"/discard", url.Values{"reason": {""}}, 422, "Must not be empty.", "Nothing was done.")
		b.refused(at+"/discard", url.Values{"reason": {" "}}, 422, "Must not be empty.", "Nothing was done.")
		b.refused(at+"/discard", url.Values{"reason": {"a\nb"}}, 422, `id="e-reason"`)
		b.acted(at+"/discard", url.Values{"reason": {"Load test"}}, "discarded", "Load test", "Restore")
		b.refused(at+"/replay", nil, 409, "Dead letter discarded", "Nothing was done.", "Restore")
		b.acted(at+"/restore", nil, "The dead letter was restored.", `class="btn go">Replay`)
		b.refused(at+"/restore", nil, 409, "Dead letter not discarded")
		b.acted(at+"/replay", url.Values{"reason": {"Depot is back"}}, "The replay was requested.")
		if n := len(s.Records(t, s.Topics.Replay)); n != 1 {
			t.Errorf("got %d requests, want one", n)
		}
		b.opened("/desk/audit?target=dead-letter%2F"+id, "discard", "Load test", "dead-letter-discarded", "Depot is back", `href="/desk/dead-letters/`+id+`"`)
		b.opened("/desk/audit?act=assign", "cause/"+l.CauseID, `href="`+cause+`"`)
		b.opened("/desk/audit?actor=unknown", "No act matches")
	})
}

// TestEachStateOfADeadLetterHasItsActs: what has become of it, and what can be done.
func TestEachStateOfADeadLetterHasItsActs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		state := s.place(t, wanted())
		s.work(t, &state)
		id := s.failDead(t, &state)
		at := "/desk/dead-letters/" + id
		b.opened(at, "Shipping and invoice are done; only the mail is missing.", "INV-1")
		for n := range 5 {
			s.advance(t, &state, order.Change{Status: order.Working, Replay: n + 1})
			if n == 0 {
				if body := b.opened(at, "in flight", "A replay of it is in flight.", "in progress"); strings.Contains(body, `class="sticky"`) {
					t.Error("a dead letter in flight has acts")
				}
			}
			state.Replays = n + 1
			s.failDead(t, &state)
		}
		b.opened(at, "parked", "it was replayed 5 times without success", "Replay…", "Failed again", "the same error")
		b.opened("/desk", "1 parked: replayed 5 times without success", "5 replayed, none confirmed")
		b.opened(at+"/replay", "is parked", `name="override" value="true"`)
		b.refused(at+"/replay", nil, 409, "Dead letter parked")
		b.refused(at+"/replay", url.Values{"override": {"true"}}, 422, "Must not be empty.")
		b.acted(at+"/replay", url.Values{"override": {"true"}, "reason": {"Mailbox made"}}, "The replay was requested.")
		s.advance(t, &state, order.Change{Status: order.Working, Replay: 6})
		s.advance(t, &state, order.Change{Status: order.Confirmed, Replay: 6})
		b.opened(at, "closed", "The order is confirmed.", "Replay 6:", "confirmed")
		b.refused(at+"/discard", url.Values{"reason": {"late"}}, 409, "Dead letter already closed", `value="late"`)
		b.refused(at+"/edit", url.Values{"version": {"0"}, "text": {good}, "act": {"save"}}, 409, "Dead letter already closed", "Your draft is kept.", "10115")
	})
}

// TestACauseOffersItsNextAct: a dry run where that can tell what a replay does, and a rule when replays did not help.
func TestACauseOffersItsNextAct(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, withPages(t))
		viewer, operator, editor := s.reader(t, "Bearer viewer"), s.reader(t, "Bearer operator"), s.reader(t, "Bearer editor")
		state := s.placeAs(t, "vera", wanted())
		l, err := s.view.DeadLetter(t.Context(), s.failDead(t, &state))
		must(t, err)
		cause, begin := "/desk/groups/"+l.CauseID, "/desk/replays/new?cause="+l.CauseID
		dryRun, fix := `action="`+begin+`"><button class="btn s" name="act" value="try">Dry run<`, `href="`+begin+`#f-patch">Fix by rule…<`
		viewer.opened("/desk", `href="`+cause+`">Open<`)
		operator.opened("/desk", dryRun)
		operator.opened(cause, dryRun)
		if status, _, to := operator.post(begin, url.Values{"act": {"try"}}); status != http.StatusSeeOther || !strings.Contains(to, "dry_run=job_") {
			t.Errorf("got %d to %q, want the forecast", status, to)
		}
		s.advance(t, &state, order.Change{Status: order.Working, Replay: 1})
		state.Replays = 1
		s.failDead(t, &state)
		operator.opened("/desk", dryRun)
		editor.opened("/desk", fix)
		mailed := s.placeAs(t, "vera", wanted())
		r := wire.Order(mailed.Order)
		refused := dlq.DeadLetter{
			Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: mailed.Origin}, Topic: s.Topics.Orders, Step: order.StepEmail, Class: failure.Permanent,
			Reason: failure.MailRejected, Message: "no such mailbox", Attempts: 1, FirstFailed: time.Now(), LastFailed: time.Now(), Rev: mailed.Rev + 1,
		}
		s.put(t, s.Topics.DLQ, mailed.Origin.Partition, refused.Record())
		s.advance(t, &mailed, order.Change{Status: order.Dead, Step: refused.Step, Reason: string(refused.Reason)})
		l, err = s.view.DeadLetter(t.Context(), refused.ID())
		must(t, err)
		editor.opened("/desk", `href="/desk/replays/new?cause=`+l.CauseID+`">Replay…<`)
	})
}

// TestWhatIsNoOrderIsOfferedNoEdit: the desk offers no act that is refused, or that fails again for certain.
func TestWhatIsNoOrderIsOfferedNoEdit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		l := dlq.DeadLetter{
			Source: wire.Source{Key: []byte("k"), Value: []byte("no order"), Origin: order.Origin{Partition: 1, Offset: 7}}, Topic: s.Topics.Orders,
			Class: failure.Permanent, Reason: failure.Undecodable, Message: "not a record of this application", Attempts: 1, FirstFailed: time.Now(), LastFailed: time.Now(),
		}
		s.put(t, s.Topics.DLQ, 1, l.Record())
		time.Sleep(2 * time.Second)
		at := "/desk/dead-letters/" + l.ID()
		for path, want := range map[string]string{"/desk": "See bytes", at: "it fails again until a newer worker can read it"} {
			body := b.opened(path, want, "annot be edited")
			if strings.Contains(body, "needs an edit") || strings.Contains(body, "Edit…") || strings.Contains(body, `class="btn go"`) {
				t.Errorf("%s leads to an edit, or to a replay that fails again", path)
			}
		}
		status, body, _ := b.get(at + "/edit")
		if status != http.StatusConflict {
			t.Errorf("got %d, want 409", status)
		}
		b.shows("the edit", body, "Dead letter cannot be edited", `href="/desk">Go to the desk`)
	})
}

func TestADraftSurvivesFaultsAndConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		id := s.dead(t, 1)[0]
		at := "/desk/dead-letters/" + id + "/edit"
		page := b.opened(at, "A save makes version 1; the original is kept.", `name="version" value="0"`, "&#34;city&#34;: &#34;Berlin&#34;")
		if strings.Contains(page, `aria-label="locked"`) {
			t.Error("a line is locked before the invoice")
		}
		form := func(text, version, act string) url.Values {
			return url.Values{"text": {strings.ReplaceAll(text, "\n", "\r\n")}, "version": {version}, "act": {act}, "reason": {"Typo"}}
		}
		draft := strings.ReplaceAll(with("Berlin", "Bonn"), `,"`, ",\n\"")
		status, body, _ := b.post(at, form(draft, "0", "preview"))
		if status != http.StatusOK || len(s.Records(t, s.Topics.Desk)) != 0 {
			t.Errorf("preview: got %d, want that nothing is stored", status)
		}
		b.shows("preview", body, "Valid.", "/ship_to/city", "<b>erli</b>", "<b>on</b>", `class="del"`, `class="ins"`, `value="Typo"`)
		b.refused(at, form("{\n\"customer\": {\n", "0", "save"), 422, "Nothing was saved.", "Line 3", "must be JSON")
		b.refused(at, form(strings.Replace(draft, `"DE"`, `"UK"`, 1), "0", "save"), 422, "Line 6, <code>/ship_to/country</code>", "&#34;UK&#34;")
		b.refused(at, form(strings.Replace(draft, `"note"`, `"nota"`, 1), "0", "save"), 422, "<code>/nota</code> is an unknown field", "Line 10")
		b.refused(at, form(draft, "x", "save"), 400, "Invalid parameter")
		// Somebody else saves a version meanwhile.
		other := s.reader(t, "")
		other.acted(at, form(with("Berlin", "Köln"), "0", "save"), "The edit was saved.", "Version 1", "Köln")
		body = b.refused(at, form(draft, "0", "save"), 409, "Somebody else has saved version", "Your draft is kept", `name="version" value="1"`, "<b>Köl</b>", "<b>Bon</b>", `value="Typo"`)
		if !strings.Contains(body, "&#34;city&#34;:&#34;Bonn&#34;") {
			t.Error("the draft is lost")
		}
		if again := b.acted(at, form(draft, "1", "replay"), "The replay was requested.", "Version 2", "Bonn"); strings.Contains(again, "Version 3") {
			t.Error("got a third version, want two")
		}
		q, err := wire.ReadReplayRequest(s.Records(t, s.Topics.Replay)[0])
		must(t, err)
		if o, err := q.Order(); err != nil || o.ShipTo.City != "Bonn" || q.Edit != 2 {
			t.Errorf("got version %d to %q, %v; want the second one to Bonn", q.Edit, o.ShipTo.City, err)
		}
	})
}

func TestLockedLinesStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		state := s.place(t, wanted())
		s.work(t, &state)
		at := "/desk/dead-letters/" + s.failDead(t, &state) + "/edit"
		if page := b.opened(at, "are printed on invoice INV-1"); strings.Count(page, `aria-label="locked"`) < 8 {
			t.Errorf("got %d locked lines, want those of the invoice", strings.Count(page, `aria-label="locked"`))
		}
		b.refused(at, url.Values{"text": {with("Berlin", "Bonn")}, "version": {"0"}, "act": {"preview"}}, 409, "is printed on the stored invoice", "/ship_to/city")
		b.acted(at, url.Values{"text": {with("zoe@example.com", "zoe@example.test")}, "version": {"0"}, "act": {"save"}}, "zoe@example.test")
	})
}

// TestSelectedDeadLettersAreDiscarded: the question says how many wait for a decision, each has an act in the audit trail, and those
// that do not wait stay as they are.
func TestSelectedDeadLettersAreDiscarded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		var ids []string
		for range 3 {
			state := s.place(t, wanted())
			ids = append(ids, s.failDead(t, &state))
		}
		b.opened("/desk/dead-letters", `formaction="/desk/discard">Discard the selected…`)
		chosen := url.Values{"id": {ids[0], ids[1], ids[0]}}
		b.opened("/desk/discard?"+chosen.Encode(), "Discard 2 dead letters?", `value="`+ids[0]+`"`, `value="`+ids[1]+`"`)
		b.refused("/desk/discard", chosen, 422, "Must not be empty.", "Nothing was done.")
		b.refused("/desk/discard", url.Values{"reason": {"Test orders"}}, 422, "select from 1 to 50 dead letters")
		chosen.Set("reason", "Test orders")
		page := b.acted("/desk/discard", chosen, "The selected dead letters were discarded.", ids[0], ids[1])
		if strings.Contains(page, `value="`+ids[2]+`"`) {
			t.Errorf("%s is discarded, too", ids[2])
		}
		for i, want := range []view.DeadLetterState{view.Discarded, view.Discarded, view.Open} {
			if l, err := s.view.DeadLetter(t.Context(), ids[i]); err != nil || l.State != want {
				t.Errorf("%s: got %s, %v; want %s", ids[i], l.State, err, want)
			}
		}
		acts := map[string]string{}
		for _, a := range s.acts(t, "&act=discard") {
			acts[a.Target] = a.Reason
		}
		for _, id := range ids[:2] {
			if acts["dead-letter/"+id] != "Test orders" {
				t.Errorf("the audit trail lacks the discard of %s: it has %v", id, acts)
			}
		}
		b.opened("/desk/discard?"+url.Values{"id": ids}.Encode(), "Discard 1 dead letter?", "2 of 3 selected do not wait for a decision")
	})
}

// TestRolesSeeWhatTheyMay: masked data, disabled buttons that say which role is missing, and refused
// attempts in the audit trail.
func TestRolesSeeWhatTheyMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, withPages(t))
		state := s.placeAs(t, "vera", victims())
		id := s.failDead(t, &state)
		l, err := s.view.DeadLetter(t.Context(), id)
		must(t, err)
		at, cause := "/desk/dead-letters/"+id, "/desk/groups/"+l.CauseID
		s.reader(t, "Bearer support").acted(at+"/note", url.Values{"text": {"Secretnote"}})
		viewer := s.reader(t, "Bearer viewer")
		for _, path := range []string{"/desk", cause, "/desk/dead-letters", at, "/desk/replays"} {
			if body := viewer.opened(path); regexp.MustCompile(`Victim|Secret|vera\.victim`).MatchString(body) {
				t.Errorf("%s shows a viewer personal data", path)
			}
		}
		viewer.opened(at, `aria-disabled="true" aria-describedby="needs-editor">Discard…`, `aria-describedby="needs-operator">Replay<`, "Needs the role operator", "Notes need the role support")
		viewer.opened(cause, `aria-describedby="needs-support">Assign to me`, `aria-describedby="needs-operator">Replay all 1…`)
		for _, path := range []string{at + "/note", at + "/replay", at + "/discard", at + "/restore", at + "/edit", cause + "/note", cause + "/assign", "/desk/discard?id=" + id, "/desk/replays/new", "/desk/replays/j/pause"} {
			viewer.refused(path, url.Values{"text": {"x"}, "reason": {"x"}}, 403, "Permission required")
		}
		for _, path := range []string{at + "/edit", at + "/discard", "/desk/discard?id=" + id, "/desk/replays/new", "/desk/audit", "/desk/dead-letters?q=vera"} {
			if status, _, _ := viewer.get(path); status != http.StatusForbidden {
				t.Errorf("%s: got %d, want 403 for a viewer", path, status)
			}
		}
		s.reader(t, "Bearer operator").opened(at, `aria-describedby="needs-editor">Edit…`, `class="btn go">Replay<`, "Vera Victim")
		for who, want := range map[string]int{"": 401, "Bearer customer": 403} {
			if status, body, _ := s.reader(t, who).get("/desk"); status != want || strings.Contains(body, "Victim") {
				t.Errorf("%q: got %d, want %d", who, status, want)
			}
		}
		denied := map[string]bool{}
		for _, a := range s.acts(t, "&act=denied") {
			denied[a.Actor+" "+a.Target] = true
		}
		for _, want := range []string{"operator:viewer POST " + at + "/discard", "operator:viewer POST " + at + "/replay", "customer:customer GET /desk"} {
			if !denied[want] {
				t.Errorf("the audit trail lacks %q: it has %v", want, denied)
			}
		}
	})
}

// hostile makes an order and its dead letter with a text in each place, and returns the markup of all
// pages that show them.
func (s *shop) hostile(t *testing.T, text string) string {
	t.Helper()
	o := wanted()
	o.Customer.Name, o.ShipTo.Line1, o.ShipTo.City, o.Note = text, text, text, text
	state := s.place(t, o)
	r := wire.Order(state.Order)
	at := state.Order.PlacedAt
	l := dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: append(r.Headers, kgo.RecordHeader{Key: "x-" + text, Value: []byte(text)}), Origin: state.Origin},
		Topic:  s.Topics.Orders, Step: order.StepShipping, Class: failure.Permanent, Reason: failure.NoRoute, Message: text, Attempts: 1, FirstFailed: at, LastFailed: at,
		Worker: "w", Rev: 1,
	}
	record := l.Record()
	s.put(t, s.Topics.DLQ, state.Origin.Partition, record)
	state.DeadLetter = &order.DeadLetter{ID: l.ID(), Partition: record.Partition, Offset: record.Offset, Step: l.Step, Reason: string(l.Reason)}
	s.advance(t, &state, order.Change{Status: order.Dead, Step: l.Step, Reason: string(l.Reason)})
	found, err := s.view.DeadLetter(t.Context(), l.ID())
	must(t, err)
	b, page, cause := s.reader(t, ""), "/desk/dead-letters/"+l.ID(), "/desk/groups/"+found.CauseID
	all := b.acted(page+"/note", url.Values{"text": {text}}) + b.acted(cause+"/note", url.Values{"text": {text}})
	all += b.acted(page+"/discard", url.Values{"reason": {text}}) + b.acted(page+"/restore", nil)
	all += b.refused(page+"/edit", url.Values{"text": {text}, "version": {"0"}, "act": {"save"}, "reason": {text}, "encoding": {text}}, 422)
	for _, path := range []string{"/desk?q=", "/desk/dead-letters?q=", "/desk/dead-letters?reason=", "/desk/audit?actor=", "/desk/replays/new?q="} {
		_, body, _ := b.get(path + url.QueryEscape(text))
		all += body
	}
	all += b.refused("/desk/replays/new?id="+l.ID(), url.Values{"ramp": {text}, "rate": {text}, "stop_above": {text}, "reason": {text}}, 422)
	all += b.acted("/desk/replays/new?id="+l.ID(), url.Values{"ramp": {"1"}, "reason": {text}})
	return all
}

// TestDeskShowsHostileTextAsText: pages with hostile text have the same elements as those with harmless
// text, each time in an application of its own.
func TestDeskShowsHostileTextAsText(t *testing.T) {
	t.Parallel()
	counts := func(text string) (line string) {
		synctest.Test(t, func(t *testing.T) {
			body := setup(t, withPages(t)).hostile(t, text)
			for _, c := range []string{"<", ">", `"`, "<a ", "<input", "<img", "<svg", "<script"} {
				line += fmt.Sprintf("%s: %d ", c, strings.Count(body, c))
			}
		})
		return line
	}
	want := counts("Zoe")
	for _, text := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</textarea><svg onload=alert(1)>", "Zoe {{.}}", "' onmouseover='alert(1)", "<!-- Zoe"} {
		if diff := cmp.Diff(want, counts(text)); diff != "" {
			t.Errorf("%q changes the markup (-want +got):\n%s", text, diff)
		}
	}
}

func TestTopicOfAnotherProgramByRole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := besidePayments(t, withPages(t), func(c *httpapi.Config) {
			c.Auth = people()
			c.Foreign.ReplayTo = map[string]string{"payments.dlt": "payments"}
		})
		s.reader(t, "Bearer viewer").opened("/desk/topics/payments.dlt", "Nothing is dead")
		s.put(t, "payments.dlt", 0, &kgo.Record{Value: []byte("10 EUR")})
		kafkatest.Pass(2 * time.Second)
		for who, may := range map[string]bool{"viewer": false, "support": false, "operator": true, "editor": true, "admin": true} {
			body := s.reader(t, "Bearer "+who).opened("/desk/topics/payments.dlt", "the configuration names it", "1 dead letter, 1 cause.")
			if got := strings.Contains(body, `href="/desk/replays/new?topic=payments.dlt"`); got != may {
				t.Errorf("%s: the replay is offered: %t, want %t", who, got, may)
			}
		}
		if status, _, _ := s.reader(t, "Bearer customer").get("/desk/topics/payments.dlt"); status != http.StatusForbidden {
			t.Errorf("customer: got %d, want 403", status)
		}
	})
}

func TestForeignDeadLettersAreOnTheDesk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := besidePayments(t, withPages(t))
		s.put(t, "payments.dlt", 0, &kgo.Record{Value: []byte("10 EUR"), Headers: []kgo.RecordHeader{
			{Key: "kafka_dlt-original-topic", Value: []byte("payments")}, {Key: "trace", Value: []byte{0xff}},
		}})
		kafkatest.Pass(2 * time.Second)
		b := s.reader(t, "")
		b.opened("/desk", "Dead-letter topics of other applications", `href="/desk/topics/payments.dlt"`)
		b.opened("/desk/topics/payments.dlt", "1 dead letter, 1 cause.", "When Kafka deletes them is not known.", "the headers of 1 on this page name it", "Replay all 1…",
			"/desk/replays/new?topic=payments.dlt", "/v1/dead-letters/export?topic=payments.dlt&amp;format=csv")
		for _, path := range []string{"/desk/topics/payments", "/desk/topics/" + s.Topics.DLQ, "/desk/topics/%3Cb%3E", "/desk/topics/"} {
			if status, body, _ := b.get(path); status != http.StatusNotFound || strings.Contains(body, "/<b>") {
				t.Errorf("%s: got %d, want 404", path, status)
			}
		}
		body := b.opened("/desk/dead-letters?topic=payments.dlt", "record of payments")
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(body)[1]
		b.opened("/desk/dead-letters/"+id, "Written by", "Replays go to", "is not known here")
		at := "/desk/dead-letters/" + id + "/edit"
		b.opened(at, "Value of the record", `name="encoding" value="utf-8"`)
		b.acted(at, url.Values{"text": {"<edited>"}, "version": {"0"}, "encoding": {"utf-8"}, "act": {"save"}}, "Version 1", "&lt;edited&gt;")
		if body := b.opened("/desk/replays/new?id="+id, "Start with 1 of 1"); strings.Contains(body, "Dry run") {
			t.Error("a dry run of a foreign dead letter is offered")
		}
	})
}
