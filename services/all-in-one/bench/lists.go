package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// listed is what fillview has written: values that orders of the read model have.
type listed struct {
	Orders, Firsts, Lasts, Stems, Wholes, Mails, Numbers, Owners []string
	Shop                                                         string
	Times                                                        []time.Time
}

// lists measures every list, filter, search and page on a read model with many orders, which were never in
// Kafka: fillview gives them to the projection of the API. All requests go to the real API over HTTP.
func (b *bench) lists(ctx context.Context) (rows []row, err error) {
	prefix, _, err := b.newPrefix(ctx)
	if err != nil {
		return nil, err
	}
	x, took, err := b.fillView(ctx, prefix)
	if err != nil {
		return nil, err
	}
	keys, err := b.keyFile(append(x.Owners, x.Shop))
	if err != nil {
		return nil, err
	}
	api, err := b.startAPI(ctx, prefix, "lists", "--api-keys", keys)
	if err != nil {
		return nil, err
	}
	defer api.stop()
	if _, err := b.caughtUp(ctx); err != nil {
		return nil, err
	}
	file, err := os.Stat(filepath.Join(b.dir, "lists", "view.db"))
	if err != nil {
		return nil, err
	}
	rows = []row{
		figure(fmt.Sprintf("lists: time to fill a read model with %d orders", b.Orders), "%.0f s", took.Seconds()),
		figure("lists: file of the read model", "%.0f MB", float64(file.Size())/1e6),
	}
	more, err := b.askAll(ctx, api, x)
	return append(append(rows, more...), figure("lists: memory of the API", "%.0f MB", api.peak())), err
}

