//go:build synctests

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/kafkatest"
)

// besidePayments is an API on a broker that also has the topics of another program.
func besidePayments(t *testing.T, change ...func(*httpapi.Config)) *shop {
	t.Helper()
	k := kafkatest.Start(t)
	_, err := kadm.NewClient(k.Client).CreateTopics(t.Context(), 1, 1, nil, "payments", "payments.dlt")
	must(t, err)
	return setupOn(t, k, change...)
}

// TestDeadLetterOfAnotherProgramIsEditedAndReplayed has one of Spring Kafka.
func TestDeadLetterOfAnotherProgramIsEditedAndReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := besidePayments(t)
		s.run(t)
		s.put(t, "payments.dlt", 0, &kgo.Record{Key: []byte("k"), Value: []byte("10 EUR"), Headers: []kgo.RecordHeader{
			{Key: "kafka_dlt-original-topic", Value: []byte("payments")},
			{Key: "kafka_dlt-exception-fqcn", Value: []byte("com.example.NoAccount")},
			{Key: "trace", Value: []byte{0xff}},
		}})
		kafkatest.Pass(2 * time.Second)
		const id = "payments.dlt:0-0"
		l, err := s.client.DeadLetter(t.Context(), id)
		if err != nil || l.Foreign == nil || l.Foreign.SourceTopic != "payments" || l.Topic != "payments.dlt" || string(l.Edit.Value) != `"10 EUR"` || l.NextReplay.Mail != "none" ||
			l.Foreign.ReplayTo != "payments" || l.Foreign.ReplayToBy != "header" {
			t.Fatalf("got %+v, %v; want it with its source and its value", l, err)
		}
		edited := client.NewEdit{Value: json.RawMessage(`"/w=="`), Encoding: "base64", Reason: "as bytes"}
		if made, err := s.client.Edit(t.Context(), id, edited); made.Version != 1 || err != nil {
			t.Errorf("edit: got %+v, %v", made, err)
		}
		_, err = s.client.Edit(t.Context(), id, client.NewEdit{Version: 1, Value: json.RawMessage(`{}`)})
		isProblem(t, "edit to an object", err, 422, "invalid-edit")
		if number, err := s.client.Replay(t.Context(), id, "Account is open"); number != 1 || err != nil {
			t.Errorf("replay: got %d, %v", number, err)
		}
		kafkatest.Pass(10 * time.Second)
		sent := s.Records(t, "payments")
		if len(sent) != 1 || string(sent[0].Key) != "k" || string(sent[0].Value) != "\xff" || len(sent[0].Headers) != 1 {
			t.Errorf("got %v, want the edited record, with its own header", sent)
		}
		_, err = s.client.Replay(t.Context(), id, "")
		isProblem(t, "replay of what is sent", err, 409, "dead-letter-closed")
		l, err = s.client.DeadLetter(t.Context(), id)
		if err != nil || l.State != "sent" || len(l.History.Edits) != 1 {
			t.Errorf("got %+v, %v; want it sent, with its edit", l, err)
		}
	})
}

// TestDeadLetterWithoutATargetIsRefused has one without headers, one of a topic of ours, one of its own
// topic and one of a topic that does not exist.
func TestDeadLetterWithoutATargetIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := besidePayments(t)
		s.run(t)
		var all []string
		for i, topic := range []string{"", s.Topics.Orders, "payments.dlt", "absent", "payments"} {
			r := &kgo.Record{Value: []byte(topic)}
			if topic != "" {
				r.Headers = []kgo.RecordHeader{{Key: "__connect.errors.topic", Value: []byte(topic)}}
			}
			s.put(t, "payments.dlt", 0, r)
			all = append(all, fmt.Sprintf("payments.dlt:0-%d", i))
		}
		kafkatest.Pass(2 * time.Second)
		for i, id := range all[:4] {
			_, err := s.client.Replay(t.Context(), id, "")
			isProblem(t, id, err, 409, "no-target-topic")
			l, err := s.client.DeadLetter(t.Context(), id)
			if err != nil || l.State != "open" || i < 3 && l.Foreign.ReplayTo+l.Foreign.ReplayToBy != "" {
				t.Errorf("%s: got %s, %+v, %v; want it open, with no target", id, l.State, l.Foreign, err)
			}
		}
		_, err := s.client.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: all[:4]}})
		isProblem(t, "job of those", err, 409, "no-target-topic")
		for _, n := range []client.NewReplayJob{
			{Selection: client.Selection{Filter: &client.DeadLetterFilter{Topic: "payments.dlt"}}},
			{Selection: client.Selection{IDs: all[:1]}, ReplayTo: "payments"},
		} {
			j, err := s.client.StartReplay(t.Context(), n)
			must(t, err)
			kafkatest.Pass(10 * time.Second)
			j, err = s.client.ReplayJob(t.Context(), j.ID)
			if err != nil || j.Counts.Sent != 1 || j.Skipped["no-target"] != j.Total-1 {
				t.Errorf("got %+v, %v; want 1 sent and the others without a target skipped", j, err)
			}
		}
	})
}
