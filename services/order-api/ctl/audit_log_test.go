package ctl_test

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

// acts is a page of an audit trail of five acts, of which a page has at most two.
func acts(q url.Values) map[string]any {
	all := []client.Act{
		{ID: "act_5", Actor: "operator:ann", Act: "replay", Target: "dead-letter/3-124", Outcome: "done", Reason: "Depot is back", Address: "192.0.2.0/24", Count: 1},
		{ID: "act_4", Actor: "customer:17", Act: "denied", Target: "POST /v1/orders/ord_1/refund", Outcome: "refused", Problem: "forbidden", Reason: "needs orders:refund", Address: "2001:db8:1::/48", Count: 970},
		{ID: "act_3", Act: "sign-in", Outcome: "refused", Problem: "unauthenticated", Count: 1},
		{ID: "act_2", Actor: "operator:demo", Act: "cancel", Target: "order/ord_1", Outcome: "unknown", Count: 1},
		{ID: "act_1", Actor: "service:order-api", Act: "key-change", Target: "key/\x1b[2J", Outcome: "done", Count: 1},
	}
	from, _ := strconv.Atoi(q.Get("cursor"))
	limit, _ := strconv.Atoi(cmp.Or(q.Get("limit"), "2"))
	to := min(from+min(limit, 2), len(all))
	page := map[string]any{"acts": all[from:to]}
	for i := range all {
		all[i].At = noon.Add(-time.Duration(i) * time.Hour)
	}
	if to < len(all) {
		page["next"] = strconv.Itoa(to)
	}
	return page
}

func TestAuditLogReadsAllPagesUpToItsLimit(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, row := range []struct {
		args string
		want int
	}{{"", 5}, {"--limit 0", 5}, {"--limit 3", 3}, {"--limit 2", 2}, {"--limit 1 --json", 1}, {"--from 2026-03-01T12:00:00Z --actor operator:ann --outcome done", 5}} {
		stdout, _, err := s.run(t, "", append([]string{"audit-log"}, strings.Fields(row.args)...)...)
		if got := strings.Count(stdout, "\n"); err != nil || got != row.want {
			t.Errorf("%s: got %d lines, %v; want %d", row.args, got, err, row.want)
		}
	}
	for _, args := range []string{"--limit -1", "--from yesterday", "--to 1", "--outcome ok"} {
		if stdout, _, err := s.run(t, "", append([]string{"audit-log"}, strings.Fields(args)...)...); err == nil || stdout != "" {
			t.Errorf("%s: got %q, %v; want a usage error", args, stdout, err)
		}
	}
}

func TestReasonsAreSentToTheAPI(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, args := range [][]string{
		{"cancel", "ord_1"},
		{"cancel", "ord_1", "--reason", "Zoë called"},
	} {
		if _, _, err := s.run(t, "", args...); err != nil {
			t.Errorf("%v: got %v", args, err)
		}
	}
	want := []string{"", `{"reason":"Zoë called"}`}
	if diff := gocmp.Diff(want, s.reasons); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}
