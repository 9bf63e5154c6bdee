package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/client/system"
)

// breaks posts a form of "Break it", and checks the status of the answer.
func (s *site) breaks(t *testing.T, path string, form url.Values, want int) {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.PostForm(s.url+"/ops/break/"+path, form)
	must(t, err)
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != want {
		t.Fatalf("%s %v: got %s %v, want %d: %s", path, form, resp.Status, err, want, body)
	}
}

// becomes waits until the statistics are as wanted.
func (s *site) becomes(t *testing.T, what string, wanted func(system.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for now, err := range s.api.WatchStats(ctx) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if wanted(now) {
			return
		}
	}
	t.Fatalf("%s: the statistics ended", what)
}

// unfinished is how many orders are not final, without the dead ones.
func unfinished(now system.Stats) int {
	o := now.Orders
	return o.Accepted + o.Working + o.Mailing + o.Retrying + o.Waiting
}

func TestWorkersAreAddedStoppedAndKilled(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers-as-processes")
	first := s.owners(t, 2, 0)
	s.breaks(t, "workers", url.Values{"act": {"add"}}, http.StatusSeeOther)
	s.owners(t, 3, 0)
	worker := strconv.Itoa(first[0])
	s.breaks(t, "workers", url.Values{"act": {"stop"}, "worker": {worker}}, http.StatusSeeOther)
	s.breaks(t, "workers", url.Values{"act": {"kill"}, "worker": {worker}}, http.StatusNotFound)
	s.owners(t, 2, first[0])
	s.breaks(t, "workers", url.Values{"act": {"kill"}, "worker": {"1"}}, http.StatusNotFound) // a process of others
	s.breaks(t, "record", nil, http.StatusSeeOther)
	s.becomes(t, "a bad record", func(now system.Stats) bool { return now.DeadLetters != nil && now.DeadLetters.Open == 1 })
}

func TestBreakItIsForLoopbackAndProcessesOnly(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"in process": nil, "remote": {"--workers-as-processes", "--allow-remote"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			openSite(t, flags...).breaks(t, "workers", url.Values{"act": {"add"}}, http.StatusNotFound)
		})
	}
}

func TestTheMailServerBehavesAsAsked(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers-as-processes", "--workers", "0")
	for _, b := range api.MailBehaviours() {
		s.breaks(t, "mail", url.Values{"mail": {b[0]}}, http.StatusSeeOther)
		begun := time.Now()
		err := smtp.SendMail(s.smtp, nil, "ada@example.com", []string{"bela@example.com"}, []byte("Message-ID: <"+b[0]+"@example.com>\r\n\r\nHello\r\n"))
		got := fmt.Sprint(err)
		if b[0] == "slow" && time.Since(begun) < 3*time.Second {
			got += " at once"
		}
		want := map[string]string{"works": "<nil>", "down": "EOF", "busy": "451 ", "slow": "<nil>", "hangs-up": "EOF"}[b[0]]
		if want == "" || !strings.HasPrefix(got, want) || strings.HasSuffix(got, " at once") {
			t.Errorf("a mail server that %s: got %s, want %s", b[1], got, want)
		}
	}
}

// TestALoadEndsByItself places orders with an API that refuses each tenth.
func TestALoadEndsByItself(t *testing.T) {
	t.Parallel()
	placed := 0
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"products": [{"sku": "BOTTLE-750"}]}`)
			return
		}
		if placed++; placed%10 == 0 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"type": "/problems/backpressure", "status": 429}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer shop.Close()
	for _, l := range []load{{100, 0}, {20, 100}} {
		b := &breaker{workers: &processes{}, log: slog.New(slog.DiscardHandler), loads: make(chan load, 1)}
		placed = 0
		must(t, b.Place(l.orders, l.rate))
		if err := b.Place(1, 0); !errors.Is(err, api.ErrPlacing) {
			t.Errorf("a second load: got %v, want %v", err, api.ErrPlacing)
		}
		must(t, b.place(t.Context(), client.New(shop.URL, http.DefaultClient), <-b.loads))
		if got := b.Breaking(); placed != l.orders || got.Placed != l.orders*9/10 || got.Refused != l.orders/10 || got.Total != l.orders {
			t.Errorf("%v: got %d orders, %+v", l, placed, got)
		}
	}
}

// TestBreakItInABrowser kills a worker, and lets the mail server be down, with JavaScript and without.
func TestBreakItInABrowser(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, "--workers-as-processes")
			pids := s.owners(t, 2, 0)
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.open("/ops")
			b.kills(pids[0], pids[1], scripts)
			b.breaksMail(scripts)
			if scripts {
				b.open("/ops")
				b.accessible("/ops with Break it")
			}
			b.clean()
		})
	}
}

// kills kills a worker, whose partitions the other one takes over.
func (b *tab) kills(one, other int, scripts bool) {
	b.t.Helper()
	js[int](b, fmt.Sprintf(`document.querySelector("#break-worker").value = "%d", 0`, one))
	b.submit("#break [value=kill]", "#break [role=status]")
	b.has("#break [role=status]", "The worker was killed.")
	if got := js[string](b, `document.querySelector("#break-worker").textContent`); got != fmt.Sprintf("process %d", other) {
		b.t.Errorf("after the kill one can choose %q, want process %d", got, other)
	}
	if !scripts {
		b.site.owners(b.t, 1, one)
		b.open("/ops")
	}
	b.await(fmt.Sprintf(`[...document.querySelectorAll("#map li:has(.of)")].some(l => l.querySelector(".of").textContent.includes("/%d ")
		&& l.querySelectorAll(".cell").length == document.querySelectorAll("#map .cell").length && l.querySelector(".cell"))
		&& document.querySelector("#owners").textContent.includes(" 0 without an owner")`, other))
}

// breaksMail lets 100 orders wait for the mail server, until it works again.
func (b *tab) breaksMail(scripts bool) {
	b.t.Helper()
	b.choose("#break [value=down]", "#break [value=down]:checked")
	b.submit("#break form[action$=mail] .btn", "#break [role=status]")
	b.submit(`#break form:has([value="100"]) .btn`, "#break [role=status]")
	if !scripts {
		b.site.becomes(b.t, "the mail server is down", func(now system.Stats) bool {
			return len(now.Dependencies) > 0 && now.Dependencies[0].State == "open" && now.Orders.Waiting > 0
		})
		b.open("/ops")
	}
	b.await(`/Mail server is down.* orders waiting/.test(document.querySelector("#head .answer").textContent)`)
	b.choose("#break [value=works]", "#break [value=works]:checked")
	b.submit("#break form[action$=mail] .btn", "#break [role=status]")
	b.site.becomes(b.t, "all orders are confirmed", func(now system.Stats) bool {
		return unfinished(now) == 0 && len(now.Dependencies) > 0 && now.Dependencies[0].State == "closed"
	})
	b.open("/ops")
	b.has("#break", "The last load: 100 of 100 orders placed.")
	if now, err := b.site.api.Stats(b.t.Context()); err != nil || now.Orders.Dead != 0 {
		b.t.Errorf("got %+v, %v; want no dead order", now.Orders, err)
	}
}
