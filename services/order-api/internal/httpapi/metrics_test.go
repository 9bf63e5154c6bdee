package httpapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetricsCountRequestsAndShowTheReadModel(t *testing.T) {
	t.Parallel()
	s := setup(t)
	text(t, s.send(t, s.http, "GET", "/v1/products", ""))
	text(t, s.send(t, s.http, "GET", "/v1/products", ""))
	text(t, s.send(t, s.http, "GET", "/v1/orders/ord_x", ""))
	text(t, s.send(t, s.raw, "GET", "/v1/nothing", ""))
	text(t, s.send(t, s.raw, "BREW", "/v1/orders", ""))
	resp := s.send(t, s.http, "GET", "/metrics", "")
	body := text(t, resp)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s: %s", resp.Status, body)
	}
	got := regexp.MustCompile(`(?m)^orders_api_(?:request_seconds_count|view_lag|stale).*$`).FindAllString(body, -1)
	slices.Sort(got)
	want := []string{
		`orders_api_request_seconds_count{route="GET /v1/orders/:id",status="404"} 1`,
		`orders_api_request_seconds_count{route="GET /v1/products",status="200"} 2`,
		`orders_api_request_seconds_count{route="other",status="404"} 1`,
		`orders_api_request_seconds_count{route="other",status="405"} 1`,
		`orders_api_stale_states_total 0`,
		`orders_api_view_lag_records 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if !strings.Contains(body, "\norders_api_view_fresh_timestamp_seconds 1") { // of this century
		t.Error("got no time at which the view was fresh")
	}
}
