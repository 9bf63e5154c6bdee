//go:build synctests

package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/kafkatest"
)

// attack is a request for what its principal may not see or do. Names in capital letters stand for the
// IDs of the scene.
type attack struct {
	by     string // principal of the header Authorization, or guest
	method string
	target string
	extra  string // more header lines, each ending with \r\n
	body   string
	want   int
}

// victims is a customer's order with all that can be stolen, so that its texts are found in an answer.
func victims() client.NewOrder {
	o := wanted()
	o.Customer = client.Customer{Name: "Vera Victim", Email: "vera.victim@example.com"}
	o.ShipTo.Line1, o.Note = "13 Secretstreet", "key under the Secretstone"
	return o
}

// attacks are by a customer who knows all IDs, by guests with the token of another order, and by
// roles that are too low.
func attacks() []attack {
	return slices.Concat(objects(), lists(), functions(), masked(), proxies(), repeats(), links(), credentials(), assignments(), deskActs(),
		[]attack{{"guest", "GET", "/metrics", "", "", 200}}) // the metrics of all others
}

// objects are attacks on objects of others, by each way of naming them.
func objects() []attack {
	return []attack{
		{"mallory", "GET", "/v1/orders/ORDER", "", "", 404},
		{"mallory", "HEAD", "/v1/orders/ORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER/events", "", "", 404},
		{"mallory", "HEAD", "/v1/orders/ORDER/events", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER/events", "Last-Event-ID: 0\r\n", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/invoice.pdf", "", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/invoice.xml", "", "", 404},
		{"mallory", "HEAD", "/v1/orders/INVOICED/invoice.pdf", "", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/invoice.pdf", "Range: bytes=0-99\r\n", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/invoice.pdf", "If-None-Match: *\r\n", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/invoice.pdf", "If-Match: *\r\n", "", 404},
		{"mallory", "POST", "/v1/orders/ORDER/cancel", "", "", 404},
		{"mallory", "GET", "/v1/orders/REFUND", "", "", 404},
		{"mallory", "GET", "/v1/orders/REFUND/events", "", "", 404},
		{"mallory", "GET", "/v1/orders/REFUND/invoice.pdf", "", "", 404},
		{"mallory", "GET", "/v1/orders/GUESTS", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER?token=TOKEN", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER", "Order-Token: TOKEN\r\n", "", 404},
		{"mallory", "POST", "/v1/orders/ORDER/cancel?token=TOKEN", "", "", 404},
		{"mallory", "GET", "/v1/orders/MINE?id=ORDER", "", "", 200},
		{"mallory", "GET", "/v1/orders/ORDER?id=MINE", "", "", 404},
		{"mallory", "GET", "/v1/orders/%6FRDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER%00", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER%20", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER;a=b", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER/", "", "", 404},
		{"mallory", "GET", "//v1/orders/ORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders%2FORDER", "", "", 404},
		{"mallory", "GET", "/v1//orders/ORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/MINE/../ORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/MINE%2F..%2FORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/ORDER%2Finvoice.pdf", "", "", 404},
		{"mallory", "GET", "/v1/orders/INVOICED/INVOICE.PDF", "", "", 404},
		{"mallory", "GET", "/V1/ORDERS/ORDER", "", "", 404},
		{"mallory", "GET", "/v1/orders/*", "", "", 404},
		{"mallory", "GET", "/v1/orders/%25", "", "", 404},
		{"mallory", "GET", "/v1/orders/'%20OR%201=1--", "", "", 404},
	}
}

// lists are attacks on lists, their filters and their pages.
func lists() []attack {
	return []attack{
		{"mallory", "GET", "/v1/orders?limit=200", "", "", 200},
		{"mallory", "GET", "/v1/orders?kind=refund", "", "", 200},
		{"mallory", "GET", "/v1/orders?status=dead", "", "", 200},
		{"mallory", "GET", "/v1/orders?customer=vera", "", "", 200},
		{"mallory", "GET", "/v1/orders?customer=vera&status=accepted", "", "", 200},
		{"mallory", "GET", "/v1/orders?cursor=OTk5OTk5OTk5OTk5OSB6", "", "", 200},
		{"mallory", "GET", "/v1/orders?owner=customer:vera", "", "", 400},
		{"mallory", "GET", "/v1/orders?customer=mallory&customer=vera", "", "", 400},
		{"mallory", "GET", "/v1/orders?token=TOKEN", "", "", 400},
		{"viewer", "GET", "/v1/orders?customer=vera", "", "", 403},
		{"viewer", "GET", "/v1/orders?customer=v", "", "", 403},
		{"viewer", "HEAD", "/v1/orders?customer=vera", "", "", 403},
	}
}

// functions are attacks on functions of other roles.
func functions() []attack {
	return []attack{
		{"mallory", "POST", "/v1/orders/INVOICED/refund", "", "{}", 403},
		{"mallory", "POST", "/v1/orders/MINE/refund", "", "{}", 403},
		{"mallory", "POST", "/v1/orders/ord_unknown/refund", "", "{}", 403},
		{"mallory", "POST", "/v1/orders/INVOICED/refund?token=TOKEN", "", "{}", 403},
		{"mallory", "GET", "/v1/dead-letters", "", "", 403},
		{"mallory", "GET", "/v1/dead-letters/LETTER", "", "", 403},
		{"mallory", "HEAD", "/v1/dead-letters/LETTER", "", "", 403},
		{"mallory", "GET", "/v1/dead-letters/9-999", "", "", 403},
		{"mallory", "POST", "/v1/dead-letters/LETTER/replay", "", "", 403},
		{"viewer", "POST", "/v1/orders/ORDER/cancel", "", "", 403},
		{"viewer", "POST", "/v1/orders/INVOICED/refund", "", "{}", 403},
		{"viewer", "POST", "/v1/dead-letters/LETTER/replay", "", "", 403},
		{"viewer", "GET", "/v1/orders/INVOICED/invoice.pdf", "", "", 403},
		{"viewer", "GET", "/v1/orders/INVOICED/invoice.xml", "", "", 403},
		{"viewer", "GET", "/v1/orders/REFUND/invoice.pdf", "", "", 403},
		{"support", "POST", "/v1/orders/ORDER/cancel", "", "", 403},
		{"support", "POST", "/v1/orders/INVOICED/refund", "", "{}", 403},
		{"support", "POST", "/v1/dead-letters/LETTER/replay", "", "", 403},
		{"janitor", "GET", "/v1/orders", "", "", 403}, // a role that does not exist
		{"janitor", "POST", "/v1/orders", "", good, 403},
	}
}

// acts are those on dead letters and replay jobs, each with the roles that may not do it.
func deskActs() (all []attack) {
	const reason, ndjson = `{"reason":"a"}`, "Content-Type: application/x-ndjson\r\n"
	fix := `{"selection":{"ids":["LETTER"]},"patch":[{"op":"remove","path":"/note"}]}`
	job := `{"selection":{"ids":["LETTER"]},"dry_run":true}`
	edited := `{"version":1,"value":` + good + `}`
	decision := `{"id":"LETTER","decision":"discard","reason":"a"}`
	edits := []attack{
		{"", "POST", "/v1/dead-letters/LETTER/edit", "", edited, 403},
		{"", "POST", "/v1/dead-letters/LETTER/edit?preview=true", "", edited, 403},
		{"", "POST", "/v1/dead-letters/LETTER/discard", "", reason, 403},
		{"", "POST", "/v1/dead-letters/LETTER/restore", "", reason, 403},
		{"", "POST", "/v1/dead-letters/fix", "", fix, 403},
		{"", "POST", "/v1/dead-letters/import", ndjson, decision, 403},
	}
	replays := []attack{
		{"", "POST", "/v1/dead-letters/LETTER/replay", "", `{"override":true}`, 403},
		{"", "POST", "/v1/replays", "", job, 403},
		{"", "POST", "/v1/replays/JOB/pause", "", reason, 403},
		{"", "POST", "/v1/replays/JOB/resume", "", reason, 403},
		{"", "POST", "/v1/replays/JOB/cancel", "", reason, 403},
		{"", "POST", "/v1/replays/JOB/rate", "", `{"rate":0}`, 403},
	}
	notes := []attack{
		{"", "POST", "/v1/dead-letters/LETTER/notes", "", `{"text":"a"}`, 403},
		{"", "POST", "/v1/dead-letters/groups/CAUSE/notes", "", `{"text":"a"}`, 403},
	}
	reads := []attack{
		{"", "POST", "/v1/dead-letters/groups/CAUSE/assign", "", `{"to":"a"}`, 403},
		{"", "GET", "/v1/dead-letters/groups/CAUSE", "", "", 403},
		{"", "GET", "/v1/dead-letters/groups", "", "", 403},
		{"", "GET", "/v1/dead-letters/export", "", "", 403},
		{"", "HEAD", "/v1/dead-letters/export", "", "", 403},
		{"", "GET", "/v1/dead-letters/export?format=csv", "", "", 403},
		{"", "GET", "/v1/replays", "", "", 403},
		{"", "GET", "/v1/replays/JOB", "", "", 403},
		{"", "GET", "/v1/replays/JOB/forecasts", "", "", 403},
		{"", "GET", "/v1/replays/JOB/events", "", "", 403},
	}
	for who, denied := range map[string][][]attack{
		"mallory": {edits, replays, notes, reads}, "viewer": {edits, replays, notes}, "support": {edits, replays}, "operator": {edits}, "janitor": {edits, replays, notes, reads},
	} {
		for _, a := range slices.Concat(denied...) {
			a.by = who
			all = append(all, a)
		}
	}
	// An operator may start jobs, but not edit with their patch.
	patched := strings.Replace(job, `"dry_run":true`, `"patch":[{"op":"remove","path":"/note"}]`, 1)
	return append(all, attack{"operator", "POST", "/v1/replays", "", patched, 403},
		attack{"guest", "POST", "/v1/replays", "", job, 401}, attack{"guest", "POST", "/v1/dead-letters/import", ndjson, decision, 401})
}

// masked are requests for what a viewer may see, without what is masked.
func masked() []attack {
	return []attack{
		{"viewer", "GET", "/v1/orders/ORDER", "", "", 200},
		{"viewer", "GET", "/v1/orders/REFUND", "", "", 200},
		{"viewer", "GET", "/v1/orders/GUESTS", "", "", 200},
		{"viewer", "GET", "/v1/orders", "", "", 200},
		{"viewer", "GET", "/v1/orders?kind=refund", "", "", 200},
		{"viewer", "GET", "/v1/dead-letters", "", "", 200},
		{"viewer", "GET", "/v1/dead-letters/LETTER", "", "", 200},
		{"viewer", "GET", "/v1/dead-letters?q=vera", "", "", 403},
		{"viewer", "GET", "/v1/dead-letters/groups?q=vera", "", "", 403},
		{"viewer", "GET", "/v1/dead-letters/export?q=vera", "", "", 403},
		{"viewer", "GET", "/v1/dead-letters/groups", "", "", 200},
		{"viewer", "GET", "/v1/dead-letters/export", "", "", 200},
		{"viewer", "GET", "/v1/dead-letters/export?format=csv", "", "", 200},
		{"viewer", "GET", "/v1/replays", "", "", 200},
		{"viewer", "GET", "/v1/replays/JOB", "", "", 200},
		{"viewer", "GET", "/v1/replays/JOB/forecasts", "", "", 200},
		{"viewer", "GET", "/v1/replays/JOB/events", "", "", 200},
	}
}

// proxies are attacks with headers that some proxies and frameworks believe.
func proxies() []attack {
	return []attack{
		{"mallory", "GET", "/v1/orders/ORDER/cancel", "X-HTTP-Method-Override: POST\r\n", "", 405},
		{"mallory", "POST", "/v1/orders/ORDER", "X-HTTP-Method-Override: GET\r\n", "", 405},
		{"mallory", "POST", "/v1/orders/ORDER?_method=GET", "", "", 405},
		{"mallory", "PUT", "/v1/orders/ORDER", "", good, 405},
		{"mallory", "PATCH", "/v1/orders/ORDER", "", "{}", 405},
		{"mallory", "DELETE", "/v1/orders/ORDER", "", "", 405},
		{"mallory", "get", "/v1/orders/ORDER", "", "", 405},
		{"mallory", "GET", "/v1/orders/ORDER", "X-Forwarded-User: vera\r\nX-Remote-User: vera\r\nX-User: vera\r\n", "", 404},
		{"mallory", "GET", "/v1/dead-letters", "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Role: admin\r\n", "", 403},
		{"mallory", "GET", "/v1/dead-letters", "Cookie: role=admin; session=admin\r\n", "", 403},
		{"mallory", "GET", "/healthz/live", "X-Original-URL: /v1/orders/ORDER\r\nX-Rewrite-URL: /v1/orders/ORDER\r\n", "", 200},
	}
}

// repeats are attacks with the idempotency key and the body of another principal.
func repeats() []attack {
	return []attack{
		{"mallory", "POST", "/v1/orders", "Idempotency-Key: key-of-vera\r\n", "VICTIMS", 202},
		{"guest", "POST", "/v1/orders", "Idempotency-Key: key-of-vera\r\n", "VICTIMS", 202},
		{"guest", "POST", "/v1/orders", "Idempotency-Key: key-of-guest\r\n", good, 422},
	}
}

// links are attacks by guests without a "Order-Token: TOKEN\r\n", or with one of another order.
func links() []attack {
	return []attack{
		{"guest", "GET", "/v1/orders/GUESTS", "", "", 401},
		{"guest", "GET", "/v1/orders/ord_unknown", "", "", 401},
		{"guest", "GET", "/v1/orders/GUESTS?token=", "", "", 401},
		{"guest", "GET", "/v1/orders/GUESTS", "Order-Token: \r\n", "", 401},
		{"guest", "GET", "/v1/orders/GUESTS?token=aaaaaaaaaaaaaaaaaaaaaaaaaa", "", "", 404},
		{"guest", "GET", "/v1/orders/GUESTS?token=TOKEN%00", "", "", 404},
		{"guest", "GET", "/v1/orders/GUESTS?token=TOKENa", "", "", 404},
		{"guest", "GET", "/v1/orders/GUESTS?Token=TOKEN", "", "", 401},
		{"guest", "GET", "/v1/orders/GUESTS?token=TOKEN&token=x", "", "", 400},
		{"guest", "GET", "/v1/orders/GUESTS?token=TOKEN", "Order-Token: x\r\n", "", 400},
		{"guest", "GET", "/v1/orders/ORDER?token=TOKEN", "", "", 404},
		{"guest", "GET", "/v1/orders/ORDER/events?token=TOKEN", "", "", 404},
		{"guest", "GET", "/v1/orders/INVOICED/invoice.pdf?token=TOKEN", "", "", 404},
		{"guest", "GET", "/v1/orders/INVOICED/invoice.xml", "Order-Token: TOKEN\r\n", "", 404},
		{"guest", "POST", "/v1/orders/ORDER/cancel?token=TOKEN", "", "", 404},
		{"guest", "GET", "/v1/orders/MINE?token=", "Order-Token: TOKEN\r\n", "", 400},
		{"guest", "GET", "/v1/orders?token=TOKEN", "", "", 401},
		{"guest", "POST", "/v1/orders/GUESTS/refund?token=TOKEN", "", "{}", 401},
		{"guest", "GET", "/v1/dead-letters?token=TOKEN", "", "", 401},
		{"guest", "POST", "/v1/dead-letters/LETTER/replay", "Order-Token: TOKEN\r\n", "", 401},
	}
}

// credentials are mistakes in the header Authorization: what is not exactly right is no request of a guest either.
func credentials() []attack {
	return []attack{
		{"guest", "GET", "/v1/orders/ORDER", "Authorization:\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: bearer vera\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer  vera\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer\tvera\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer vera\x00\r\n", "", 400},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization : Bearer vera\r\n", "", 400},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer VERA\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Bearer vera,Bearer mallory\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Authorization: Basic dmVyYTp2ZXJh\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER", "Proxy-Authorization: Bearer vera\r\n", "", 401},
		{"guest", "GET", "/v1/orders/ORDER?access_token=vera", "", "", 401},
		{"guest", "GET", "/v1/orders/GUESTS?token=TOKEN", "Authorization: Bearer expired\r\n", "", 401},
		{"guest", "POST", "/v1/orders", "Authorization: Basic dmVyYTp2ZXJh\r\n", good, 401},
		{"guest", "POST", "/v1/orders", "Authorization: Bearer expired\r\n", good, 401},
		{"mallory", "GET", "/v1/orders/ORDER", "Authorization: Bearer vera\r\n", "", 401},
		{"vera", "GET", "/v1/orders/ORDER", "authorization: Bearer mallory\r\n", "", 401},
		{"vera", "GET", "/v1/orders/ORDER", "Authorization: Bearer vera\r\n", "", 401},
		{"away", "GET", "/v1/orders/ORDER", "", "", 503}, // credentials that cannot be checked
	}
}

// assignments are fields of an order that its customer must not set.
func assignments() (all []attack) {
	for _, field := range []string{
		`"owner":"customer:vera"`, `"Owner":"customer:vera"`, `"OWNER":{"kind":"operator","id":"x"}`, `"link_token":"aaaaaaaaaaaaaaaaaaaaaaaaaa"`,
		`"id":"ORDER"`, `"status":"confirmed"`, `"placed_at":"2020-01-01T00:00:00Z"`, `"rev":7`, `"schema":1`, `"refund":{"of":"INVOICED"}`,
		`"invoice":{"number":"INV-1"}`, `"total":{"amount":"0.01","currency":"EUR"}`, `"actor":"operator:x"`, `"__proto__":{"owner":"customer:vera"}`,
	} {
		all = append(all, attack{"mallory", "POST", "/v1/orders", "", strings.Replace(good, "{", "{"+field+",", 1), 422})
	}
	for _, field := range []string{`"unit_price":{"amount":"0.01","currency":"EUR"}`, `"name":"x"`, `"weight_g":0`, `"net":0`} {
		all = append(all, attack{"mallory", "POST", "/v1/orders", "", strings.Replace(good, `{"sku"`, "{"+field+`,"sku"`, 1), 422})
	}
	for _, field := range []string{`"of":"ORDER"`, `"number":9`, `"owner":"customer:mallory"`, `"tax":{"amount":"99.00","currency":"EUR"}`} {
		all = append(all, attack{"operator", "POST", "/v1/orders/INVOICED/refund", "", "{" + field + "}", 422})
	}
	return all
}

// exchange sends a request byte by byte. It returns the status and all of the response, but not the
// events of a stream.
func (s *shop) exchange(t *testing.T, a attack) (status int, response string) {
	t.Helper()
	conn, err := s.dial(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	defer conn.Close()
	credentials := ""
	if a.by != "guest" {
		credentials = "Authorization: Bearer " + a.by + "\r\n"
	}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n%s%s\r\n%s",
		a.method, a.target, len(a.body), credentials, a.extra, a.body)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: a.method})
	must(t, err)
	var all strings.Builder
	must(t, resp.Header.Write(&all))
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		_, err = io.Copy(&all, resp.Body)
		must(t, err)
	}
	return resp.StatusCode, all.String()
}

