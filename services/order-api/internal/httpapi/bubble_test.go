//go:build synctests

package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestUnknownOrderIsWaitedForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		var err error
		if d := took(func() { _, err = s.client.Order(t.Context(), "ord_x") }); d != time.Second {
			t.Errorf("took %v, want 1s", d)
		}
		isProblem(t, "order", err, 404, "unknown-order")
		for _, err = range s.client.Watch(t.Context(), "ord_x", -1) {
			isProblem(t, "watch", err, 404, "unknown-order")
		}
		_, err = s.client.Invoice(t.Context(), "ord_x")
		isProblem(t, "invoice", err, 404, "unknown-order")
	})
}

func TestPreferWaitEndsWithTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		var got client.Order
		var err error
		d := took(func() { got, err = s.client.Place(t.Context(), wanted(), "k1", 20*time.Second) })
		if err != nil || got.Status != "accepted" || d.Round(time.Second) != 20*time.Second {
			t.Errorf("got %s, %v after %v; want accepted after 20s", got.Status, err, d)
		}
	})
}

func TestRetryingAndWaitingOrdersAreNotFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		for _, c := range []order.Change{
			{Status: order.Retrying, Step: order.StepEmail, Reason: "mail-busy"}, {Status: order.Waiting, Step: order.StepEmail, Reason: "mail-away"},
		} {
			s.advance(t, &state, c)
			if resp := s.again(t, state, "wait=60"); resp.StatusCode != http.StatusAccepted {
				t.Errorf("%s: got %s, want 202", c.Status, resp.Status)
			}
			page, _, err := s.client.Orders(t.Context(), client.OrderQuery{Status: string(c.Status)})
			if err != nil || len(page) != 1 || page[0].Timeline[len(page[0].Timeline)-1].Reason != c.Reason {
				t.Errorf("%s: got %+v, %v; want the order, with the reason", c.Status, page, err)
			}
		}
		var seen []string
		for change, err := range s.client.Watch(t.Context(), string(state.Order.ID), -1) {
			must(t, err)
			seen = append(seen, strings.TrimSpace(change.Status+" "+change.Step+" "+change.Reason))
			if change.Status == "waiting" {
				s.advance(t, &state, order.Change{Status: order.Confirmed})
			}
		}
		want := []string{"accepted", "retrying email mail-busy", "waiting email mail-away", "confirmed"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestIdleStreamStaysOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		s.failDead(t, &state)
		stream := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/events", "", "Last-Event-ID", "1")
		read := make(chan string)
		go func() { read <- text(t, stream) }() // received below
		time.Sleep(10 * time.Minute)            // longer than any time-out of an answer
		s.advance(t, &state, order.Change{Status: order.Cancelled})
		all := <-read
		if beats := withPrefix(all, ":"); len(beats) < 39 || len(withPrefix(all, "id: 2")) != 1 {
			t.Errorf("got %d comments and %v, want one every 15s and then event 2", len(beats), withPrefix(all, "id:"))
		}
	})
}

func TestSlowReaderOfAStreamIsDisconnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		stream := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/events", "")
		time.Sleep(time.Minute) // the network in memory holds nothing, so the first comment waits for its reader
		if _, err := io.ReadAll(stream.Body); err == nil {
			t.Error("got the end of the stream, want a connection that was cut")
		}
	})
}

func TestSlowBodyTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		body, w := io.Pipe()
		defer w.Close()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/orders", body)
		must(t, err)
		go func() { _, _ = w.Write([]byte("{")) }() // ends with the pipe
		resp, err := s.raw.Do(r)
		must(t, err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("got %s, want 408", resp.Status)
		}
	})
}

func TestReadsWorkWithoutKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		state := s.place(t, wanted())
		document := s.work(t, &state)
		deadLetter := s.failDead(t, &state)
		queued := string(s.place(t, wanted()).Order.ID)
		s.Cluster.Close()
		synctest.Wait() // until the connections are closed on both sides: a write to one that is half closed has an unknown outcome

		refused := func(what string, status int, kind string, most time.Duration, call func() error) {
			t.Helper()
			var err error
			if d := took(func() { err = call() }); d > most {
				t.Errorf("%s: took %v, want at most %v", what, d, most)
			}
			isProblem(t, what, err, status, kind)
		}
		place := func(key string) func() error {
			return func() error { _, err := s.client.Place(t.Context(), wanted(), key, 0); return err }
		}
		refused("order", 503, "unavailable", intake.DefaultDeadline, place(""))
		refused("order with a key", 503, "unavailable", intake.DefaultDeadline, place("k9"))
		refused("replay", 503, "unavailable", kafka.DeliveryTimeout, func() error { _, err := s.client.Replay(t.Context(), deadLetter, ""); return err })
		refused("cancel", 503, "unavailable", kafka.DeliveryTimeout, func() error { _, err := s.client.Cancel(t.Context(), queued, ""); return err })
		refused("dead letter", 503, "unavailable", kafka.DeliveryTimeout, func() error { _, err := s.client.DeadLetter(t.Context(), deadLetter); return err })
		refused("invoice", 503, "unavailable", kafka.DeliveryTimeout, func() error {
			_, err := s.client.Invoice(t.Context(), string(state.Order.ID))
			return err
		})
		if len(document) == 0 {
			t.Error("got no document to begin with")
		}

		kafkatest.Pass(view.MaxAge)
		refused("order with a key, a minute later", 503, "unavailable", 3*time.Second, place("k9"))
		refused("replay, a minute later", 503, "unavailable", kafka.DeliveryTimeout, func() error { _, err := s.client.Replay(t.Context(), deadLetter, ""); return err })
		refused("cancel, a minute later", 503, "unavailable", kafka.DeliveryTimeout, func() error { _, err := s.client.Cancel(t.Context(), queued, ""); return err })
		if resp := s.send(t, s.http, "GET", "/healthz/ready", ""); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("ready: got %s, Retry-After %q; want 503 and when to try again", resp.Status, resp.Header.Get("Retry-After"))
		}
		if got, err := s.client.Order(t.Context(), string(state.Order.ID)); err != nil || got.Status != "dead" {
			t.Errorf("order: got %s, %v; want it as it was", got.Status, err)
		}
		if got, _, err := s.client.Orders(t.Context(), client.OrderQuery{}); err != nil || len(got) != 2 {
			t.Errorf("orders: got %v, %v; want the two", got, err)
		}
		if got, _, err := s.client.DeadLetters(t.Context(), client.DeadLetterQuery{}); err != nil || len(got) != 1 {
			t.Errorf("dead letters: got %v, %v; want the one", got, err)
		}
	})
}

func TestAMinuteWithoutKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outage(t, setup(t), view.MaxAge+10*time.Second, intake.DefaultDeadline+time.Second)
	})
}

func TestNewOrdersAreRefusedWhileOldOnesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		o := s.place(t, wanted()).Order
		o.ID, o.PlacedAt, o.Source = "ord_old", o.PlacedAt.Add(-promise), nil
		s.put(t, s.Topics.Orders, s.layout.Partition([]byte(o.ID)), wire.Order(o))
		kafkatest.Pass(2 * time.Second) // the view looks once a second
		_, err := s.client.Place(t.Context(), wanted(), "k9", 0)
		isProblem(t, "order", err, 429, "backpressure")
		resp := s.send(t, s.http, "POST", "/v1/orders", good, "Content-Type", "application/json")
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "30" {
			t.Errorf("got %s, Retry-After %q; want 429 and when to try again", resp.Status, resp.Header.Get("Retry-After"))
		}
	})
}
