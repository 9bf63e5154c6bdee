package audit

import (
	"hash/maphash"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// TestAMillionOrdersFit is not parallel: it looks at the heap of the whole process.
func TestAMillionOrdersFit(t *testing.T) {
	const orders, most = 200_000, 100
	table := newTable(order.Origin{}, "orders", maphash.MakeSeed())
	before := heap()
	for i := range int64(orders) {
		if err := table.placed(&kgo.Record{Offset: i, Key: strconv.AppendInt(nil, i, 10)}); err != nil {
			t.Fatal(err)
		}
	}
	all := table.members()
	if got := (heap() - before) / orders; got > most || len(all) != orders {
		t.Errorf("got %d bytes for each of %d orders, want at most %d for each of %d", got, len(all), most, orders)
	}
	runtime.KeepAlive(table)
	runtime.KeepAlive(all)
}

// heap is what is in use once the rest is collected. What earlier tests left goes in several turns.
func heap() uint64 {
	var m runtime.MemStats
	for least := uint64(math.MaxUint64); ; least = m.HeapAlloc {
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc >= least {
			return least
		}
	}
}