// TestNoAttackSucceeds runs all attacks against one scene, and then looks for what they left behind.
func TestNoAttackSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		denied, log := 0, new(bytes.Buffer)
		s := guarded(t, func(c *httpapi.Config) {
			c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c.Denied = func(_ *http.Request, p identity.Principal, needed identity.Permission) {
				if denied++; p.Guest() || p.May(needed) {
					t.Errorf("%+v is denied %s, want a principal without it", p, needed)
				}
			}
		})
		names, before := s.scene(t)
		all := attacks()
		if len(all) < 60 {
			t.Errorf("got %d attacks, want at least 60", len(all))
		}
		placed, forbidden := 0, 0
		for _, a := range all {
			a.target, a.extra, a.body = names.Replace(a.target), names.Replace(a.extra), names.Replace(a.body)
			what := fmt.Sprintf("%s %q %q %q by %s", a.method, a.target, a.extra, a.body, a.by)
			status, got := s.exchange(t, a)
			if status != a.want {
				t.Errorf("%s: got %d %s, want %d", what, status, got, a.want)
			}
			if secret := names.secretIn(got); secret != "" && status != http.StatusAccepted {
				t.Errorf("%s: got %s, want it without %q", what, got, secret)
			}
			switch status {
			case http.StatusAccepted:
				if placed++; strings.Contains(got, names.Replace(`"ORDER"`)) {
					t.Errorf("%s: got %s, want another order than the victim's", what, got)
				}
			case http.StatusForbidden:
				forbidden++
			}
		}
		synctest.Wait() // until the last request is logged
		if secret := names.secretIn(log.String()); secret != "" || log.Len() == 0 {
			t.Errorf("got the log %s, want one without %q", log, secret)
		}
		if after := s.records(t); after != [2]int{before[0] + placed, before[1]} || denied != forbidden {
			t.Errorf("got %v records, before %v, and %d denials; want %d more orders, no request to workers, and %d", after, before, denied, placed, forbidden)
		}
	})
}

