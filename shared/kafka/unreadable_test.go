package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestABatchThatCannotBeReadIsNamedAndSkippedWhenAnOperatorSaysSo(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	r := kafka.NewReader(k.Client, k.Topics.DLQ)
	const p = 1
	k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: p})
	k.ProduceBad(t, k.Topics.Orders, p, 3, 1)
	k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: p})
	stretch := func() (offsets []int64, err error) {
		err = r.Read(t.Context(), k.Topics.Orders, p, 0, 5, func(r *kgo.Record) error {
			offsets = append(offsets, r.Offset)
			return nil
		})
		return offsets, err
	}
	got, err := stretch()
	bad, ok := errors.AsType[*kafka.UnreadableError](err)
	if !ok || kafka.Classify(err) != kafka.Unreadable {
		t.Fatalf("got %v, want an UnreadableError", err)
	}
	if diff := cmp.Diff([]int64{0, 1}, got); diff != "" {
		t.Errorf("before the batch (-want +got):\n%s", diff)
	}
	if want := "batch at offsets 1 to 3 of orders/1 cannot be read: "; !strings.HasPrefix(bad.Error(), want) || bad.From != 1 || bad.To != 4 {
		t.Errorf("got %v, want %s…", bad, want)
	}
	if at, err := r.Probe(t.Context(), k.Topics.Orders, p, 2); !errors.As(err, &bad) || at != 2 {
		t.Errorf("probe: got %d, %v, want an UnreadableError", at, err)
	}
	if n, err := r.Whole(t.Context(), 1, []*kgo.Record{{Topic: k.Topics.Orders, Partition: p, Offset: 1}, {Topic: k.Topics.Orders, Partition: p, Offset: 4}}); n != 1 || !errors.As(err, &bad) {
		t.Errorf("whole: got %d, %v, want 1 and an UnreadableError", n, err)
	}

	skip := bad.Skip(time.Now())
	skip.Topic = k.Topics.DLQ
	k.ProduceBad(t, k.Topics.DLQ, p, 1, 0) // the dead-letter topic has its own
	k.Produce(t, skip)
	if got, err := stretch(); err != nil || !cmp.Equal(got, []int64{0, 1, 4}) {
		t.Errorf("skipped: got %v, %v, want all but what cannot be read", got, err)
	}
	if at, err := r.Probe(t.Context(), k.Topics.Orders, p, 2); err != nil || at != 4 {
		t.Errorf("probe of a skipped batch: got %d, %v, want 4", at, err)
	}
	if _, err := r.One(t.Context(), k.Topics.Orders, p, 2); !errors.Is(err, kafka.ErrGone) {
		t.Errorf("a skipped record: got %v, want ErrGone", err)
	}
	k.ProduceBad(t, k.Topics.Orders, p, 1, 0)
	if _, err := r.Probe(t.Context(), k.Topics.Orders, p, 5); !errors.As(err, &bad) {
		t.Errorf("another batch: got %v, want an UnreadableError: exactly one is skipped", err)
	}
}
