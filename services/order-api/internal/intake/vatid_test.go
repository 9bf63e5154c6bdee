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

// TestAnOrderIsPlacedUnlessVIESSaysThatItsVATIDIsInvalid has a server in place of VIES that answers one
// text after the other.
func TestAnOrderIsPlacedUnlessVIESSaysThatItsVATIDIsInvalid(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var answer atomic.Pointer[string]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, *answer.Load())
	}))
	t.Cleanup(srv.Close)
	client, err := vies.New(srv.URL, "DE123456789", slog.New(slog.DiscardHandler))
	must(t, err)
	k := kafkatest.Start(t)
	in := open(t, k, intake.Config{VATIDs: client})
	place := func(text, key string, change func(*order.Order)) (intake.Placed, error) {
		answer.Store(&text)
		o := wanted()
		o.Customer.VATID = "ATU12345678"
		change(&o)
		return in.Place(t.Context(), o, key)
	}
	same := func(*order.Order) {}
	const valid, invalid, away = `{"valid":true,"requestIdentifier":"WAPI1"}`, `{"valid":false}`, `{"errorWrappers":[{"error":"MS_UNAVAILABLE"}]}`

	first, err := place(valid, "k1", same)
	must(t, err)
	again, err := place(invalid, "k1", same)
	must(t, err)
	if c := first.Order.VATCheck; c == nil || c.Result != order.VATValid || c.RequestID != "WAPI1" || !again.Replayed || asked.Load() != 1 {
		t.Errorf("got %+v, replayed %t, and %d questions, want one", c, again.Replayed, asked.Load())
	}
	unchecked, err := place(away, "", same)
	must(t, err)
	if c := unchecked.Order.VATCheck; c == nil || c.Result != order.VATNotChecked {
		t.Errorf("VIES is away: got %+v, want it recorded that nothing was checked", c)
	}
	toBill := func(o *order.Order) {
		o.BillTo = &order.BillTo{Company: "Example GmbH", VATID: o.Customer.VATID, Address: o.ShipTo}
	}
	for pointer, change := range map[string]func(*order.Order){"/customer/vat_id": same, "/bill_to/vat_id": toBill} {
		_, err := place(invalid, "", change)
		rejected, ok := errors.AsType[*intake.RejectedError](err)
		if !ok || len(rejected.Invalid) != 1 || rejected.Invalid[0].Pointer != pointer {
			t.Errorf("got %v, want a fault of %s", err, pointer)
		}
	}
	consumer, err := place(invalid, "", func(o *order.Order) { o.Customer.VATID = "" })
	must(t, err)
	if consumer.Order.VATCheck != nil || asked.Load() != 4 {
		t.Errorf("without a VAT ID: got %+v and %d questions, want none and 4", consumer.Order.VATCheck, asked.Load())
	}
	if diff := cmp.Diff(map[string]int64{order.VATValid: 1, order.VATInvalid: 2, order.VATNotChecked: 1}, in.VATChecks()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
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