// scene places the orders that are attacked, and one of the attacker's. It returns their names, and
// the records that there are.
func (s *shop) scene(t *testing.T) (names, [2]int) {
	t.Helper()
	body := strings.Replace(good, `"note":""`, `"note":"Secret of Victim"`, 1)
	_, answer := s.exchange(t, attack{"vera", "POST", "/v1/orders", "Idempotency-Key: key-of-vera\r\n", body, 202})
	id := answer[strings.Index(answer, "/v1/orders/")+len("/v1/orders/"):]
	id = strings.Fields(id)[0]
	invoiced, dead, mine := s.placeAs(t, "vera", victims()), s.placeAs(t, "vera", victims()), s.placeAs(t, "mallory", wanted())
	s.issue(t, &invoiced, []byte("%PDF-1.7 for Vera Victim"))
	letter := s.failDead(t, &dead)
	resp := s.send(t, s.http, "POST", "/v1/orders/"+string(invoiced.Order.ID)+"/refund", `{"reason":"Secret of Victim"}`, headers("operator")...)
	refund := strings.TrimPrefix(resp.Header.Get("Location"), "/v1/orders/")
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("refund: got %s %s", resp.Status, text(t, resp))
	}
	cause, job := s.recovered(t, letter)
	s.exchange(t, attack{"guest", "POST", "/v1/orders", "Idempotency-Key: key-of-guest\r\n", body, 202})
	guests := s.placeAs(t, "guest", victims())
	all := strings.NewReplacer("ORDER", id, "%6FRDER", "%6F"+id[1:], "INVOICED", string(invoiced.Order.ID), "REFUND", refund, "LETTER", letter, "CAUSE", cause, "JOB", job,
		"GUESTS", string(guests.Order.ID), "TOKEN", guests.Order.LinkToken, "MINE", string(mine.Order.ID), "VICTIMS", body)
	return names{all}, s.records(t)
}

