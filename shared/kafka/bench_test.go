package kafka_test

import (
	"os"
	"testing"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

// BenchmarkOne reads single records, on a real Kafka when there is one.
func BenchmarkOne(b *testing.B) {
	start := kafkatest.Start
	if os.Getenv("ORDERS_TEST_BROKERS") != "" {
		start = kafkatest.Real
	}
	k := start(b)
	fill(b, k, k.Topics.Invoices, "a", "b", "c", "d")
	reader, offset := kafka.NewReader(k.Client, ""), int64(0)
	for b.Loop() {
		if _, err := reader.One(b.Context(), k.Topics.Invoices, 1, offset%4); err != nil {
			b.Fatal(err)
		}
		offset++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
