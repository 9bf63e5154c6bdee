package api_test

import (
	"errors"
	"net/http"
	"testing"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafkatest"
)

// move is an API that is closed, and the one that has taken over: at another prefix or, as here, in another cluster.
type move struct {
	before, after *kafkatest.Kafka
	old, now      *client.Client
	url           string // of the new API
	stop          func() error
}

// moved places orders with the keys at an API, then closes it and starts another one.
func moved(t *testing.T, keys ...string) (m move, placed []client.Order) {
	t.Helper()
	m = move{before: kafkatest.Start(t), after: kafkatest.Start(t)}
	cfg := settings(t, m.before)
	cfg.Secret = "a key of at least sixteen"
	old, _, stop := start(t, cfg)
	for _, key := range keys {
		o, err := old.Place(t.Context(), wanted(), key, 0)
		if err != nil {
			t.Fatal(err)
		}
		placed = append(placed, o)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	cfg.Closed = true
	next := settings(t, m.after)
	next.Secret = cfg.Secret
	m.old, next.EarlierAPI, m.stop = start(t, cfg)
	m.now, m.url, _ = start(t, next)
	return m, placed
}

func isProblem(t *testing.T, what string, err error, status int, kind string) {
	t.Helper()
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != status || p.Type != "/problems/"+kind {
		t.Errorf("%s: got %v, want %d %s", what, err, status, kind)
	}
}

// TestAKeyOfTheEarlierPrefixPlacesNoSecondOrder: the new API answers with the earlier order.
func TestAKeyOfTheEarlierPrefixPlacesNoSecondOrder(t *testing.T) {
	t.Parallel()
	m, placed := moved(t, "k1")
	again, err := m.now.Place(t.Context(), wanted(), "k1", 0)
	if err != nil || again.ID != placed[0].ID || !again.Replayed {
		t.Errorf("the same order: got %q (replayed: %t), %v; want %q again", again.ID, again.Replayed, err, placed[0].ID)
	}
	other := wanted()
	other.Note = "please ring twice"
	_, err = m.now.Place(t.Context(), other, "k1", 0)
	isProblem(t, "another order", err, http.StatusUnprocessableEntity, "idempotency-key-reused")
	for range 2 {
		if _, err = m.now.Place(t.Context(), wanted(), "k2", 0); err != nil {
			t.Errorf("a new key: %v", err)
		}
	}
	if _, err = m.now.Place(t.Context(), wanted(), "", 0); err != nil {
		t.Errorf("without a key: %v", err)
	}
	if before, after := len(m.before.Records(t, m.before.Topics.Orders)), len(m.after.Records(t, m.after.Topics.Orders)); before != 1 || after != 2 {
		t.Errorf("got %d orders at the earlier prefix and %d at the new one, want 1 and 2", before, after)
	}
}

func TestAClosedAPIPlacesNothing(t *testing.T) {
	t.Parallel()
	m, placed := moved(t, "k1")
	for _, key := range []string{"k2", ""} {
		_, err := m.old.Place(t.Context(), wanted(), key, 0)
		isProblem(t, "key "+key, err, http.StatusServiceUnavailable, "closed")
	}
	if again, err := m.old.Place(t.Context(), wanted(), "k1", 0); err != nil || again.ID != placed[0].ID {
		t.Errorf("a repeat: got %q, %v; want %q", again.ID, err, placed[0].ID)
	}
	if n := len(m.before.Records(t, m.before.Topics.Orders)); n != 1 {
		t.Errorf("got %d orders, want the one that was placed before", n)
	}
}

// TestTheNewAPIAnswersForEarlierOrders reads, watches and cancels one, and gets what belongs to no order.
func TestTheNewAPIAnswersForEarlierOrders(t *testing.T) {
	t.Parallel()
	m, placed := moved(t, "k1")
	id := placed[0].ID
	if o, err := m.now.Order(t.Context(), id); err != nil || o.ID != id {
		t.Errorf("got %q, %v; want %q", o.ID, err, id)
	}
	for change, err := range m.now.Watch(t.Context(), id, -1) {
		if err != nil || change.Status != "accepted" {
			t.Errorf("the first event: got %+v, %v", change, err)
		}
		break
	}
	if _, err := m.now.Cancel(t.Context(), id, ""); err != nil || len(m.before.Records(t, m.before.Topics.Replay)) != 1 {
		t.Errorf("cancel: got %v, want a request at the earlier prefix", err)
	}
	_, err := m.now.Order(t.Context(), "ord_none")
	isProblem(t, "an unknown order", err, http.StatusNotFound, "unknown-order")
	resp, err := http.Get(m.url + "/v1/orders/" + id) //nolint:noctx // it ends with the test's server
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		if len(values) != 1 {
			t.Errorf("header %s: got %q, want one value", name, values)
		}
	}
}

// TestWithoutTheEarlierAPIKeysAreRefused: it cannot be known whether a key was used.
func TestWithoutTheEarlierAPIKeysAreRefused(t *testing.T) {
	t.Parallel()
	m, placed := moved(t, "k1")
	o, err := m.now.Place(t.Context(), wanted(), "k2", 0)
	if err := errors.Join(err, m.stop()); err != nil {
		t.Fatal(err)
	}
	_, err = m.now.Place(t.Context(), wanted(), "k3", 0)
	isProblem(t, "a key", err, http.StatusServiceUnavailable, "unavailable")
	_, err = m.now.Order(t.Context(), placed[0].ID)
	isProblem(t, "an earlier order", err, http.StatusServiceUnavailable, "unavailable")
	if _, err := m.now.Order(t.Context(), o.ID); err != nil {
		t.Errorf("an order of the new prefix: %v", err)
	}
	if _, err := m.now.Place(t.Context(), wanted(), "", 0); err != nil {
		t.Errorf("without a key: %v", err)
	}
}
