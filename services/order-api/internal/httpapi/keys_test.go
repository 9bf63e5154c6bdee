package httpapi_test

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/shared/kafkatest"
)

func TestKeysAreListedWithTheirLastUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	text, used, err := apikey.Create(path, identity.Principal{ID: "acme", Name: "ACME", Role: identity.Customer}, time.Now().Add(time.Hour))
	must(t, err)
	_, revoked, err := apikey.Create(path, identity.Principal{Role: identity.Viewer}, time.Time{})
	must(t, err)
	_, err = apikey.Revoke(path, revoked.ID)
	must(t, err)
	store, err := apikey.Open(path, slog.New(slog.DiscardHandler))
	must(t, err)
	begun := time.Now()
	_, err = store.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}})
	must(t, err)

	s := setupOn(t, kafkatest.Start(t), func(c *httpapi.Config) { c.Keys = store })
	got, err := s.client.APIKeys(t.Context())
	must(t, err)
	want := []client.APIKey{
		{ID: used.ID, Principal: "acme", Name: "ACME", Role: "customer", State: "active", Created: used.Created, Expires: used.Expires, LastUsed: begun},
		{ID: revoked.ID, Principal: revoked.ID, Role: "viewer", State: "revoked", Created: revoked.Created, Revoked: time.Now()},
	}
	byID := cmpopts.SortSlices(func(a, b client.APIKey) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, got, byID, cmpopts.EquateApproxTime(time.Minute)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoFileOfKeysIsAnEmptyList(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if got, err := s.client.APIKeys(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v; want an empty list", got, err)
	}
}
