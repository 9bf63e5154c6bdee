package ctl_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/ctl"
)

// shop is a fake API that fails in ways that the real one cannot be made to. What
// goes right is in the stories.
type shop struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	replays map[string]bool     // keys that an earlier run has used
	fails   map[string][]int    // statuses to answer with first, by path or by key; 0 hangs up, -1 never answers; or tooFast
	keys    []string            // of placements and refunds, in order of arrival
	bodies  []string            // of them
	reasons []string            // bodies of cancellations
	state   map[string]string   // of a dead letter after a replay, if not open; of an order that is cancelled, if not accepted
	walk    map[string][]string // the changes of an order, as the data of its events
}

// tooFast is a status to answer with: 429 for too many requests, which is not backpressure.
const tooFast = -429

// noon is the time of all changes.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, replays: map[string]bool{}, fails: map[string][]int{}, walk: map[string][]string{}, state: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP accepts every order, unless fails has a status.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only then does the server notice that a client has gone.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := filepath.Base(filepath.Dir(r.URL.Path))
	key := r.Header.Get("Idempotency-Key")
	if strings.HasSuffix(r.URL.Path, "/cancel") {
		s.reasons = append(s.reasons, string(body))
	}
	if r.URL.Path == "/v1/orders" || strings.HasSuffix(r.URL.Path, "/refund") {
		s.keys, s.bodies = append(s.keys, key), append(s.bodies, string(body))
	}
	if s.fail(w, r, r.URL.Path) || s.fail(w, r, key) {
		return
	}
	switch {
	case r.URL.Path == "/v1/orders":
		if s.replays[key] {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		s.answer(w, client.Order{ID: "ord_" + strings.ToLower(key[:2]), Status: "confirmed", Total: &client.Money{Amount: "1.19", Currency: "EUR"}})
	case r.URL.Path == "/v1/quotes":
		s.answer(w, quoted())
	case strings.HasSuffix(r.URL.Path, "/events"):
		s.stream(w, r, s.walk[id])
	case strings.HasSuffix(r.URL.Path, "/invoice.pdf"):
		io.WriteString(w, "%PDF of "+id)
	case strings.HasSuffix(r.URL.Path, "/invoice.xml"):
		io.WriteString(w, "<xml of "+id+">")
	case strings.HasSuffix(r.URL.Path, "/cancel"):
		s.answer(w, client.Order{ID: id, Status: cmp.Or(s.state[id], "accepted")})
	case strings.HasSuffix(r.URL.Path, "/refund"):
		o := refunded(id)
		o.Status = cmp.Or(s.state[id], o.Status)
		s.answer(w, o)
	case strings.HasPrefix(r.URL.Path, "/v1/orders/ord_sold-refund-"):
		s.answer(w, refunded("ord_sold"))
	case r.URL.Path == "/v1/orders/ord_sold":
		s.answer(w, sold())
	case strings.HasPrefix(r.URL.Path, "/v1/orders/"):
		s.answer(w, dead(filepath.Base(r.URL.Path)))
	case r.URL.Path == "/v1/audit":
		s.answer(w, acts(r.URL.Query()))
	case r.URL.Path == "/v1/dead-letters":
		// One dead letter per page.
		next := map[string]string{"": "b", "b": "c"}[r.FormValue("cursor")]
		s.answer(w, map[string]any{"dead_letters": []client.DeadLetter{deadLetter("0-" + r.FormValue("cursor"))}, "next": next})
	default:
		l := deadLetter(filepath.Base(r.URL.Path))
		l.State = cmp.Or(s.state[l.ID], l.State)
		l.Record = &client.Record{Key: l.Order, Value: "no \x1b[2Jorder\tat all", Encoding: "utf-8"}
		s.answer(w, l)
	}
}

// stream sends the changes of an order. When there are none nothing has happened yet, and nothing
// will.
func (s *shop) stream(w http.ResponseWriter, r *http.Request, changes []string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, change := range changes {
		fmt.Fprintf(w, "data: %s\n\n", change)
	}
	if len(changes) == 0 {
		s.hang(r)
	}
}

// hang blocks until the client cancels the request.
func (s *shop) hang(r *http.Request) {
	s.mu.Unlock()
	<-r.Context().Done()
	s.mu.Lock()
}

// placements returns the keys of all placements.
func (s *shop) placements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

func (s *shop) fail(w http.ResponseWriter, r *http.Request, what string) bool {
	if len(s.fails[what]) == 0 {
		return false
	}
	status := s.fails[what][0]
	s.fails[what] = s.fails[what][1:]
	switch status {
	case 0:
		panic(http.ErrAbortHandler)
	case -1:
		s.hang(r)
		return true
	}
	p := client.Problem{Title: "told to fail", Detail: fmt.Sprintf("told to answer %d", status)}
	if status == tooFast {
		p.Type, status = "/problems/rate-limit", http.StatusTooManyRequests
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	s.answer(w, p)
	return true
}

func (s *shop) answer(w io.Writer, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.t.Error(err)
	}
}

