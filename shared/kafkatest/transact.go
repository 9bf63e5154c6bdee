package kafkatest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Transact appends records in one transaction, and commits or aborts it. Each of their partitions then
// ends with a control record, which has an offset and is no record.
func (k *Kafka) Transact(t testing.TB, how kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	cl, err := k.config.Connect(t.Context(), kgo.TransactionalID(k.Prefix+".test"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}
