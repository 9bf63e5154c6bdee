//go:build synctests

package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/orders/shared/order"
)

// TestARefundNeedsNoScripts: the form refunds what it says, once for its key; faults are at their fields; only operators refund.
func TestARefundNeedsNoScripts(t *testing.T) {
	t.Parallel()
	s := guarded(t, withPages(t))
	state := s.placeAs(t, "vera", wanted())
	path := "/orders/" + string(state.Order.ID)
	b := s.reader(t, "Bearer operator")
	if body := b.opened(path); strings.Contains(body, "Refund…") {
		t.Error("a refund is offered before there is an invoice")
	}
	b.refused(path+"/refund", url.Values{"key": {"form-1"}}, 409, "Refund", `name="pieces-0"`)
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	b.opened(path, `href="`+path+`/refund">Refund…`)
	form := b.opened(path+"/refund", "pieces of 2", "Why, as the credit note says")
	if key := field(form, "key"); len(key) < 20 {
		t.Errorf("got the key %q", key)
	}
	for text, want := range map[string]string{"x": "Must be a whole number.", "0": `id="e-pieces-0"`, "3": `aria-invalid="true"`, "<b>": "Must be a whole number."} {
		b.refused(path+"/refund", url.Values{"key": {"form-2"}, "pieces-0": {text}, "reason": {"<i>"}}, 422, want, `value="&lt;i&gt;"`)
	}
	b.refused(path+"/refund", url.Values{"key": {"form-2"}, "reason": {strings.Repeat("x", 501)}}, 422, `id="e-reason"`)
	right := url.Values{"key": {"form-2"}, "pieces-0": {"1"}, "reason": {"Arrived broken"}}
	for _, want := range []string{path + "-refund-1", path + "-refund-1?again=yes"} { // a double click
		status, _, to := b.post(path+"/refund", right)
		if status != http.StatusSeeOther || to != want {
			t.Errorf("got %d to %q, want the page of the refund", status, to)
		}
	}
	b.opened(path+"-refund-1", "Arrived broken")
	b.refused(path+"-refund-1/refund", url.Values{"key": {"form-3"}}, 409, "Refund")
	vera := s.reader(t, "Bearer vera")
	if status, _, _ := vera.get(path + "/refund"); status != http.StatusForbidden {
		t.Errorf("got %d for a customer, want 403", status)
	}
	vera.refused(path+"/refund", right, 403, "Permission required")
	if body := vera.opened(path); strings.Contains(body, "Refund…") {
		t.Error("a refund is offered to a customer")
	}
	if status, _, _ := b.get("/orders/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa/refund"); status != http.StatusNotFound {
		t.Errorf("got %d for an unknown order, want 404", status)
	}
}
