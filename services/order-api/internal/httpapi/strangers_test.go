//go:build synctests

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/order"
)

// TestOrderOfAnotherIsAnsweredLikeAnUnknownOne compares whole responses, and the time that they take.
// Nothing but waiting takes time here: a response that does not wait for the same is noticed.
func TestOrderOfAnotherIsAnsweredLikeAnUnknownOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		foreign, guests := s.placeAs(t, "vera", wanted()), s.placeAs(t, "guest", wanted())
		s.work(t, &foreign)
		for _, route := range []string{"GET ", "HEAD ", "GET /events", "HEAD /events", "GET /invoice.pdf", "GET /invoice.xml", "POST /cancel"} {
			method, path, _ := strings.Cut(route, " ")
			answer := func(who, id string) string {
				target := "/v1/orders/" + id + path
				if who == "guest" {
					target += "?token=" + strings.Repeat("a", order.LinkTokenLength)
				}
				var resp *http.Response
				d := took(func() { resp = s.send(t, s.http, method, target, "", headers(who)...) })
				resp.Header.Del("X-Request-Id")
				resp.Header.Del("Date")
				body := text(t, resp)
				return fmt.Sprintf("%s after %v: %v %s", resp.Status, d, resp.Header, body)
			}
			unknown := answer("mallory", "ord_4kq2mxjzvt5rw3nd6hgyc7bpea")
			if !strings.HasPrefix(unknown, "404 Not Found after 1s") {
				t.Errorf("%s: got %s, want 404 after a second", route, unknown)
			}
			for _, got := range []string{
				answer("mallory", string(foreign.Order.ID)), answer("mallory", string(guests.Order.ID)),
				answer("guest", string(foreign.Order.ID)), answer("guest", string(guests.Order.ID)), answer("guest", "ord_x"),
			} {
				if diff := cmp.Diff(unknown, got); diff != "" {
					t.Errorf("%s (-unknown order +order of another):\n%s", route, diff)
				}
			}
		}
	})
}

// TestOrderOfAnotherTakesTheTimeOfAnUnknownOne asks 1,000 times for each, while the order of the other
// one changes.
func TestOrderOfAnotherTakesTheTimeOfAnUnknownOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		foreign := s.placeAs(t, "vera", wanted())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for i := range 50 {
				time.Sleep(700 * time.Millisecond)
				s.advance(t, &foreign, order.Change{Status: []order.Status{order.Working, order.Retrying}[i%2]})
			}
		}()
		for i := range 1000 {
			for _, id := range []string{string(foreign.Order.ID), "ord_4kq2mxjzvt5rw3nd6hgyc7bpea"} {
				d := took(func() { s.send(t, s.raw, "GET", "/v1/orders/"+id, "", headers("mallory")...).Body.Close() })
				if d != time.Second {
					t.Fatalf("try %d of %s: got an answer after %v, want 1s", i, id, d)
				}
			}
		}
		<-ended
	})
}

func TestLinkTokenIsForItsGuestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		place := func(who, key string) (answer client.Order) {
			resp := s.send(t, s.http, "POST", "/v1/orders", good, append(headers(who), "Idempotency-Key", key)...)
			must(t, json.Unmarshal([]byte(text(t, resp)), &answer))
			return answer
		}
		first, again, next := place("guest", "k1"), place("guest", "k1"), place("guest", "k2")
		if first.ID != again.ID || first.LinkToken != again.LinkToken || len(first.LinkToken) != order.LinkTokenLength || next.LinkToken == first.LinkToken {
			t.Errorf("got tokens %q, %q when repeated, and %q for another order", first.LinkToken, again.LinkToken, next.LinkToken)
		}
		if first.Customer.Email != "zoe@example.com" {
			t.Errorf("got %+v, want what the guest has sent", first.Customer)
		}
		if got := place("customer", "k1"); got.LinkToken != "" || got.ID == first.ID {
			t.Errorf("signed in, with the same key: got %+v, want another order, without a token", got)
		}
		path := "/v1/orders/" + first.ID
		for _, by := range [][]string{{"guest", "?token=" + first.LinkToken}, {"mallory", "?token=" + first.LinkToken}, {"guest", "", "Order-Token", first.LinkToken}} {
			resp := s.send(t, s.http, "GET", path+by[1], "", append(headers(by[0]), by[2:]...)...)
			if got := text(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(got, "zoe@example.com") || strings.Contains(got, first.LinkToken) {
				t.Errorf("%v: got %s %s, want the order as placed, without its token", by, resp.Status, got)
			}
		}
		state, err := s.view.Order(t.Context(), order.ID(first.ID))
		must(t, err)
		letter := s.failDead(t, &state)
		for _, who := range []string{"viewer", "support", "admin"} {
			for _, path := range []string{path, "/v1/orders", "/v1/dead-letters", "/v1/dead-letters/" + letter} {
				if got := text(t, s.send(t, s.http, "GET", path, "", headers(who)...)); strings.Contains(got, first.LinkToken) {
					t.Errorf("GET %s by %s: got %s, want it without the token", path, who, got)
				}
			}
		}
	})
}