// recovered edits the victim's dead letter, writes notes with secrets on it, and starts a job with a
// patch that has one. It returns the cause and the job.
func (s *shop) recovered(t *testing.T, letter string) (cause, job string) {
	t.Helper()
	l, err := s.view.DeadLetter(t.Context(), letter)
	must(t, err)
	edited := strings.NewReplacer("Zoë Łukasiewicz", "Vera Victim", "1 Main Street", "14 Secretstreet", `"note":""`, `"note":"Secretnote"`).Replace(good)
	s.post(t, "editor", "/v1/dead-letters/"+letter+"/edit", `{"version":0,"value":`+edited+`,"reason":"Victim moved"}`, 200)
	s.post(t, "editor", "/v1/dead-letters/"+letter+"/notes", `{"text":"Secret of Victim"}`, 201)
	s.post(t, "editor", "/v1/dead-letters/groups/"+l.CauseID+"/notes", `{"text":"Secret of Victim"}`, 201)
	body := `{"selection":{"filter":{"q":"victim"}},"patch":[{"op":"replace","path":"/note","value":"Secretnote"}],"reason":"Victim called"}`
	resp := s.send(t, s.http, "POST", "/v1/replays", body, headers("editor")...)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("replay job: got %s %s", resp.Status, text(t, resp))
	}
	return l.CauseID, strings.TrimPrefix(resp.Header.Get("Location"), "/v1/replays/")
}

// names replaces names in attacks by IDs.
type names struct{ *strings.Replacer }

// secretIn returns something that only the victims may see, if a text contains it.
func (n names) secretIn(text string) string {
	for _, secret := range []string{"Victim", "vera.victim", "Secret", "%PDF", n.Replace("TOKEN"), "customer:vera"} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

// records counts the orders and refunds, and the requests to workers.
func (s *shop) records(t *testing.T) (n [2]int) {
	t.Helper()
	for i, topic := range []string{s.Topics.Orders, s.Topics.Replay} {
		for partition := range int32(kafkatest.Partitions) {
			n[i] += s.Count(t, topic, partition)
		}
	}
	return n
}
