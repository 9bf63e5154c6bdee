package ctl_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"example.com/orders/services/order-api/client"
)

// desk is a fake of the API's recovery desk. Each request to it, and each answer of it, is checked
// against the contract.
type desk struct {
	shop
	router  routers.Router
	mu      sync.Mutex
	asked   []string                      // method, path and query, and body of each request
	answers map[string][]any              // by method and path, in sequence, the last one again and again; an int is the status of a problem
	events  map[string][]client.ReplayJob // progress of a job after the one that its start answered; then nothing more
	cut     int                           // events after which the first connection of a stream is lost; 0 is never
}

// contract reads openapi.yaml once: that takes a while.
var contract = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

func openDesk(t *testing.T) *desk {
	t.Helper()
	r, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{shop: shop{t: t}, router: r, answers: map[string][]any{}, events: map[string][]client.ReplayJob{}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	path, err := r.URL.Parse(r.URL.RequestURI())
	if err != nil {
		d.t.Error(err)
	}
	key := r.Method + " " + r.URL.Path
	d.mu.Lock()
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+path.RequestURI()+" "+string(body)))
	d.mu.Unlock()
	in := d.check(r, body)
	if id, ok := strings.CutSuffix(strings.TrimPrefix(key, "GET /v1/replays/"), "/events"); ok {
		d.stream(w, r, d.events[id])
		return
	}
	status, kind, answer := d.answer(key)
	w.Header().Set("Content-Type", kind)
	d.checkAnswer(in, status, w.Header(), answer)
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// answer takes the next answer to a request.
func (d *desk) answer(key string) (status int, kind string, body []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.answers[key]
	if len(all) == 0 {
		d.t.Errorf("unexpected request %s", key)
		all = []any{http.StatusNotFound}
	}
	if len(all) > 1 {
		d.answers[key] = all[1:]
	}
	switch a := all[0].(type) {
	case int:
		body, _ = json.Marshal(client.Problem{Type: "/problems/told", Title: "told to fail", Status: a, Detail: fmt.Sprintf("told to answer %d", a)})
		return a, "application/problem+json", body
	case client.Problem:
		body, _ = json.Marshal(a)
		return a.Status, "application/problem+json", body
	case string:
		return http.StatusOK, "application/x-ndjson", []byte(a)
	case hangUp:
		panic(http.ErrAbortHandler)
	default:
		body, _ = json.Marshal(a)
		status = map[string]int{"POST /v1/replays": 201}[key]
		for suffix, other := range map[string]int{"/notes": 201, "/pause": 202, "/resume": 202, "/cancel": 202, "/rate": 202} {
			if strings.HasSuffix(key, suffix) {
				status = other
			}
		}
		return cmp.Or(status, http.StatusOK), "application/json", body
	}
}

// hangUp is an answer: the connection is lost.
type hangUp struct{}

// stream sends the progress of a job after Last-Event-ID, and then nothing until the client goes.
func (d *desk) stream(w http.ResponseWriter, r *http.Request, progress []client.ReplayJob) {
	after, err := strconv.ParseInt(cmp.Or(r.Header.Get("Last-Event-ID"), "-1"), 10, 64)
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	cut := d.cut
	d.cut = 0
	d.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	sent := 0
	for _, j := range progress {
		if j.Rev <= after {
			continue
		}
		data, _ := json.Marshal(j)
		fmt.Fprintf(w, ":\n\nid: %d\ndata: %s\n\n", j.Rev, data)
		if err := http.NewResponseController(w).Flush(); err != nil {
			d.t.Error(err)
		}
		if sent++; sent == cut {
			panic(http.ErrAbortHandler)
		}
	}
	<-r.Context().Done()
}

// check compares a request with the contract.
func (d *desk) check(r *http.Request, body []byte) *openapi3filter.RequestValidationInput {
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		d.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: r.Header.Get("Content-Type") == "application/x-ndjson"},
	}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		d.t.Errorf("%s %s: request is not in the contract: %v", r.Method, r.URL, err)
	}
	return in
}

func (d *desk) checkAnswer(in *openapi3filter.RequestValidationInput, status int, header http.Header, body []byte) {
	if in == nil {
		return
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	out.SetBodyBytes(body)
	if strings.HasSuffix(header.Get("Content-Type"), "ndjson") {
		out.Options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		d.t.Errorf("%s: the fake's answer is not in the contract: %.500s", in.Request.URL, err)
	}
}

// requests returns the requests so far that begin with a text.
func (d *desk) requests(prefix string) (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if strings.HasPrefix(a, prefix) {
			all = append(all, a)
		}
	}
	return all
}

// job is the progress of a job of 10 dead letters: what is not counted is not sent yet.
func job(rev int64, phase string, n client.ReplayCounts) client.ReplayJob {
	total := 10
	n.NotSent = total - n.InProgress - n.Confirmed - n.FailedAgain - n.AlreadyDone - n.Cancelled - n.Conflict - n.Sent - n.WouldPass - n.WouldFail - n.Skipped
	return client.ReplayJob{
		ID: "job_1", Kind: "replay", Phase: phase, Rev: rev, CreatedAt: noon, By: "operator:ann", Reason: "New rates", Selection: "cause c1", Total: total,
		Counts: n, Skipped: map[string]int{}, Ramp: []client.RampStep{}, FailedAgain: []client.FailedAgain{},
	}
}

// with changes a job.
func with(j client.ReplayJob, change func(*client.ReplayJob)) client.ReplayJob {
	j.Skipped = maps.Clone(j.Skipped)
	change(&j)
	return j
}
