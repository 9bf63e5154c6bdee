package ctl_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestCancelWaitsForTheResult(t *testing.T) {
	t.Parallel()
	changes := func(all ...string) (walk []string) {
		for rev, change := range all {
			status, reason, _ := strings.Cut(change, " ")
			walk = append(walk, fmt.Sprintf(`{"rev":%d,"status":%q,"reason":%q}`, rev, status, reason))
		}
		return walk
	}
	for _, row := range []struct {
		name, wait string
		status     string // of the order; or empty: accepted
		fails      []int
		walk       []string
		out, err   string // printed, and told; one of them is empty
	}{
		{"sent", "0s", "", nil, nil, "ord_1 cancel sent\n", ""},
		{"sent at the second try", "0s", "", []int{503}, nil, "ord_1 cancel sent\n", ""},
		{"cancelled before", "0s", "cancelled", nil, nil, "ord_1 cancelled\n", ""},
		{"in time", "20s", "", nil, changes("accepted", "cancelled"), "ord_1 cancelled\n", ""},
		{"too late", "20s", "", nil, changes("accepted", "working", "working cancel-refused"), "", "order ord_1 is working: a worker had begun it before the cancel request"},
		{"ended before", "20s", "", nil, changes("accepted", "working", "mailing", "confirmed"), "", "order ord_1 is confirmed: a worker had begun it before the cancel request"},
		{"dead before", "20s", "", nil, changes("accepted", "dead no-route"), "", "order ord_1 is dead: a worker had begun it before the cancel request"},
		{"no answer", "50ms", "", nil, nil, "", "order ord_1: no answer"},
		{"begun", "20s", "", []int{409}, nil, "", "told to answer 409"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.fails["/v1/orders/ord_1/cancel"], s.walk["ord_1"], s.state["ord_1"] = row.fails, row.walk, row.status
			out, _, err := s.run(t, "", "cancel", "--wait", row.wait, "ord_1")
			if out != row.out || (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
				t.Errorf("got %q, %v; want %q, %q", out, err, row.out, row.err)
			}
		})
	}
}
