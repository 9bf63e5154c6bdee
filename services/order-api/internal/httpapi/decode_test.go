package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// FuzzDecode compares decodeOrder with encoding/json: it accepts the same texts as JSON, does not
// panic, and decodes a valid order to the same values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, `{"customer":{"name":"Zoë","email":"zoe@example.com"},"items":[{"sku":"A","quantity":2}],"note":"\ud83d"}`,
		`{"bill_to":{"company":"A","line1":"B","vat_id":"ATU12345678"},"reference":"7","purchase_order":"8","buyer_reference":"9"}`, `{"bill_to":null}`,
		`{"note":"a","note":"b"}`, `{"Note":"a"}`, `{"items":[{"quantity":1e400},[[[]]],{"sku":{"a":[1]}}]}`, `{"":{}}`, "{\"note\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, wrong, err := decodeOrder(body)
		if readable := json.Valid(body) && utf8.Valid(body) && loneSurrogate(body) < 0; readable == (err != nil) {
			t.Fatalf("got %v for a body of which readable is %v", err, readable)
		}
		if err != nil || len(wrong) > 0 {
			return
		}
		var want client.NewOrder
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("nothing is wrong with it, but encoding/json says: %v", err)
		}
		if diff := cmp.Diff(want, asked(o), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("order (-encoding/json +got):\n%s", diff)
		}
		written := asked(o)
		written.Items = append([]client.Item{}, written.Items...) // none is [], not null
		again, err := json.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		if second, wrong, err := decodeOrder(again); err != nil || len(wrong) > 0 || second.BodyHash() != o.BodyHash() {
			t.Errorf("written and read again: got %+v, %v, %v; want %+v", second, wrong, err, o)
		}
	})
}

// FuzzDecodeRefund compares decodeRefund with encoding/json in the same way.
func FuzzDecodeRefund(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `{}`, `[]`, `null`, `{"items":[{"sku":"A","quantity":2}],"shipping":true,"reason":"\ud83d"}`, `{"items":[]}`, `{"items":null}`,
		`{"shipping":true,"shipping":false}`, `{"Shipping":true}`, `{"items":[{"quantity":1e400},[[[]]],{"sku":{"a":[1]}}],"shipping":[]}`, "{\"reason\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, wrong, err := decodeRefund(body)
		empty := len(bytes.TrimSpace(body)) == 0
		if readable := empty || json.Valid(body) && utf8.Valid(body) && loneSurrogate(body) < 0; readable == (err != nil) {
			t.Fatalf("got %v for a body of which readable is %v", err, readable)
		}
		if err != nil || len(wrong) > 0 {
			return
		}
		var want client.NewRefund
		if err := json.Unmarshal(body, &want); err != nil && !empty {
			t.Fatalf("nothing is wrong with it, but encoding/json says: %v", err)
		}
		read := client.NewRefund{Shipping: got.Shipping, Reason: got.Reason}
		for _, l := range got.Items {
			read.Items = append(read.Items, client.Item{SKU: l.SKU, Quantity: l.Quantity})
		}
		if diff := cmp.Diff(want, read); diff != "" {
			t.Errorf("refund (-encoding/json +got):\n%s", diff)
		}
	})
}

// asked is a new order as encoding/json decodes it.
func asked(o order.Order) client.NewOrder {
	n := client.NewOrder{
		Customer: client.Customer(o.Customer), ShipTo: client.Address(o.ShipTo), BillTo: toBillTo(o.BillTo), Service: o.Service, Note: o.Note,
		References: client.References{Reference: o.Reference, BuyerReference: o.BuyerReference, PurchaseOrder: o.PurchaseOrder},
	}
	for _, l := range o.Lines {
		n.Items = append(n.Items, client.Item{SKU: l.SKU, Quantity: l.Quantity})
	}
	return n
}

func TestUnpairedSurrogateIsFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`"a"`: -1, `"\ud83d\udc4d"`: -1, `"\\ud83d"`: -1, `"\\\\ud83d"`: -1, `"\uD83D\uDC4D\n\u00e9"`: -1, `"\ufffd"`: -1,
		`"\ud83d"`: 1, `"a\udc4d"`: 2, `"\udc4d\ud83d"`: 1, `"\ud83d\ud83d\udc4d"`: 1, `"\ud83d\\udc4d"`: 1, `"\ud83d\u0041"`: 1, `"\\\udc4d"`: 3, `"\ud83d\udc4d\ud83d"`: 13,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}
