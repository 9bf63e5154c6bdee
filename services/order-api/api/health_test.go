package api_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/kafkatest"
)

// TestProfilesAreServedOnTheHealthAddressOnly: they tell too much about the process for an address that
// customers reach.
func TestProfilesAreServedOnTheHealthAddressOnly(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, kafkatest.Start(t))
	cfg.Health = free.Addr().String()
	free.Close()
	_, public, stop := start(t, cfg)
	got := map[string][2]int{}
	for _, path := range []string{"/healthz/live", "/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/v1/products"} {
		got[path] = [2]int{status(t, public+path), status(t, "http://"+cfg.Health+path)}
	}
	want := map[string][2]int{
		"/healthz/live": {200, 200}, "/metrics": {200, 200}, "/v1/products": {200, 404},
		"/debug/pprof/": {404, 200}, "/debug/pprof/heap": {404, 200}, "/debug/pprof/cmdline": {404, 404},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status on the public and on the health address (-want +got):\n%s", diff)
	}
	if err := stop(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