func TestWithoutGuestsEveryOrderNeedsASignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, func(c *httpapi.Config) { c.Guests = false })
		for _, route := range []string{"POST /v1/orders", "GET /v1/products", "POST /v1/quotes", "GET /v1/orders"} {
			method, path, _ := strings.Cut(route, " ")
			resp := s.send(t, s.http, method, path, good)
			if body := text(t, resp); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "/problems/unauthenticated") {
				t.Errorf("%s: got %s %s, want 401", route, resp.Status, body)
			}
		}
		if got := s.records(t); got[0] != 0 {
			t.Errorf("got %d orders, want none", got[0])
		}
	})
}

func TestListHasTheOrdersOfItsPrincipal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		want := map[string][]string{}
		all := []string{"customer", "vera", "guest", "operator", "vera"}
		for _, who := range all {
			id := string(s.placeAs(t, who, wanted()).Order.ID)
			want[who] = append([]string{id}, want[who]...)
			want["viewer"] = append([]string{id}, want["viewer"]...)
			time.Sleep(time.Second) // orders of one time are sorted by ID
		}
		want["mallory"], want["operator"] = nil, want["viewer"]
		for _, who := range []string{"customer", "vera", "mallory", "viewer", "operator"} {
			for _, query := range []string{"", "status=accepted&", "kind=order&", "from=2000-01-01T00:00:00Z&"} {
				if got := s.listed(t, who, query); !slices.Equal(got, want[who]) {
					t.Errorf("%s, %q: got %v, want %v", who, query, got, want[who])
				}
			}
		}
		if got := s.listed(t, "vera", "customer=zo&"); !slices.Equal(got, want["vera"]) {
			t.Errorf("search: got %v, want %v", got, want["vera"])
		}
	})
}

// listed reads a list page by page, with one order each.
func (s *shop) listed(t *testing.T, who, query string) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Orders []client.Order
			Next   string
		}
		must(t, json.Unmarshal([]byte(text(t, s.send(t, s.http, "GET", "/v1/orders?"+query+"limit=1"+cursor, "", headers(who)...))), &page))
		for _, o := range page.Orders {
			ids = append(ids, o.ID)
		}
		if page.Next == "" {
			return ids
		}
		cursor = "&cursor=" + page.Next
	}
}

// TestPersonalDataIsForItsOwnerAndSupport compares who sees what of one order and of its dead letter.
func TestPersonalDataIsForItsOwnerAndSupport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		state, viewers := s.placeAs(t, "vera", victims()), s.placeAs(t, "viewer", victims())
		letter := s.failDead(t, &state)
		path, whole, masked := "/v1/orders/"+string(state.Order.ID), "vera.victim@example.com", "v••@••"
		for _, row := range []struct{ who, path, has, hasNot string }{
			{"vera", path, whole, "••"},
			{"support", path, whole, "••"},
			{"admin", path, whole, "••"},
			{"viewer", path, masked, "ictim"},
			{"viewer", path, `"city":"Berlin","postal_code":"••","country":"DE"`, "Secret"},
			{"viewer", "/v1/orders/" + string(viewers.Order.ID), whole, "••"},
			{"viewer", "/v1/orders?status=dead", masked, "ictim"},
			{"viewer", "/v1/orders?status=accepted", whole, "••"},
			{"vera", "/v1/orders", whole, "••"},
			{"support", "/v1/orders?customer=vera", whole, "••"},
			{"support", "/v1/dead-letters/" + letter, whole, "••"},
			{"support", "/v1/dead-letters", "no route to AQ", "••"},
			{"viewer", "/v1/dead-letters/" + letter, masked, "ictim"},
			{"viewer", "/v1/dead-letters/" + letter, `"message":"••"`, "Secret"},
			{"viewer", "/v1/dead-letters", `"message":"••"`, "no route to AQ"},
		} {
			resp := s.send(t, s.http, "GET", row.path, "", headers(row.who)...)
			if got := text(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(got, row.has) || strings.Contains(got, row.hasNot) {
				t.Errorf("GET %s by %s: got %s %s, want it with %q and without %q", row.path, row.who, resp.Status, got, row.has, row.hasNot)
			}
		}
	})
}

func TestForbiddenNamesThePermissionAndItsRoles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		got := text(t, s.send(t, s.http, "POST", "/v1/dead-letters/0-0/replay", "", headers("support")...))
		if want := "the permission dead-letters:replay is missing; these roles have it: operator, editor, admin"; !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
		resp := s.send(t, s.http, "GET", "/v1/orders", "", headers("away")...)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("credentials that cannot be checked: got %s, want 503 with Retry-After", resp.Status)
		}
	})
}
