package wire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestACancelNamesItsOrder(t *testing.T) {
	t.Parallel()
	id, origin, err := wire.ReadCancel(wire.Cancel("ord_1", order.Origin{Partition: 3, Offset: 124}, time.Now()))
	if id != "ord_1" || origin != 124 || err != nil {
		t.Errorf("got %s at %d, %v; want ord_1 at 124", id, origin, err)
	}
	for value, want := range map[string]error{
		``:                             wire.ErrUndecodable,
		`{"order":"ord_1","origin":1}`: wire.ErrUndecodable,
		`{"schema":1,"order":"ord_2","origin":1}`:  wire.ErrUndecodable,
		`{"schema":1,"order":"ord_1","origin":-1}`: wire.ErrUndecodable,
		`{"schema":9,"order":7}`:                   wire.ErrNewer,
	} {
		if _, _, err := wire.ReadCancel(&kgo.Record{Key: []byte("ord_1"), Value: []byte(value)}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", value, err, want)
		}
	}
}