func quoted() client.Quote {
	euros := func(amount string) client.Money { return client.Money{Amount: amount, Currency: "EUR"} }
	return client.Quote{ItemsTotal: euros("49.80"), Service: "standard", Services: []client.Shipping{
		{
			Service: "standard", Zone: "germany", Carrier: "Stork Parcel", Price: euros("4.90"),
			Fuel:    &client.Money{Amount: "0.30", Currency: "EUR"},
			Parcels: []client.Parcel{{Count: 1, Grams: 840, BillableGrams: 1000, SizeMM: [3]int{270, 189, 80}, Items: []client.Item{{SKU: "BOTTLE-750", Quantity: 2}}}},
		},
		{Service: "express", Zone: "germany", Carrier: "Falcon Express", Price: euros("13.64")},
	}}
}

// sold is an order in its parcels, of which a part is refunded.
func sold() client.Order {
	r := refunded("ord_sold")
	return client.Order{
		ID: "ord_sold", Status: "confirmed", PlacedAt: noon, Customer: client.Customer{Name: "Zoë", Email: "zoe@example.com"},
		ShipTo: client.Address{City: "Berlin", Country: "DE"}, Items: []client.Item{{SKU: "BOTTLE-750", Quantity: 2, Name: "Bottle"}},
		Shipping: &quoted().Services[0], Total: &client.Money{Amount: "65.09", Currency: "EUR"}, Invoice: &client.Invoice{Number: "INV-1"},
		Timeline: []client.Change{{At: noon, Status: "accepted"}},
		Refunds:  []client.RefundRef{{ID: r.ID, Number: 1, Status: r.Status, Total: *r.Total, Invoice: r.Invoice}, {ID: "ord_sold-refund-2", Number: 2, Status: "working", Total: *r.Total}},
	}
}

// refunded is the first refund of an order.
func refunded(of string) client.Order {
	return client.Order{
		ID: of + "-refund-1", Status: "confirmed", PlacedAt: noon, Customer: client.Customer{Name: "Zoë", Email: "zoe@example.com"},
		ShipTo: client.Address{City: "Berlin", Country: "DE"}, Items: []client.Item{{SKU: "BOTTLE-750", Quantity: 1, Name: "Bottle"}},
		Total: &client.Money{Amount: "29.63", Currency: "EUR"}, Invoice: &client.Invoice{Number: "CRN-1"},
		Timeline: []client.Change{{At: noon, Status: "accepted"}},
		Refund: &client.Refund{
			Of: of, Number: 1, Invoice: client.Invoice{Number: "INV-1"}, Reason: "Arrived broken", Shipping: client.Money{Amount: "4.90", Currency: "EUR"},
			PayBack: client.Money{Amount: "5.83", Currency: "EUR"}, PaidBack: client.Money{Amount: "0.00", Currency: "EUR"}, ClaimReduced: client.Money{Amount: "0.00", Currency: "EUR"}, Method: "card",
		},
	}
}

func deadLetter(id string) client.DeadLetter {
	return client.DeadLetter{
		ID: id, State: "open", Order: "ord" + id, Step: "shipping", Class: "permanent", Reason: "no-route", Message: "no route",
		Attempts: 1, FirstFailed: noon, LastFailed: noon.Add(time.Hour), Worker: "host/1 devel", Replays: 1,
	}
}

func dead(id string) client.Order {
	return client.Order{
		ID: id, Status: "dead", Rev: 1, PlacedAt: noon, Service: "standard",
		Customer: client.Customer{Name: "Zoë", Email: "zoe@example.com"}, ShipTo: client.Address{Line1: "1 St", City: "Rothera", Country: "AQ"},
		Items:      []client.Item{{SKU: "MUG", Quantity: 2, Name: "Mug"}},
		Timeline:   []client.Change{{At: noon, Status: "accepted"}, {Rev: 1, At: noon, Status: "dead", Step: "shipping", Reason: "no-route", Replay: 1}},
		DeadLetter: &client.DeadLetterRef{ID: "0-1", Step: "shipping", Reason: "no-route"},
		Invoice:    &client.Invoice{Number: "INV-1"},
	}
}

// run calls ordersctl and returns what it printed and how it ended.
func (s *shop) run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = ctl.Run(t.Context(), append(args, "--api", s.url), func(string) string { return "" }, strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), err
}

// file writes a file of orders, NDJSON, with a key each.
func file(t *testing.T, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "o.ndjson")
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "{\"order\": %q}\n", key)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
