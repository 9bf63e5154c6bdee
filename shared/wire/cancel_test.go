package wire_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestCancelRequestNamesItsOrder(t *testing.T) {
	t.Parallel()
	want := wire.CancelRequest{Order: "ord_1", Origin: order.Origin{Partition: 3, Offset: 124}, Cause: asked, At: at}
	r := want.Record()
	r.Partition = 3
	got, err := wire.ReadCancelRequest(r)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, request (-want +got):\n%s", err, diff)
	}
	for value, want := range map[string]error{
		``:                             wire.ErrUndecodable,
		`{"order":"ord_1","origin":1}`: wire.ErrUndecodable,
		`{"schema":1,"order":"ord_2","origin":1}`:  wire.ErrUndecodable,
		`{"schema":1,"order":"ord_1","origin":-1}`: wire.ErrUndecodable,
		`{"schema":9,"order":7}`:                   wire.ErrNewer,
	} {
		if _, err := wire.ReadCancelRequest(&kgo.Record{Key: []byte("ord_1"), Value: []byte(value)}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", value, err, want)
		}
	}
}
