package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// paid is a payment of a part of the sample order.
func paid() order.Payment {
	return order.Payment{Method: order.Card, Reference: "pi_3Q", PaidAt: at.Truncate(time.Second), Amount: order.EUR.Cents(5000)}
}

func TestPaymentRequestNamesItsOrder(t *testing.T) {
	t.Parallel()
	want := wire.PaymentRequest{Order: "ord_1", Origin: order.Origin{Partition: 3, Offset: 124}, StateAt: 17, Payment: paid(), Cause: asked, At: at}
	r := want.Record()
	r.Partition = 3
	got, err := wire.ReadPaymentRequest(r)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, request (-want +got):\n%s", err, diff)
	}
	for _, row := range []struct {
		old, wrong string
		want       error
	}{
		{`"schema":1`, `"schema":9`, wire.ErrNewer},
		{`"schema":1`, `"schema":0`, wire.ErrUndecodable},
		{`"order":"ord_1"`, `"order":"ord_2"`, wire.ErrUndecodable},
		{`"origin":124`, `"origin":-1`, wire.ErrUndecodable},
		{`"state_at":17`, `"state_at":-1`, wire.ErrUndecodable},
		{`"50.00"`, `"-50,00"`, wire.ErrUndecodable},
		{`"50.00"`, `"0.00"`, wire.ErrUndecodable},
		{`"EUR"`, `"USD"`, wire.ErrUndecodable},
		{`"card"`, `"invoice"`, wire.ErrUndecodable},
		{`"pi_3Q"`, `""`, wire.ErrUndecodable},
	} {
		value := strings.Replace(string(r.Value), row.old, row.wrong, 1)
		if value == string(r.Value) {
			t.Fatalf("%s is not in %s", row.old, value)
		}
		if _, err := wire.ReadPaymentRequest(&kgo.Record{Key: r.Key, Value: []byte(value), Headers: r.Headers}); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.wrong, err, row.want)
		}
	}
}

func TestAPaymentOfTheFutureIsUndecodable(t *testing.T) {
	t.Parallel()
	p := paid()
	p.PaidAt = at.Add(2 * order.ClockSkew)
	r := wire.PaymentRequest{Order: "ord_1", Payment: p, At: at}.Record()
	if _, err := wire.ReadPaymentRequest(r); !errors.Is(err, wire.ErrUndecodable) {
		t.Errorf("got %v, want %v", err, wire.ErrUndecodable)
	}
}
