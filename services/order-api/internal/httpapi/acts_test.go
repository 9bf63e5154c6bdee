//go:build synctests

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// acts returns what GET /v1/audit shows, newest first: all pages, when the view has applied what was
// written until now.
func (s *shop) acts(t *testing.T, parameters string) (all []client.Act) {
	t.Helper()
	kafkatest.Pass(2 * time.Second)
	for path := "/v1/audit?limit=2" + parameters; ; {
		resp := s.send(t, s.http, "GET", path, "", headers("admin")...)
		var page struct {
			Acts []client.Act
			Next string
		}
		if must(t, json.Unmarshal([]byte(text(t, resp)), &page)); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %s", path, resp.Status)
		}
		all = append(all, page.Acts...)
		if page.Next == "" {
			return all
		}
		path = "/v1/audit?limit=2" + parameters + "&cursor=" + page.Next
	}
}

// briefly is each act in a line.
func briefly(all []client.Act) (lines []string) {
	for _, a := range all {
		line := fmt.Sprintf("%s %s %s %s", a.Actor, a.Act, a.Target, strings.TrimSpace(a.Outcome+" "+a.Problem))
		if a.Reason != "" {
			line += " " + a.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

// post sends a request of a principal and checks its status.
func (s *shop) post(t *testing.T, who, path, body string, status int) {
	t.Helper()
	time.Sleep(time.Millisecond) // acts are sorted by time
	if resp := s.send(t, s.http, "POST", path, body, headers(who)...); resp.StatusCode != status {
		t.Errorf("%s: POST %s: got %s, %s; want %d", who, path, resp.Status, text(t, resp), status)
	}
}

func TestEachActOfAnOperatorIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		sold, dead, queued := s.placeAs(t, "vera", wanted()), s.placeAs(t, "vera", wanted()), s.placeAs(t, "vera", wanted())
		s.work(t, &sold)
		letter := s.failDead(t, &dead)
		refund, cancel, replay := "/v1/orders/"+string(sold.Order.ID)+"/refund", "/v1/orders/"+string(queued.Order.ID)+"/cancel", "/v1/dead-letters/"+letter+"/replay"
		s.post(t, "operator", refund, `{"reason":"Arrived broken"}`, 202)
		s.post(t, "editor", refund, `{}`, 422)
		s.post(t, "operator", replay, "", 202)
		s.post(t, "admin", replay, `{"reason":"Depot is back"}`, 202)
		s.post(t, "admin", "/v1/dead-letters/9-9/replay", "", 404)
		s.post(t, "operator", cancel, `{"reason":"Zoë called"}`, 202)
		s.post(t, "vera", cancel, "", 202) // her own, so no act of an operator
		s.post(t, "viewer", cancel, "", 403)
		s.post(t, "customer", refund, "{}", 403)
		s.post(t, "guest", refund, "{}", 401) // who is asked to sign in, and has no permission to lack
		s.post(t, "operator", "/v1/orders/"+string(sold.Order.ID)+"/cancel", "", 409)
		want := []string{
			"operator:operator cancel order/" + string(sold.Order.ID) + " refused order-begun",
			"customer:customer denied POST " + refund + " refused forbidden needs orders:refund",
			"operator:viewer denied POST " + cancel + " refused forbidden needs orders:cancel-any",
			"operator:operator cancel order/" + string(queued.Order.ID) + " done Zoë called",
			"operator:admin replay dead-letter/9-9 refused unknown-dead-letter",
			"operator:admin replay dead-letter/" + letter + " done Depot is back",
			"operator:operator replay dead-letter/" + letter + " done",
			"operator:editor refund order/" + string(sold.Order.ID) + " refused invalid-refund",
			"operator:operator refund order/" + string(sold.Order.ID) + " done Arrived broken",
		}
		if diff := cmp.Diff(want, briefly(s.acts(t, ""))); diff != "" {
			t.Errorf("audit trail (-want +got):\n%s", diff)
		}
		for parameters, want := range map[string]int{
			"&actor=operator:admin": 2, "&act=replay": 3, "&target=order/" + string(sold.Order.ID): 3, "&outcome=refused": 5, "&outcome=unknown": 0,
			"&actor=operator:operator&act=cancel&outcome=done": 1, "&to=2000-01-01T00:00:00Z": 0, "&from=2000-01-01T00:00:00Z": 9, "&act=sign-in": 0,
		} {
			if got := s.acts(t, parameters); len(got) != want {
				t.Errorf("%s: got %q, want %d acts", parameters, briefly(got), want)
			}
		}
		for _, a := range s.acts(t, "") {
			if a.Count != 1 {
				t.Errorf("got %+v, want one attempt", a)
			}
		}
	})
}

// TestEachDeniedAttackIsInTheAuditTrail has attacks by the hundred.
func TestEachDeniedAttackIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		names, _ := s.scene(t)
		want, got := map[string]int{}, map[string]int{}
		for _, a := range attacks() {
			a.target, a.extra, a.body = names.Replace(a.target), names.Replace(a.extra), names.Replace(a.body)
			if status, _ := s.exchange(t, a); status == http.StatusForbidden {
				want[a.by+" "+a.method]++
			}
		}
		for _, r := range s.Records(t, s.Topics.Desk) {
			if a, err := wire.ReadAct(r); err == nil && a.Kind == trail.Denied {
				method, _, _ := strings.Cut(a.Target, " ")
				got[a.Cause.Actor.ID+" "+method] += a.Count
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("denied attempts (-want +got):\n%s", diff)
		}
	})
}

