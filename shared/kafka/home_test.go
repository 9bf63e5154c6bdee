package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
)

// TestARecordStaysAtHomeWhenPartitionsAreAdded has a key that belongs elsewhere among more partitions.
func TestARecordStaysAtHomeWhenPartitionsAreAdded(t *testing.T) {
	t.Parallel()
	was, is := kafka.Layout{Partitions: 3}, kafka.Layout{Partitions: 4}
	r := &kgo.Record{Key: []byte("ord_1")}
	for was.Partition(r.Key) == is.Partition(r.Key) {
		r.Key = append(r.Key, '1')
	}
	was.Place(r)
	if got := is.Home(r.Key, r.Headers); got != r.Partition || got != was.Partition(r.Key) {
		t.Errorf("got home %d, want %d, where it was placed", got, r.Partition)
	}
	for name, headers := range map[string][]kgo.RecordHeader{
		"nothing noted":         nil,
		"no number":             {{Key: "partitions", Value: []byte("x")}},
		"none":                  {{Key: "partitions", Value: []byte("0")}},
		"more than there are":   {{Key: "partitions", Value: []byte("9")}},
		"as many as there were": {{Key: "partitions", Value: []byte("4")}},
	} {
		if got, want := is.Home(r.Key, headers), is.Partition(r.Key); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}
