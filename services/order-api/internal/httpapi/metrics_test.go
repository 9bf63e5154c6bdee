package httpapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
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

// TestMetricsShowCausesOfDeadLetters has more causes than have time series of their own.
func TestMetricsShowCausesOfDeadLetters(t *testing.T) {
	t.Parallel()
	s := setup(t)
	changes, stop := s.view.WatchJobs() // a replay that failed again wakes it
	defer stop()
	const causes = 23
	for n := range causes {
		for i := range 1 + n/20 { // the last three have two each
			l := dlq.DeadLetter{
				Source: wire.Source{Key: []byte("k"), Value: []byte("{}"), Origin: order.Origin{Partition: 1, Offset: int64(10*n + i)}}, Topic: s.Topics.Orders,
				Step: order.StepEmail, Reason: failure.MailRejected, Message: "mail rejected: " + strings.Repeat("x", n+1), Replays: 1,
				FirstFailed: time.Now().Add(-time.Hour), LastFailed: time.Now(),
			}
			s.put(t, s.Topics.DLQ, 1, l.Record())
		}
	}
	for found := 0; found < causes+3; {
		<-changes
		groups, err := s.view.Groups(t.Context(), view.DeadLetterFilter{})
		must(t, err)
		found = 0
		for _, g := range groups {
			found += g.Total()
		}
	}
	body := text(t, s.send(t, s.http, "GET", "/metrics", ""))
	counts := map[string]int{}
	for _, line := range regexp.MustCompile(`(?m)^orders_api_dead_letters\{cause="(?:cause_[a-z2-7]{16}|other)"(.*)$`).FindAllStringSubmatch(body, -1) {
		counts[line[1]]++
	}
	const own = `,reason="mail-rejected",step="email"} `
	if diff := cmp.Diff(map[string]int{own + "2": 3, own + "1": 17, `,reason="",step=""} 3`: 1}, counts); diff != "" {
		t.Errorf("time series (-want +got):\n%s", diff)
	}
	ages := regexp.MustCompile(`(?m)^orders_api_dead_letters_oldest_age_seconds\{.*\} 36[0-9][0-9]\.`).FindAllString(body, -1)
	if len(ages) != 21 {
		t.Errorf("got %d ages of an hour, want 21:\n%s", len(ages), body)
	}
}
