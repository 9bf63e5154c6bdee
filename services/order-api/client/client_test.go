package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

// The tests of httpapi use the client against the API, and check every call against the contract.
// Here the server fails in various ways, or records the requests.

func Example() {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"type":"/problems/invalid-order","title":"Invalid order","status":422,
			"errors":[{"pointer":"/items/0/sku","detail":"is not in the catalogue"}]}`)
	}))
	defer shop.Close()

	c := client.New(shop.URL, nil)
	_, err := c.Place(context.Background(), client.NewOrder{Items: []client.Item{{SKU: "FLYING-CARPET", Quantity: 1}}}, "my-key", 10*time.Second)
	if p, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(p.Status, p.Type)
		fmt.Println(p)
	}
	// Output:
	// 422 /problems/invalid-order
	// Invalid order
	//   /items/0/sku is not in the catalogue
}

// recorder records requests. It answers each with the next of its answers, and repeats the last
// one.
type recorder struct {
	asked   []string
	answers []http.HandlerFunc
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.String()
	for _, name := range []string{"Content-Type", "Idempotency-Key", "Prefer", "Last-Event-Id"} {
		if value := r.Header.Get(name); value != "" {
			line += " " + name + "=" + value
		}
	}
	s.asked = append(s.asked, strings.TrimSpace(line+" "+string(body)))
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	answer(w, r)
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func setup(t *testing.T, answers ...http.HandlerFunc) (*client.Client, *recorder) {
	t.Helper()
	r := &recorder{answers: answers}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return client.New(server.URL+"/", nil), r
}

func TestRequestsContainTheArguments(t *testing.T) {
	t.Parallel()
	c, r := setup(t, answer(http.StatusOK, "{}"))
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	calls := []struct {
		call func() error
		want string
	}{
		{
			func() error {
				_, err := c.Place(ctx, client.NewOrder{Service: "express"}, "k1", 90*time.Second)
				return err
			},
			`POST /v1/orders Content-Type=application/json Idempotency-Key=k1 Prefer=wait=90 {"customer":{"name":"","email":""},` +
				`"ship_to":{"line1":"","city":"","country":""},"service":"express","items":null}`,
		},
		{
			func() error { _, err := c.PlaceJSON(ctx, []byte(`{"a": 1}`), "", 999*time.Millisecond); return err },
			`POST /v1/orders Content-Type=application/json {"a": 1}`,
		},
		{
			func() error {
				_, err := c.Refund(ctx, "a/b", client.NewRefund{Items: []client.Item{{SKU: "A", Quantity: 1}}, Shipping: true, Reason: "r"}, "k1", 2*time.Second)
				return err
			},
			`POST /v1/orders/a%2Fb/refund Content-Type=application/json Idempotency-Key=k1 Prefer=wait=2 {"items":[{"sku":"A","quantity":1}],"shipping":true,"reason":"r"}`,
		},
		{
			func() error { _, err := c.Refund(ctx, "ord_1", client.NewRefund{}, "", 0); return err },
			"POST /v1/orders/ord_1/refund Content-Type=application/json {}",
		},
		{func() error { _, err := c.Order(ctx, "a/b?c"); return err }, "GET /v1/orders/a%2Fb%3Fc"},
		{
			func() error {
				_, err := c.Quote(ctx, client.NewOrder{ShipTo: client.Address{Country: "DE"}, Items: []client.Item{{SKU: "A", Quantity: 1}}})
				return err
			},
			`POST /v1/quotes Content-Type=application/json {"customer":{"name":"","email":""},"ship_to":{"line1":"","city":"","country":"DE"},` +
				`"service":"","items":[{"sku":"A","quantity":1}]}`,
		},
		{func() error { _, _, err := c.Orders(ctx, client.OrderQuery{}); return err }, "GET /v1/orders"},
		{
			func() error {
				_, _, err := c.Orders(ctx, client.OrderQuery{Kind: "refund", Status: "dead", Customer: "a&b", Reference: "7/8", From: at, To: at.Add(time.Hour), Limit: 7, Cursor: "x"})
				return err
			},
			"GET /v1/orders?cursor=x&customer=a%26b&from=2026-03-01T12%3A00%3A00Z&kind=refund&limit=7&reference=7%2F8&status=dead&to=2026-03-01T13%3A00%3A00Z",
		},
		{func() error { _, err := c.Invoice(ctx, "ord_1"); return err }, "GET /v1/orders/ord_1/invoice.pdf"},
		{func() error { _, err := c.InvoiceXML(ctx, "ord_1"); return err }, "GET /v1/orders/ord_1/invoice.xml"},
		{func() error { _, err := c.Products(ctx); return err }, "GET /v1/products"},
		{
			func() error {
				_, _, err := c.DeadLetters(ctx, client.DeadLetterQuery{
					DeadLetterFilter: client.DeadLetterFilter{States: []string{"open"}, Step: "email", Reason: "mail-busy"}, Limit: 1, Cursor: "x",
				})
				return err
			},
			"GET /v1/dead-letters?cursor=x&limit=1&reason=mail-busy&state=open&step=email",
		},
		{func() error { _, err := c.DeadLetter(ctx, "3-124"); return err }, "GET /v1/dead-letters/3-124"},
		{func() error { _, err := c.Replay(ctx, "3-124", ""); return err }, "POST /v1/dead-letters/3-124/replay"},
	}
	for _, row := range calls {
		if err := row.call(); err != nil {
			t.Errorf("%s: got %v", row.want, err)
		}
		if got := r.asked[len(r.asked)-1]; got != row.want {
			t.Errorf("got request\n%s\nwant\n%s", got, row.want)
		}
	}
}

func TestRefusalIsAProblem(t *testing.T) {
	t.Parallel()
	const whole = `{"title":"Invalid refund","status":422,"errors":[{"pointer":"","detail":"nothing is left"},{"pointer":"/a","detail":"is b"}]}`
	const known = `{"type":"/problems/outcome-unknown","title":"Outcome unknown","status":504,"detail":"ask later","order":"ord_1"}`
	for name, row := range map[string]struct {
		status int
		body   string
		want   client.Problem
		text   string
	}{
		"of the API": {504, known, client.Problem{Type: "/problems/outcome-unknown", Title: "Outcome unknown", Status: 504, Detail: "ask later", Order: "ord_1"}, "ask later"},
		"of fields, and of the whole": {
			422, whole,
			client.Problem{Title: "Invalid refund", Status: 422, Errors: []client.FieldError{{Detail: "nothing is left"}, {Pointer: "/a", Detail: "is b"}}},
			"Invalid refund\n  nothing is left\n  /a is b",
		},
		"of a proxy":       {502, "<html>", client.Problem{Type: "about:blank", Title: "the API answered 502 Bad Gateway", Status: 502}, "the API answered 502 Bad Gateway"},
		"of somebody else": {404, `{"message":"no"}`, client.Problem{Type: "about:blank", Title: "the API answered 404 Not Found", Status: 404}, "the API answered 404 Not Found"},
		"without an end":   {500, `"` + strings.Repeat("x", 2<<20), client.Problem{Type: "about:blank", Title: "the API answered 500 Internal Server Error", Status: 500}, "the API answered 500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := setup(t, answer(row.status, row.body))
			_, err := c.Order(t.Context(), "ord_1")
			got, ok := errors.AsType[*client.Problem](err)
			if !ok {
				t.Fatalf("got %v, want a problem", err)
			}
			if diff := cmp.Diff(row.want, *got); diff != "" || got.Error() != row.text {
				t.Errorf("problem %q (-want +got):\n%s", got, diff)
			}
		})
	}
}

