//go:build synctests

package httpapi_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafkatest"
)

// TestDeadLetterOfAnotherProgramIsEditedAndReplayed has one of Spring Kafka.
func TestDeadLetterOfAnotherProgramIsEditedAndReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		_, err := kadm.NewClient(k.Client).CreateTopics(t.Context(), 1, 1, nil, "payments", "payments.dlt")
		must(t, err)
		s := setupOn(t, k)
		s.run(t)
		s.put(t, "payments.dlt", 0, &kgo.Record{Key: []byte("k"), Value: []byte("10 EUR"), Headers: []kgo.RecordHeader{
			{Key: "kafka_dlt-original-topic", Value: []byte("payments")},
			{Key: "kafka_dlt-exception-fqcn", Value: []byte("com.example.NoAccount")},
			{Key: "trace", Value: []byte{0xff}},
		}})
		time.Sleep(2 * time.Second)
		const id = "payments.dlt:0-0"
		l, err := s.client.DeadLetter(t.Context(), id)
		if err != nil || l.Foreign == nil || l.Foreign.SourceTopic != "payments" || l.Topic != "payments.dlt" || string(l.Edit.Value) != `"10 EUR"` || l.NextReplay.Mail != "none" {
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
		time.Sleep(10 * time.Second)
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
