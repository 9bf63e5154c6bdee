//go:build synctests

package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/web"
)

// breaker notes what it is asked for. Its mail server is part of the program unless it has none.
type breaker struct {
	noMail bool
	did    []string
}

func (b *breaker) note(format string, args ...any) {
	b.did = append(b.did, fmt.Sprintf(format, args...))
}

func (b *breaker) Breaking() web.Breaking {
	if b.noMail {
		return web.Breaking{}
	}
	return web.Breaking{Workers: []int{41, 42}, Mail: "works"}
}

func (b *breaker) AddWorker() error {
	if len(b.did) > 0 {
		return web.ErrManyWorkers
	}
	b.note("add")
	return nil
}

func (b *breaker) EndWorker(pid int, kill bool) error {
	if pid != 42 {
		return web.ErrNoWorker
	}
	b.note("end %d %t", pid, kill)
	return nil
}

func (b *breaker) Behave(name string) { b.note("mail %s", name) }

func (b *breaker) Place(orders, rate int) error {
	if orders == 7 {
		return web.ErrPlacing
	}
	b.note("place %d %d", orders, rate)
	return nil
}

func (b *breaker) PlaceBad(context.Context) error {
	b.note("bad")
	return nil
}

// breakable adds the pages with a breaker.
func breakable(t *testing.T, b *breaker) func(*httpapi.Config) {
	t.Helper()
	pages, err := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Breaker: b})
	must(t, err)
	return func(c *httpapi.Config) { c.Web = pages }
}

func TestBreakItDoesWhatItSaysAndRecordsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{}
		s := guarded(t, breakable(t, b))
		operator := s.reader(t, "Bearer operator")
		for _, row := range []struct {
			path   string
			form   url.Values
			status int
		}{
			{"workers", url.Values{"act": {"add"}}, 303},
			{"workers", url.Values{"act": {"add"}}, 409},
			{"workers", url.Values{"act": {"stop"}, "worker": {"42"}}, 303},
			{"workers", url.Values{"act": {"kill"}, "worker": {"42"}}, 303},
			{"workers", url.Values{"act": {"kill"}, "worker": {"1"}}, 404},
			{"workers", url.Values{"act": {"kill"}, "worker": {"-1"}}, 404},
			{"workers", url.Values{"act": {"kill"}, "worker": {"w1"}}, 400},
			{"workers", url.Values{"act": {"kill"}}, 400},
			{"workers", url.Values{"act": {"hang"}, "worker": {"42"}}, 400},
			{"workers", nil, 400},
			{"mail", url.Values{"mail": {"down"}}, 303},
			{"mail", url.Values{"mail": {"on fire"}}, 400},
			{"mail", nil, 400},
			{"load", url.Values{"orders": {"100"}, "rate": {"0"}}, 303},
			{"load", url.Values{"orders": {"1200"}, "rate": {"20"}}, 303},
			{"load", url.Values{"orders": {"7"}, "rate": {"0"}}, 409},
			{"load", url.Values{"orders": {"-1"}, "rate": {"0"}}, 400},
			{"load", url.Values{"orders": {"0"}, "rate": {"0"}}, 400},
			{"load", url.Values{"orders": {"2001"}, "rate": {"0"}}, 400},
			{"load", url.Values{"orders": {"10"}, "rate": {"-1"}}, 400},
			{"load", url.Values{"orders": {"10"}, "rate": {"101"}}, 400},
			{"load", url.Values{"orders": {"2000"}, "rate": {"1"}}, 400},
			{"load", url.Values{"orders": {"99999999999999999999"}, "rate": {"1"}}, 400},
			{"load", url.Values{"orders": {"ten"}, "rate": {"1"}}, 400},
			{"load", nil, 400},
			{"record", nil, 303},
		} {
			time.Sleep(time.Millisecond) // acts are sorted by time
			status, body, to := operator.post("/ops/break/"+row.path, row.form)
			if status != row.status || status == http.StatusSeeOther && to[:11] != "/ops?broke=" {
				t.Errorf("%s %v: got %d to %q, want %d: %.2000s", row.path, row.form, status, to, row.status, body)
			}
		}
		if diff := cmp.Diff([]string{"add", "end 42 false", "end 42 true", "mail down", "place 100 0", "place 1200 20", "bad"}, b.did); diff != "" {
			t.Errorf("did (-want +got):\n%s", diff)
		}
		want := []string{
			"operator:operator break record/bad done",
			"operator:operator break load/7 refused load-runs",
			"operator:operator break load/1200 done",
			"operator:operator break load/100 done",
			"operator:operator break mail/down done",
			"operator:operator break worker/-1/kill refused unknown-worker",
			"operator:operator break worker/1/kill refused unknown-worker",
			"operator:operator break worker/42/kill done",
			"operator:operator break worker/42/stop done",
			"operator:operator break worker/add refused many-workers",
			"operator:operator break worker/add done",
		}
		if diff := cmp.Diff(want, briefly(s.acts(t, "&act=break"))); diff != "" {
			t.Errorf("acts (-want +got):\n%s", diff)
		}
	})
}

func TestBreakItIsForOperatorsWhereThereIsSomethingToBreak(t *testing.T) {
	t.Parallel()
	b := &breaker{noMail: true}
	s, without := guarded(t, breakable(t, b)), guarded(t, withPages(t))
	for _, path := range []string{"workers", "mail", "load", "record"} {
		for who, want := range map[string]int{"guest": 401, "customer": 403, "viewer": 403, "support": 403} {
			auth := "Bearer " + who
			if who == "guest" {
				auth = ""
			}
			if status, _, _ := s.reader(t, auth).post("/ops/break/"+path, url.Values{"act": {"add"}}); status != want {
				t.Errorf("%s as %s: got %d, want %d", path, who, status, want)
			}
		}
		if status, _, _ := without.reader(t, "Bearer admin").post("/ops/break/"+path, nil); status != http.StatusNotFound {
			t.Errorf("%s of an API without a breaker: got %d, want 404", path, status)
		}
	}
	if status, _, _ := s.reader(t, "Bearer operator").post("/ops/break/mail", url.Values{"mail": {"down"}}); status != http.StatusConflict {
		t.Errorf("a mail server of others: got %d, want 409", status)
	}
	if len(b.did) > 0 {
		t.Errorf("did %v, want nothing", b.did)
	}
}

func TestBreakItIsASectionOfOperations(t *testing.T) {
	t.Parallel()
	s, without := guarded(t, breakable(t, &breaker{})), guarded(t, withPages(t))
	page := s.reader(t, "Bearer operator").opened("/ops?broke=kill", "Break it", "The worker was killed.", `<option value="42">process 42</option>`,
		`value="works" checked`, `name="act" value="kill">Kill it`, "Story: maildown.txtar")
	if strings.Contains(page, "aria-disabled") {
		t.Error("a button is disabled for an operator")
	}
	page = s.reader(t, "Bearer viewer").opened("/ops", "Break it", "Needs the role operator", `aria-describedby="break-needs">Kill it`)
	if strings.Contains(page, `value="kill"`) {
		t.Error("a viewer has a button that acts")
	}
	if strings.Contains(without.reader(t, "Bearer admin").opened("/ops"), "Break it") {
		t.Error("an API without a breaker has the section")
	}
}
