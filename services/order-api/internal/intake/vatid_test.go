package intake_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/vies"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

const valid, invalid, away = `{"valid":true,"requestIdentifier":"WAPI1"}`, `{"valid":false}`, `{"errorWrappers":[{"error":"MS_UNAVAILABLE"}]}`

func same(*order.Order) {}

// checked is an intake that asks a server in place of VIES.
type checked struct {
	*intake.Intake
	asked  atomic.Int32
	answer atomic.Pointer[string]
}

func openChecked(t *testing.T, k *kafkatest.Kafka) *checked {
	t.Helper()
	v := &checked{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		v.asked.Add(1)
		_, _ = io.WriteString(w, *v.answer.Load())
	}))
	t.Cleanup(srv.Close)
	client, err := vies.New(srv.URL, "DE123456789", slog.New(slog.DiscardHandler))
	must(t, err)
	v.Intake = open(t, k, intake.Config{VATIDs: client})
	return v
}

// place places an order of a business while VIES answers a text.
func (v *checked) place(t *testing.T, text, key string, change func(*order.Order)) (intake.Placed, error) {
	t.Helper()
	v.answer.Store(&text)
	o := wanted()
	o.Customer.VATID = "ATU12345678"
	change(&o)
	return v.Place(t.Context(), o, key)
}

// TestAnOrderIsPlacedUnlessVIESSaysThatItsVATIDIsInvalid also repeats an order whose ID VIES calls
// invalid by now.
func TestAnOrderIsPlacedUnlessVIESSaysThatItsVATIDIsInvalid(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	v := openChecked(t, k)
	first, err := v.place(t, valid, "k1", same)
	must(t, err)
	again, err := v.place(t, invalid, "k1", same)
	must(t, err)
	if c := first.Order.VATCheck; c == nil || c.Result != order.VATValid || c.RequestID != "WAPI1" || !again.Replayed || v.asked.Load() != 1 {
		t.Errorf("got %+v, replayed %t, and %d questions, want one", c, again.Replayed, v.asked.Load())
	}
	unchecked, err := v.place(t, away, "", same)
	must(t, err)
	if c := unchecked.Order.VATCheck; c == nil || c.Result != order.VATNotChecked {
		t.Errorf("VIES is away: got %+v, want it recorded that nothing was checked", c)
	}
	consumer, err := v.place(t, invalid, "", func(o *order.Order) { o.Customer.VATID = "" })
	must(t, err)
	if consumer.Order.VATCheck != nil || v.asked.Load() != 2 {
		t.Errorf("without a VAT ID: got %+v and %d questions, want none and 2", consumer.Order.VATCheck, v.asked.Load())
	}
	var recorded []string
	for _, o := range placements(t, k) {
		if o.VATCheck != nil {
			recorded = append(recorded, o.VATCheck.Result)
		}
	}
	if len(recorded) != 2 {
		t.Errorf("recorded %q, want the checks of two orders", recorded)
	}
}

func TestAnInvalidVATIDIsAFaultOfItsField(t *testing.T) {
	t.Parallel()
	v := openChecked(t, kafkatest.Start(t))
	toBill := func(o *order.Order) {
		o.BillTo = &order.BillTo{Company: "Example GmbH", VATID: o.Customer.VATID, Address: o.ShipTo}
	}
	for pointer, change := range map[string]func(*order.Order){"/customer/vat_id": same, "/bill_to/vat_id": toBill} {
		_, err := v.place(t, invalid, "", change)
		rejected, ok := errors.AsType[*intake.RejectedError](err)
		if !ok || len(rejected.Invalid) != 1 || rejected.Invalid[0].Pointer != pointer {
			t.Errorf("got %v, want a fault of %s", err, pointer)
		}
	}
	if diff := cmp.Diff(map[string]int64{order.VATValid: 0, order.VATInvalid: 2, order.VATNotChecked: 0}, v.VATChecks()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