// TestActsHaveTheNetworkOfTheirClient needs real connections.
func TestActsHaveTheNetworkOfTheirClient(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	s.post(t, "operator", "/v1/dead-letters/9-9/replay", "", 404)
	s.post(t, "customer", "/v1/dead-letters/9-9/replay", "", 403)
	records := s.Records(t, s.Topics.Desk)
	for _, r := range records {
		if a, err := wire.ReadAct(r); err != nil || a.Address != "127.0.0.0/24" {
			t.Errorf("got %+v, %v; want the network of this machine", a, err)
		}
	}
	if len(records) != 3 {
		t.Errorf("got %d records, want an act, its outcome, and an attempt", len(records))
	}
}

// TestActHasNoEffectIfItCannotBeWritten lets the topic of the audit trail have no leader.
func TestActHasNoEffectIfItCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		sold, dead, queued := s.placeAs(t, "vera", wanted()), s.placeAs(t, "vera", wanted()), s.placeAs(t, "vera", wanted())
		s.work(t, &sold)
		letter := s.failDead(t, &dead)
		placed := len(s.Records(t, s.Topics.Orders))
		back := s.Leaderless(s.Topics.Desk, 0, 1, 2)
		s.post(t, "operator", "/v1/orders/"+string(sold.Order.ID)+"/refund", "{}", 503)
		s.post(t, "operator", "/v1/dead-letters/"+letter+"/replay", "", 503)
		s.post(t, "operator", "/v1/orders/"+string(queued.Order.ID)+"/cancel", "", 503)
		if orders, requests := len(s.Records(t, s.Topics.Orders)), len(s.Records(t, s.Topics.Replay)); orders != placed || requests != 0 {
			t.Errorf("got %d new orders and %d requests, want no effect", orders-placed, requests)
		}
		back()
		for _, a := range s.acts(t, "") { // a record may have been on its way
			if a.Outcome != string(wire.Unknown) {
				t.Errorf("got %+v, want no outcome", a)
			}
		}
	})
}

func TestActWithoutAnOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		dead := s.placeAs(t, "vera", wanted())
		letter := s.failDead(t, &dead)
		back := s.Leaderless(s.Topics.Replay, 0, 1, 2)
		s.post(t, "operator", "/v1/dead-letters/"+letter+"/replay", "", 503)
		back()
		want := []string{"operator:operator replay dead-letter/" + letter + " unknown"}
		if diff := cmp.Diff(want, briefly(s.acts(t, ""))); diff != "" {
			t.Errorf("audit trail (-want +got):\n%s", diff)
		}
	})
}

func TestHostileReasonsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		dead, queued := s.placeAs(t, "vera", wanted()), s.placeAs(t, "vera", wanted())
		letter := s.failDead(t, &dead)
		for body, status := range map[string]int{
			`{"reason":"a\nb"}`: 422, `{"reason":"\u001b[2J"}`: 422, `{"reason":"\u202eexe"}`: 422, `{"reason":"\u0000"}`: 422, `{"reason":7}`: 422,
			`{"reason":null}`: 422, `{"reason":{"a":1}}`: 422, `{"actor":"operator:ann"}`: 422, `{"reason":"a","reason":"b"}`: 422, `{"Reason":"a"}`: 422,
			`{"reason":"` + strings.Repeat("ë", 201) + `"}`: 422, `[]`: 422, `"a"`: 422, `{`: 400, "{\"reason\":\"\xff\"}": 400, `{"reason":"\ud83d"}`: 400,
			`{} {}`: 400, strings.Repeat("[", 20_000): 400,
		} {
			s.post(t, "operator", "/v1/dead-letters/"+letter+"/replay", body, status)
			s.post(t, "operator", "/v1/orders/"+string(queued.Order.ID)+"/cancel", body, status)
		}
		if got := len(s.Records(t, s.Topics.Replay)) + len(s.acts(t, "")); got != 0 {
			t.Errorf("got %d requests and acts, want none", got)
		}
		longest := `{"reason":"` + strings.Repeat("ë", 200) + `"}`
		s.post(t, "operator", "/v1/dead-letters/"+letter+"/replay", longest, 202)
		if got := s.acts(t, ""); len(got) != 1 || got[0].Reason != strings.Repeat("ë", 200) {
			t.Errorf("got %q, want the longest reason", briefly(got))
		}
	})
}

// TestTheAuditTrailCannotBeChangedThroughTheAPI tries it as the role with all permissions.
func TestTheAuditTrailCannotBeChangedThroughTheAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		s.post(t, "admin", "/v1/dead-letters/9-9/replay", "", 404)
		before := s.acts(t, "")
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for path, status := range map[string]int{"/v1/audit": 405, "/v1/audit/" + before[0].ID: 404} {
				if resp := s.send(t, s.http, method, path, "{}", headers("admin")...); resp.StatusCode != status {
					t.Errorf("%s %s: got %s, want %d", method, path, resp.Status, status)
				}
			}
		}
		if diff := cmp.Diff(before, s.acts(t, "")); diff != "" || len(before) != 1 {
			t.Errorf("%d acts, after the attempts (-want +got):\n%s", len(before), diff)
		}
	})
}