// fillView fills a read model.
func (b *bench) fillView(ctx context.Context, prefix string) (x listed, took time.Duration, err error) {
	b.logf("lists: filling a read model with %d orders", b.Orders)
	began, out := time.Now(), &strings.Builder{}
	p, err := b.launch(ctx, "fillview", out, b.program("fillview"), filepath.Join(b.dir, "lists"),
		"--brokers", b.kafka.Brokers[0], "--prefix", prefix, "--orders", fmt.Sprint(b.Orders))
	if err != nil {
		return x, 0, err
	}
	<-p.done
	took = time.Since(began)
	b.logf("  fillview: %s, %s CPU", took.Round(time.Millisecond), p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())
	if !p.cmd.ProcessState.Success() {
		return x, 0, fmt.Errorf("fillview: %s", p.cmd.ProcessState)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n") // log lines may come before
	return x, took, json.Unmarshal([]byte(lines[len(lines)-1]), &x)
}

// question is a request, with many values of its parameters.
type question struct {
	name   string
	paths  []string // without the host
	keys   []string // of customers, one for each path; or nil: the operator asks
	status int      // expected; 0 is 200
	most   float64  // ms; 0 is 20
}

// askAll asks all questions, one after the other.
func (b *bench) askAll(ctx context.Context, api *process, x listed) (rows []row, err error) {
	for _, q := range questions(x) {
		r, err := b.askOne(ctx, api, q)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", q.name, q.paths[0], err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// askOne asks a question on one connection, again and again.
func (b *bench) askOne(ctx context.Context, api *process, q question) (row, error) {
	var requests []string
	for i, path := range q.paths {
		text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n", path, address(b.Port+apiPort))
		if len(q.keys) > 0 {
			text += "Authorization: Bearer " + q.keys[i%len(q.keys)] + "\r\n"
		}
		requests = append(requests, text+"\r\n")
	}
	a, err := closedLoop(ctx, api, address(b.Port+apiPort), requests, cmp.Or(q.status, http.StatusOK), 1, askFor)
	if err == nil && a.failed > 0 {
		err = fmt.Errorf("%d requests failed", a.failed)
	}
	if err != nil {
		return row{}, err
	}
	b.logf("  %s: p50 %s, p99 %s", q.name, a.p50, a.p99)
	return below(fmt.Sprintf("lists: %s, p99 (p50 %.1f ms, CPU %.1f ms)", q.name, milliseconds(a.p50), a.cpu), "%.1f ms", milliseconds(a.p99), cmp.Or(q.most, 20)), nil
}

// askFor is how long a question is asked.
const askFor = 300 * time.Millisecond

// with is a path for each of some values of a parameter.
func with[T any](path, parameter string, values []T) (all []string) {
	sign := "?"
	if strings.Contains(path, "?") {
		sign = "&"
	}
	for _, v := range values {
		all = append(all, path+sign+parameter+"="+url.QueryEscape(fmt.Sprint(v)))
	}
	return all
}

// cursors are those of pages in the middle of a list, which begin at the given times.
func (x listed) cursors() (all []string) {
	for _, at := range x.Times {
		all = append(all, base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d z", at.UnixMilli())))
	}
	return all
}

// days are the parameters of the days that begin at the given times.
func (x listed) days(path string) (all []string) {
	for _, at := range x.Times {
		all = append(all, fmt.Sprintf("%s&from=%s&to=%s", path, at.Format(time.RFC3339), at.AddDate(0, 0, 1).Format(time.RFC3339)))
	}
	return all
}

// questions are all lists of the API and of its pages.
func questions(x listed) (all []question) {
	all = append(all, x.ofOrders()...)
	all = append(all, x.ofNames()...)
	all = append(all, x.ofCustomers()...)
	return append(all, x.ofDesk()...)
}

// ofOrders are lists of orders by their columns.
func (x listed) ofOrders() (all []question) {
	const list = "/v1/orders?limit=50"
	var gets, pages []string
	for _, id := range x.Orders {
		gets, pages = append(gets, "/v1/orders/"+id), append(pages, "/orders/"+id)
	}
	all = []question{
		{name: "get an order", paths: gets, most: 1},
		{name: "all orders", paths: []string{list}},
		{name: "all orders, pages in the middle", paths: with(list, "cursor", x.cursors())},
		{name: "200 orders", paths: []string{"/v1/orders?limit=200"}},
		{name: "orders of a day", paths: x.days(list)},
		{name: "refunds", paths: []string{list + "&kind=refund"}},
		{name: "refunds, pages in the middle", paths: with(list+"&kind=refund", "cursor", x.cursors())},
		{name: "orders by number", paths: with(list, "reference", x.Numbers)},
		{name: "orders by number, none", paths: []string{list + "&reference=none"}},
	}
	for _, status := range []string{"confirmed", "cancelled", "dead", "accepted"} {
		of := list + "&status=" + status
		all = append(all, question{name: status + " orders", paths: []string{of}}, question{name: status + " orders, pages in the middle", paths: with(of, "cursor", x.cursors())},
			question{name: status + " orders of a day", paths: x.days(of)}, question{name: status + " refunds", paths: []string{of + "&kind=refund"}})
	}
	return append(all, question{name: "page of an order", paths: pages}, question{name: "page of orders", paths: []string{"/orders"}},
		question{name: "page of dead orders", paths: []string{"/orders?status=dead"}}, question{name: "page of orders, search by number", paths: with("/orders", "q", x.Numbers), status: http.StatusSeeOther})
}

// ofNames are searches.
func (x listed) ofNames() []question {
	const list = "/v1/orders?limit=50"
	last, both := with(list, "customer", x.Lasts), []string{}
	for i, name := range x.Firsts[1:] {
		both = append(both, x.Firsts[i]+" "+name)
	}
	return []question{
		{name: "search by e-mail address", paths: with(list, "customer", x.Mails)},
		{name: "search by first name, 1 order in 40", paths: with(list, "customer", x.Firsts)},
		{name: "search by first name, pages in the middle", paths: with(list+"&customer="+x.Firsts[0], "cursor", x.cursors())},
		{name: "search by last name, 1 order in 900", paths: last},
		{name: "search by last name, pages in the middle", paths: with(list+"&customer="+x.Lasts[0], "cursor", x.cursors())},
		{name: "search by the beginning of a last name, 1 order in 30", paths: with(list, "customer", x.Stems)},
		{name: "search by whole name, 1 order in 36,000", paths: with(list, "customer", x.Wholes)},
		{name: "search by two first names, none", paths: with(list, "customer", both)},
		{name: "search by one letter", paths: with(list, "customer", strings.Split("abcdefghi", ""))},
		{name: "search by words of all", paths: []string{list + "&customer=buyer+example.com"}},
		{name: "search by a word of none", paths: []string{list + "&customer=nothing"}},
		{name: "search by first name and status cancelled", paths: with(list+"&status=cancelled", "customer", x.Firsts)},
		{name: "search by first name and status dead", paths: with(list+"&status=dead", "customer", x.Firsts)},
		{name: "search by last name and status cancelled", paths: with(list+"&status=cancelled", "customer", x.Lasts)},
		{name: "search by last name and status dead", paths: with(list+"&status=dead", "customer", x.Lasts)},
		{name: "search by first name, of a day", paths: x.days(list + "&customer=" + url.QueryEscape(x.Firsts[0]))},
		{name: "search by last name, of a day", paths: x.days(list + "&customer=" + url.QueryEscape(x.Lasts[0]))},
		{name: "search for refunds by first name", paths: with(list+"&kind=refund", "customer", x.Firsts)},
		{name: "search for refunds by last name", paths: with(list+"&kind=refund", "customer", x.Lasts)},
		{name: "page of orders, search by last name", paths: with("/orders", "q", x.Lasts)},
	}
}

// ofCustomers are lists of the orders of a customer, who has a few, and of a shop that has a fifth of all.
func (x listed) ofCustomers() (all []question) {
	const list = "/v1/orders?limit=50"
	var few []string
	for _, c := range x.Owners {
		few = append(few, keyOf(c))
	}
	for _, by := range []struct {
		who  string
		keys []string
	}{{"a customer", few}, {"a shop", []string{keyOf(x.Shop)}}} {
		repeated := func(path string) []string { return strings.Split(strings.Repeat(path+" ", len(by.keys)-1)+path, " ") }
		all = append(all,
			question{name: "orders of " + by.who, paths: repeated(list), keys: by.keys},
			question{name: "orders of " + by.who + ", pages in the middle", paths: with(list, "cursor", x.cursors()), keys: by.keys},
			question{name: "confirmed orders of " + by.who, paths: repeated(list + "&status=confirmed"), keys: by.keys},
			question{name: "dead orders of " + by.who, paths: repeated(list + "&status=dead"), keys: by.keys},
			question{name: "refunds of " + by.who, paths: repeated(list + "&kind=refund"), keys: by.keys},
			question{name: "orders of " + by.who + " of a day", paths: x.days(list), keys: by.keys},
			question{name: "search by last name in orders of " + by.who, paths: with(list, "customer", x.Lasts), keys: by.keys},
			question{name: "search by first name in orders of " + by.who, paths: with(list, "customer", x.Firsts), keys: by.keys},
			question{name: "page of orders of " + by.who, paths: repeated("/orders"), keys: by.keys},
		)
	}
	return all
}

// ofDesk are lists of dead letters, causes, replays, acts and statistics.
func (x listed) ofDesk() (all []question) {
	const letters, acts = "/v1/dead-letters?limit=50", "/v1/audit?limit=50"
	for _, q := range [][2]string{
		{"dead letters", letters},
		{"open dead letters", letters + "&state=open"},
		{"dead letters by step", letters + "&step=email"},
		{"dead letters by class", letters + "&class=permanent"},
		{"dead letters by reason", letters + "&reason=no-route"},
		{"open dead letters by reason", letters + "&reason=no-route&state=open"},
		{"search for dead letters, word of all", letters + "&q=step"},
		{"search for dead letters by message", letters + "&q=5.7.1+relaying"},
		{"causes", "/v1/dead-letters/groups"},
		{"causes that are open", "/v1/dead-letters/groups?state=open"},
		{"replays", "/v1/replays?limit=50"},
		{"acts", acts},
		{"acts by actor", acts + "&actor=operator:bench"},
		{"acts by kind", acts + "&act=refund"},
		{"acts by outcome", acts + "&outcome=unknown"},
		{"statistics", "/v1/stats"},
		{"metrics", "/metrics"},
		{"readiness", "/healthz/ready"},
		{"products", "/v1/products"},
		{"page of causes", "/desk"},
		{"page of dead letters", "/desk/dead-letters"},
		{"page of replays", "/desk/replays"},
		{"page of a new replay", "/desk/replays/new?state=open"},
		{"page of acts", "/desk/audit"},
		{"page of operations", "/ops"},
		{"page of the shop", "/"},
	} {
		all = append(all, question{name: q[0], paths: []string{q[1]}})
	}
	return append(all,
		question{name: "dead letters, pages in the middle", paths: with(letters, "cursor", x.cursors())},
		question{name: "dead letters of a day", paths: x.days(letters)},
		question{name: "search for dead letters by first name", paths: with(letters, "q", x.Firsts)},
		question{name: "search for dead letters by last name", paths: with(letters, "q", x.Lasts)},
		question{name: "dead letters of a day as CSV", paths: x.days("/v1/dead-letters/export?format=csv")},
		question{name: "acts, pages in the middle", paths: with(acts, "cursor", x.cursors())},
	)
}
