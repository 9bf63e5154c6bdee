//go:build synctests

package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// crashing is an act of an operator on a dead letter, for TestNoActIsLostByACrash.
type crashing struct {
	kind, path, body string
	discarded        bool                                         // before the act
	effects          func(l client.DeadLetter, requested int) int // how often the act has had its effect
	repeats          bool                                         // a repeat has the effect once more
}

// TestNoActIsLostByACrash ends the API behind each record that an act writes: the act, its effect, and its outcome. Then
// the API is started again, without its read model, and the operator repeats the request.
func TestNoActIsLostByACrash(t *testing.T) {
	t.Parallel()
	edits := func(l client.DeadLetter, _ int) int { return len(l.History.Edits) }
	for _, c := range []crashing{
		{kind: trail.Edit, path: "/edit", body: `{"version":0,"value":` + with("Berlin", "Bonn") + `,"reason":"Typo"}`, effects: edits},
		{kind: trail.Discard, path: "/discard", body: `{"reason":"Test"}`, effects: func(l client.DeadLetter, _ int) int { return count(l.State == "discarded") }},
		{kind: trail.Restore, path: "/restore", discarded: true, effects: func(l client.DeadLetter, _ int) int { return count(l.State == "open") }},
		{kind: trail.Note, path: "/notes", body: `{"text":"Asked the customer"}`, effects: func(l client.DeadLetter, _ int) int { return l.Notes }, repeats: true},
		{kind: trail.Replay, path: "/replay", body: `{}`, effects: func(_ client.DeadLetter, requested int) int { return requested }},
	} {
		for written := range int64(4) {
			t.Run(fmt.Sprintf("%s after %d records", c.kind, written), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.crash(t, written) })
			})
		}
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// crash ends the API when it has written so many records.
func (c *crashing) crash(t *testing.T, written int64) {
	k := kafkatest.Start(t)
	others := k.Client
	var err error
	k.Client, err = k.Config().ConnectProducer(t.Context())
	must(t, err)
	s := setupOn(t, k)
	id := s.dead(t, 1)[0]
	path := "/v1/dead-letters/" + id
	if c.discarded {
		s.post(t, "guest", path+"/discard", `{"reason":"Test"}`, http.StatusOK)
	}
	restart := endAfter(k, written)
	resp := s.send(t, s.raw, "POST", path+c.path, c.body, headers("guest")...)
	answered := resp.StatusCode < 300
	k.Client.Close()
	k.Client = others
	restart()

	again := setupOn(t, k)
	before := c.had(t, again, id)
	acts := again.actsOf(t, c.kind)
	if before > 1 || before > acts || acts != count(written > 0) || before != count(written > 1) {
		t.Errorf("after the crash: got %d effects and %d acts of %d records", before, acts, written)
	}
	if answered && before == 0 {
		t.Errorf("got %s, and no effect after the restart", resp.Status)
	}
	resp = again.send(t, again.http, "POST", path+c.path, c.body, headers("guest")...)
	if resp.StatusCode >= 300 && (before == 0 || resp.StatusCode != http.StatusConflict) {
		t.Errorf("the repeat: got %s, want it done", resp.Status)
	}
	want := 1
	if c.repeats {
		want += before
	}
	if got := c.had(t, again, id); got != want {
		t.Errorf("after the repeat: got %d effects, want %d", got, want)
	}
	if got := again.actsOf(t, c.kind); got != acts+1 {
		t.Errorf("after the repeat: got %d acts, want %d", got, acts+1)
	}
}

// endAfter lets the API write so many records more, and then nothing: it reaches the broker no more until it is
// started again.
func endAfter(k *kafkatest.Kafka, written int64) (restart func()) {
	var records atomic.Int64
	var over atomic.Bool
	k.Cluster.ControlKey(-1, func(r kmsg.Request) (kmsg.Response, error, bool) {
		if over.Load() {
			k.Cluster.DropControl()
			return nil, nil, false
		}
		k.Cluster.KeepControl()
		if _, produces := r.(*kmsg.ProduceRequest); records.Load() > written || produces && records.Add(1) > written {
			return nil, errors.New("the API has ended"), true
		}
		return nil, nil, false
	})
	return func() { over.Store(true) }
}

// had is how often the act has had its effect. Two requests for one replay are one.
func (c *crashing) had(t *testing.T, s *shop, id string) int {
	t.Helper()
	l, err := s.client.DeadLetter(t.Context(), id)
	must(t, err)
	numbers := map[int]bool{}
	for _, r := range s.Records(t, s.Topics.Replay) {
		q, err := wire.ReadReplayRequest(r)
		must(t, err)
		numbers[q.Number] = true
	}
	return c.effects(l, len(numbers))
}

// actsOf is how many acts of a kind are in the audit trail, whatever their outcome.
func (s *shop) actsOf(t *testing.T, kind string) int {
	t.Helper()
	ids := map[string]bool{}
	for _, r := range s.Records(t, s.Topics.Desk) {
		if a, err := wire.ReadAct(r); err == nil && a.Kind == kind {
			ids[a.ID] = true
		}
	}
	return len(ids)
}
