package ledger_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// BenchmarkRestore opens ledgers over a quarter of an hour of a busy partition, on a real Kafka when there is one.
func BenchmarkRestore(b *testing.B) {
	k, orders := kafkatest.Start, 5_000
	if os.Getenv("ORDERS_TEST_BROKERS") != "" {
		k, orders = kafkatest.Real, 83_000
	}
	l := begin(b, k(b))
	bytes := l.fill(b, orders)
	for _, atOnce := range []int{1, kafkatest.Partitions} {
		b.Run(fmt.Sprintf("partitions=%d", atOnce), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.open(b, atOnce)
			}
			each := b.Elapsed().Seconds() / float64(b.N*atOnce)
			b.ReportMetric(float64(4*orders)/each, "records/s")
			b.ReportMetric(float64(bytes)/1e6/each, "MB/s")
		})
	}
}

// busy is what a worker needs to open ledgers.
type busy struct {
	k   *kafkatest.Kafka
	cfg ledger.Config
}

func begin(b *testing.B, k *kafkatest.Kafka) *busy {
	b.Helper()
	producer, err := k.Config().ConnectProducer(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(producer.Close)
	return &busy{k, ledger.Config{Topics: k.Topics, Worker: "bench", Producer: producer, Meter: metrics.New(), Log: slog.New(slog.DiscardHandler)}}
}

// fill writes four states an order to each partition, in batches as small as those of lanes side by side, and returns the bytes of a partition.
func (l *busy) fill(b *testing.B, orders int) (bytes int) {
	b.Helper()
	cl, err := l.k.Config().Connect(b.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return 16 << 10 }))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for p := range int32(kafkatest.Partitions) {
		claim := wire.Claim{Worker: "bench", At: time.Now()}.Record()
		claim.Topic, claim.Partition = l.k.Topics.Status, p
		if err := cl.ProduceSync(b.Context(), claim).FirstErr(); err != nil {
			b.Fatal(err)
		}
		bytes = 0
		for i := range orders {
			s := sample(fmt.Sprintf("ord_%d_%d", p, i), order.Origin{Incarnation: "7KQ2MX", Partition: p, Offset: int64(i)})
			for _, status := range []order.Status{order.Working, order.Mailing, order.Mailing, order.Confirmed} {
				kafkatest.Record(b, &s, order.Change{Rev: s.Rev + 1, At: time.Now().UTC(), Status: status})
				r := wire.State(s, claim.Offset)
				r.Topic, r.Partition = l.k.Topics.Status, p
				bytes += len(r.Value)
				cl.Produce(b.Context(), r, nil)
			}
		}
	}
	if err := cl.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	return bytes
}

func sample(id string, at order.Origin) order.State {
	o := order.Order{
		ID: order.ID(id), PlacedAt: time.Now().UTC().Truncate(time.Millisecond), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
	return o.Begin(at)
}

func (l *busy) open(b *testing.B, partitions int) {
	b.Helper()
	var all sync.WaitGroup
	for p := range int32(partitions) {
		all.Go(func() {
			if _, err := ledger.Open(b.Context(), l.cfg, p, ledger.Start{}); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}
