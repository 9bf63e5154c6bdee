package ctl_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
)

func TestRefundSendsTheArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                                  `{}`,
		"MUG=2 BOTTLE-750=1":                `{"items":[{"sku":"MUG","quantity":2},{"sku":"BOTTLE-750","quantity":1}]}`,
		"--shipping":                        `{"shipping":true}`,
		"MUG=1 --shipping --reason=Broken!": `{"items":[{"sku":"MUG","quantity":1}],"shipping":true,"reason":"Broken!"}`,
	} {
		s := open(t)
		_, _, err := s.run(t, "", append([]string{"refund", "ord_1"}, strings.Fields(args)...)...)
		if diff := cmp.Diff([]string{want}, s.bodies); diff != "" || err != nil {
			t.Errorf("%q: %v, asked for (-want +got):\n%s", args, err, diff)
		}
	}
}

func TestRefundRetriesWithOneKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "k1"} {
		s := open(t)
		s.fails["/v1/orders/ord_1/refund"] = []int{0, http.StatusGatewayTimeout}
		stdout, _, err := s.run(t, "", "refund", "ord_1", "--key", key)
		if want := "ord_1-refund-1 confirmed 29.63 EUR CRN-1\n"; stdout != want || err != nil {
			t.Errorf("got %q, %v; want %q", stdout, err, want)
		}
		if keys := s.placements(); len(keys) != 3 || keys[0] != keys[1] || keys[1] != keys[2] || keys[0] == "" || key != "" && keys[0] != key {
			t.Errorf("got keys %q, want one key three times, %q if it is given", keys, key)
		}
	}
}

func TestFailedRefundHasAHint(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, args string
		fails      []int
		status     string // of the refund, or empty: confirmed
		want       string // on stderr
	}{
		{"nothing left", "ord_1", []int{422}, "", "told to answer 422\nhint: show the order and its refunds with: ordersctl get ord_1\n"},
		{"not invoiced", "ord_1", []int{409}, "", "told to answer 409\nhint: show the order and its refunds with: ordersctl get ord_1\n"},
		{"too many orders", "ord_1", []int{429}, "", "told to answer 429\nhint: are workers running? Run the same command again later: orders with an idempotency key are not placed twice\n"},
		{"unfinished", "--wait=2s ord_1", nil, "waiting", "order ord_1-refund-1 is waiting after 2s\nhint: follow it with: ordersctl watch ord_1-refund-1\n"},
		{"dead", "--wait=2s ord_1", nil, "dead", "order ord_1-refund-1 ended as dead\n"},
		{"no quantity", "ord_1 MUG", nil, "", "\"MUG\": must be SKU=QUANTITY, such as BOTTLE-750=1\n"},
		{"no SKU", "ord_1 =1", nil, "", "\"=1\": must be SKU=QUANTITY, such as BOTTLE-750=1\n"},
		{"half a mug", "ord_1 MUG=0.5", nil, "", "\"MUG=0.5\": must be SKU=QUANTITY, such as BOTTLE-750=1\n"},
		{"a long wait", "--wait=61s ord_1", nil, "", "--wait must be from 0s to 60s\n"},
		{"a key of two words", "--key=ä ord_1", nil, "", "idempotency key \"ä\": must consist of visible ASCII characters\n"},
	} {
		s := open(t)
		s.fails["/v1/orders/ord_1/refund"], s.state["ord_1"] = row.fails, row.status
		_, _, err := s.run(t, "", append([]string{"refund"}, strings.Fields(row.args)...)...)
		if diff := cmp.Diff("ordersctl: "+row.want, told(err)); diff != "" {
			t.Errorf("%s: stderr (-want +got):\n%s", row.name, diff)
		}
	}
	s := open(t)
	s.url = "http://127.0.0.1:1"
	_, _, err := s.run(t, "", "refund", "ord_1", "--key", "k1")
	if want := "\nhint: the refund may have been made: when the API is reachable again, repeat the command with --key k1\n"; !strings.HasSuffix(told(err), want) {
		t.Errorf("unreachable: got %s, want it to end with %s", told(err), want)
	}
}

// told is the error as printed on stderr.
func told(err error) string {
	var text strings.Builder
	config.PrintError(&text, "ordersctl", err)
	return text.String()
}