func TestInvalidResponseIsAnError(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, answer(http.StatusOK, "<html>"))
	if _, err := c.Order(t.Context(), "ord_1"); err == nil || !strings.Contains(err.Error(), "/v1/orders/ord_1") {
		t.Errorf("got %v, want an error that names the request", err)
	}
	c = client.New("http://127.0.0.1:1", nil)
	if _, err := c.Order(t.Context(), "ord_1"); err == nil {
		t.Error("no server: got no error")
	}
}

// events is a stream of changes that ends after the last one.
func events(revs ...int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, ":\n\n")
		for _, rev := range revs {
			data, _ := json.Marshal(client.Change{Rev: rev, Status: "working"})
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", rev, data)
		}
	}
}

func TestWatchReconnectsAndContinues(t *testing.T) {
	t.Parallel()
	c, r := setup(t, events(0, 1), answer(http.StatusBadGateway, "<html>"), events(2), answer(http.StatusNoContent, ""))
	var got []int64
	for change, err := range c.Watch(t.Context(), "ord_1", -1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, change.Rev)
	}
	if diff := cmp.Diff([]int64{0, 1, 2}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	const path = "GET /v1/orders/ord_1/events"
	want := []string{path, path + " Last-Event-Id=1", path + " Last-Event-Id=1", path + " Last-Event-Id=2"}
	if diff := cmp.Diff(want, r.asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestWatchStartsAfterARev(t *testing.T) {
	t.Parallel()
	c, r := setup(t, answer(http.StatusNoContent, ""))
	for change, err := range c.Watch(t.Context(), "ord_1", 7) {
		t.Errorf("got %v, %v; want nothing", change, err)
	}
	if want := []string{"GET /v1/orders/ord_1/events Last-Event-Id=7"}; !slices.Equal(want, r.asked) {
		t.Errorf("got requests %q, want %q", r.asked, want)
	}
}

func TestWatchEndsWithAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]http.HandlerFunc{
		"a refusal": answer(http.StatusNotFound, "{}"),
		"no change": answer(http.StatusOK, "data: {\n\n"),
	} {
		c, _ := setup(t, with)
		var errs []error
		for _, err := range c.Watch(t.Context(), "ord_1", -1) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || errs[0] == nil {
			t.Errorf("%s: got %v, want one error", name, errs)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls atomic.Int32
	c, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		cancel()
		<-r.Context().Done()
	})
	var last error
	for _, err := range c.Watch(ctx, "ord_1", -1) {
		last = err
	}
	if !errors.Is(last, context.Canceled) || calls.Load() != 1 {
		t.Errorf("got %v after %d calls, want context.Canceled after one", last, calls.Load())
	}
}

func TestWatchEndsWhenTheCallerStops(t *testing.T) {
	t.Parallel()
	c, r := setup(t, events(0, 1, 2))
	for change, err := range c.Watch(t.Context(), "ord_1", -1) {
		if change.Rev != 0 || err != nil {
			t.Errorf("got %v, %v; want the first change", change, err)
		}
		break
	}
	if len(r.asked) != 1 {
		t.Errorf("got %d requests, want 1", len(r.asked))
	}
}
