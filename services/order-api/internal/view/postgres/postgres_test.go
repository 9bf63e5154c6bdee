package postgres

import (
	"log/slog"
	"testing"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
)

func TestTheStoreConforms(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	storetest.Run(t, func(t *testing.T) func() view.Store {
		url := server.Database(t)
		return func() view.Store { return open(t, url) }
	})
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(url, slog.New(slog.DiscardHandler))
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
