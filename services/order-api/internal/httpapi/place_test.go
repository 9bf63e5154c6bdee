package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func TestPlacedOrderIsAnsweredPriced(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got, err := s.client.Place(t.Context(), wanted(), "", 0)
	must(t, err)
	price, net := client.Money{Amount: "24.90", Currency: "EUR"}, client.Money{Amount: "49.80", Currency: "EUR"}
	want := client.Order{
		ID: got.ID, Status: "accepted", PlacedAt: got.PlacedAt, Customer: wanted().Customer, ShipTo: wanted().ShipTo, Service: "standard",
		Items:      []client.Item{{SKU: "BOTTLE-750", Quantity: 2, Name: got.Items[0].Name, UnitPrice: &price, Net: &net}},
		ItemsTotal: net, Timeline: []client.Change{{At: got.PlacedAt, Status: "accepted"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Items[0].Name == "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	again, err := s.client.Order(t.Context(), got.ID)
	none := client.Money{Amount: "0.00", Currency: "EUR"}
	got.Balance = &client.Balance{State: "unpaid", Received: none, PaidBack: none, Credited: none}
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("asked for at once: %v (-placed +got):\n%s", err, diff)
	}
}

func TestCurlNeedsNoContentType(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/json; charset=utf-8", ""} {
		resp := s.send(t, s.raw, "POST", "/v1/orders", good, "Content-Type", kind)
		if resp.StatusCode != http.StatusAccepted || !strings.HasPrefix(resp.Header.Get("Location"), "/v1/orders/ord_") {
			t.Errorf("type %q: got %s, Location %q; want an accepted order", kind, resp.Status, resp.Header.Get("Location"))
		}
	}
}

func TestNamesInAnyScriptAreAccepted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, name := range []string{
		"Παπαδόπουλος", "Иванов", "محمد عبد الله", "שרה לוי", "山田太郎", "Zoe 🚲👩‍👩‍👧", "e\u0301", `"<b>&`, strings.Repeat("ß", 200),
	} {
		o := wanted()
		o.Customer.Name = name
		got, err := s.client.Place(t.Context(), o, "", 0)
		if err != nil || got.Customer.Name != name {
			t.Errorf("got %q, %v; want %q", got.Customer.Name, err, name)
		}
	}
}

// TestDisconnectingClientDoesNotCancelTheOrder disconnects while Kafka has not acknowledged the
// order.
func TestDisconnectingClientDoesNotCancelTheOrder(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, hangUp := context.WithCancel(t.Context())
	asked, silent := make(chan struct{}), make(chan struct{})
	s.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(asked)
		s.Cluster.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := s.client.Place(ctx, wanted(), "", 0); err == nil {
			t.Error("got an answer, want none: the client has hung up")
		}
	})
	<-asked
	hangUp()
	calls.Wait()
	close(silent)

	cl, err := s.Config().Connect(t.Context(), kgo.ConsumeTopics(s.Topics.Orders), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer cl.Close()
	if got := cl.PollFetches(t.Context()).NumRecords(); got != 1 {
		t.Errorf("got %d records, want the order", got)
	}
}

func TestPreferWaitAnswersTheFinishedOrder(t *testing.T) {
	t.Parallel()
	for _, end := range []order.Status{order.Confirmed, order.Dead} {
		t.Run(string(end), func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			state := s.place(t, wanted()) // what the worker sees; the same key finds it again
			var work sync.WaitGroup
			work.Go(func() { s.advance(t, &state, order.Change{Status: end}) })
			resp := s.again(t, state, "wait=30")
			work.Wait()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Preference-Applied") != "wait=30" {
				t.Errorf("got %s, applied %q; want 200 and wait=30", resp.Status, resp.Header.Get("Preference-Applied"))
			}
			var got client.Order
			must(t, json.Unmarshal([]byte(text(t, resp)), &got))
			if got.Status != string(end) || got.Rev != 1 {
				t.Errorf("got %s, rev %d; want %s, 1", got.Status, got.Rev, end)
			}
		})
	}
}

// again places an order again with its key, and waits for its final status.
func (s *shop) again(t *testing.T, state order.State, prefer string) *http.Response {
	t.Helper()
	body, err := json.Marshal(wanted())
	must(t, err)
	return s.send(t, s.http, "POST", "/v1/orders", string(body), "Content-Type", "application/json",
		"Idempotency-Key", s.keys[state.Order.ID], "Prefer", prefer)
}

func TestPreferWaitIsReadLeniently(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	for prefer, applied := range map[string]string{
		"wait=10": "wait=10", "respond-async, wait=5": "wait=5", "Wait=0": "wait=0", "wait=9999": "wait=60",
		"wait": "", "wait=-1": "", "wait=soon": "", "handling=lenient": "",
	} {
		resp := s.again(t, state, prefer)
		want := http.StatusOK
		if applied == "" {
			want = http.StatusAccepted
		}
		if got := resp.Header.Get("Preference-Applied"); got != applied || resp.StatusCode != want {
			t.Errorf("%q: got %s, applied %q; want %d, %q", prefer, resp.Status, got, want, applied)
		}
	}
}

func TestStoppingEndsTheWait(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	s.stop()
	if resp := s.again(t, state, "wait=60"); resp.StatusCode != http.StatusAccepted {
		t.Errorf("got %s, want 202 at once", resp.Status)
	}
}

func TestLargeBodyIsRefusedAfterItIsSent(t *testing.T) {
	t.Parallel()
	s := setup(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	defer conn.Close()
	const size = 5 << 20
	if _, err := fmt.Fprintf(conn, "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)); err != nil {
		t.Fatalf("got %v while sending, want the whole body taken", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %s, want 413", resp.Status)
	}
}
