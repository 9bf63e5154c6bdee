//go:build synctests

package httpapi_test

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// keys are the principals by the value of their header Authorization.
type keys map[string]identity.Principal

// people has a principal for each role, and some more.
func people() keys {
	all := keys{
		"Bearer vera": {ID: "vera", Role: identity.Customer}, "Bearer mallory": {ID: "mallory", Role: identity.Customer},
		"Bearer janitor": {ID: "janitor", Role: "janitor"},
	}
	for _, r := range identity.Roles() {
		all["Bearer "+string(r)] = identity.Principal{ID: string(r), Role: r}
	}
	return all
}

func (k keys) Authenticate(r *http.Request) (identity.Principal, error) {
	given, has := r.Header["Authorization"]
	if !has || strings.HasPrefix(given[0], "Basic ") { // the kind of credentials that no authenticator reads
		return identity.Principal{}, nil
	}
	if given[0] == "Bearer away" {
		return identity.Principal{}, identity.ErrUnavailable
	}
	p, known := k[given[0]]
	if !known {
		return identity.Principal{}, identity.ErrCredentials
	}
	return p, nil
}

// guarded is a shop with sign-in, which admits guests too.
func guarded(t *testing.T, options ...func(*httpapi.Config)) *shop {
	t.Helper()
	signIn := func(c *httpapi.Config) { c.Auth, c.Guests = people(), true }
	return setupOn(t, kafkatest.Start(t), append([]func(*httpapi.Config){signIn}, options...)...)
}

// headers are those of a principal's request; a guest sends no credentials.
func headers(who string) []string {
	all := []string{"Content-Type", "application/json"}
	if who != "guest" {
		all = append(all, "Authorization", "Bearer "+who)
	}
	return all
}

// placeAs places an order, and returns its state with the owner or the link token.
func (s *shop) placeAs(t *testing.T, who string, o client.NewOrder) order.State {
	t.Helper()
	body, err := json.Marshal(o)
	must(t, err)
	resp := s.send(t, s.http, "POST", "/v1/orders", string(body), append(headers(who), "Idempotency-Key", rand.Text())...)
	var placed client.Order
	must(t, json.Unmarshal([]byte(text(t, resp)), &placed))
	state, err := s.view.Order(t.Context(), order.ID(placed.ID))
	must(t, err)
	if placed.LinkToken != state.Order.LinkToken || (who == "guest") != (placed.LinkToken != "") {
		t.Fatalf("%s: got link token %q, want that of the order, for guests only: %q", who, placed.LinkToken, state.Order.LinkToken)
	}
	return state
}

// prepared is the path of a route with the ID of an order, or of its dead letter, in the state that
// the table of permissions promises.
func (s *shop) prepared(t *testing.T, path, whose, who string) string {
	t.Helper()
	if whose == "-" {
		return strings.Replace(path, ":file", "LICENSE", 1)
	}
	guests := s.placeAs(t, "guest", wanted())
	state := guests
	if placer := map[string]string{"own": who, "other": "vera"}[whose]; placer != "guest" {
		state = s.placeAs(t, placer, wanted())
	}
	id := string(state.Order.ID)
	switch {
	case strings.HasPrefix(path, "/v1/dead-letters"):
		if id = s.failDead(t, &state); strings.HasPrefix(path, "/v1/dead-letters/groups") {
			l, err := s.view.DeadLetter(t.Context(), id)
			must(t, err)
			id = l.CauseID
		}
	case strings.HasPrefix(path, "/v1/replays"):
		job, err := s.jobs.Create(identity.With(t.Context(), identity.DemoOperator()), jobs.Spec{IDs: []string{s.failDead(t, &state)}})
		must(t, err)
		id = job.ID
	case strings.Contains(path, "invoice") || strings.Contains(path, "refund"):
		hybrid, err := os.ReadFile("../../../../shared/pdfa/testdata/hybrid.pdf")
		must(t, err)
		s.issue(t, &state, hybrid)
	}
	path = strings.Replace(path, ":id", id, 1)
	if who == "guest" {
		path += "?token=" + guests.Order.LinkToken
	}
	return path
}

// TestEachRoleMayDoWhatTheTableSays sends a request for each cell of testdata/permissions.txt.
func TestEachRoleMayDoWhatTheTableSays(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("testdata/permissions.txt")
	must(t, err)
	roles := []string{"guest"}
	for _, r := range identity.Roles() {
		roles = append(roles, string(r))
	}
	bodies := map[string]string{
		"/v1/orders/:id/payments": `{"method":"card","reference":"a","amount":{"amount":"1.00","currency":"EUR"}}`,
		"/v1/orders":              good, "/v1/quotes": good, "/v1/dead-letters/groups/:id/notes": `{"text":"a"}`, "/v1/dead-letters/:id/notes": `{"text":"a"}`,
		"/v1/dead-letters/:id/discard": `{"reason":"a"}`, "/v1/dead-letters/:id/edit": `{"version":0,"value":` + good + `}`,
		"/v1/dead-letters/fix": `{"selection":{"all":true},"patch":[{"op":"remove","path":"/note"}]}`,
		"/v1/replays":          `{"selection":{"all":true}}`, "/v1/replays/:id/rate": `{"rate":5}`,
	}
	types := map[string]string{"/v1/dead-letters/import": "application/x-ndjson"}
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		var got []string
		for line := range strings.Lines(string(table)) {
			row := strings.Fields(line)
			if row[0] == "#" {
				continue
			}
			method, path, whose := row[0], row[1], row[2]
			got = append(got, method+" "+path+" "+whose)
			for i, role := range roles {
				target := s.prepared(t, path, whose, role)
				for _, m := range map[string][]string{"GET": {"GET", "HEAD"}, "POST": {"POST"}}[method] {
					h := headers(role)
					h[1] = cmp.Or(types[path], h[1])
					resp := s.send(t, s.http, m, target, bodies[path], h...)
					if strconv.Itoa(resp.StatusCode) != row[3+i] {
						t.Errorf("%s %s of %s by %s: got %s, want %s", m, path, whose, role, resp.Status, row[3+i])
					}
					if challenge := resp.Header.Get("WWW-Authenticate"); (challenge == "Bearer") != (resp.StatusCode == http.StatusUnauthorized) {
						t.Errorf("%s %s by %s: got challenge %q with %s", m, path, role, challenge, resp.Status)
					}
					resp.Body.Close()
				}
			}
		}
		want := rows()
		slices.Sort(want)
		slices.Sort(got)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-routes +testdata/permissions.txt):\n%s", diff)
		}
	})
}

// rows are the rows that the table of permissions must have.
func rows() (all []string) {
	handler := httpapi.New(httpapi.Config{}, nil, nil, nil, nil, nil).(*echo.Echo)
	for _, r := range handler.Routes() {
		route := r.Method + " " + r.Path + " "
		switch {
		case r.Method == http.MethodHead:
		case strings.Contains(r.Path, ":id"):
			all = append(all, route+"own", route+"other")
		default:
			all = append(all, route+"-")
		}
	}
	return all
}
