package mask_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/mask"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func placed() order.Order {
	return order.Order{
		ID: "ord_1", PlacedAt: time.UnixMilli(1_700_000_000_000).UTC(), Service: order.Express, Note: "Behind the Secretgarden",
		Customer: order.Customer{Name: "Zoë  Secretname", Email: "zoe.secret@example.com", VATID: "DE123456789", Company: "Secret Studio"},
		BillTo: &order.BillTo{
			Name: "Bo Secretname", Company: "Secret Holding", VATID: "DE123456789",
			Address: order.Address{Line1: "2 Secretstreet", Line2: "Secretfloor", City: "Bonn", Region: "NW", PostalCode: "10115", Country: "DE"},
		},
		Reference: "2026-1042", BuyerReference: "Secretdepartment", PurchaseOrder: "Secret-PO",
		ShipTo: order.Address{Line1: "1 Secretstreet", Line2: "c/o Secretfriend", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:  []order.Line{{SKU: "MUG", Quantity: 1, UnitPrice: order.EUR.Cents(100)}}, LinkToken: "mfzwizltoq2gk3tunfxw42lomq",
		Owner:  order.Actor{Kind: order.ActorCustomer, ID: "zoe.secret@example.com"},
		Refund: &order.Refund{Of: "ord_1", Number: 1, Reason: "Secretreason", Invoice: order.Invoice{Number: "INV-1"}},
	}
}

func TestMaskedOrderHasNoPersonalData(t *testing.T) {
	t.Parallel()
	o := placed()
	got := mask.Order(o)
	want := placed()
	want.Customer = order.Customer{Name: "Z•• S••", Company: "S•• S••", Email: "z••@••", VATID: "••"}
	want.BillTo = &order.BillTo{
		Name: "B•• S••", Company: "S•• H••", VATID: "••",
		Address: order.Address{Line1: "••", Line2: "••", City: "Bonn", Region: "NW", PostalCode: "••", Country: "DE"},
	}
	want.BuyerReference, want.PurchaseOrder = "••", "••"
	want.ShipTo = order.Address{Line1: "••", Line2: "••", City: "Berlin", PostalCode: "••", Country: "DE"}
	want.Note, want.Owner, want.LinkToken, want.Refund.Reason = "••", order.Actor{}, "", "••"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("masked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(placed(), o); diff != "" {
		t.Errorf("the order itself has changed:\n%s", diff)
	}
	if got := mask.Order(order.Order{}); !cmp.Equal(got, order.Order{}) {
		t.Errorf("got %+v of an empty order", got)
	}
}

// TestMaskedRecordHasNoPersonalData has records as a dead letter keeps them: whole, of a newer
// version, and what is no order.
func TestMaskedRecordHasNoPersonalData(t *testing.T) {
	t.Parallel()
	o := placed()
	o.Refund = nil
	value := string(wire.Order(o).Value)
	for _, row := range []struct {
		name, key, value string
		order            bool
	}{
		{"an order", "ord_1", value, true},
		{"fields of a newer version", "ord_1", strings.Replace(value, `{`, `{"secret":{"phone":"+49 secret"},`, 1), true},
		{"another key", "zoe.secret@example.com", value, false},
		{"half an order", "ord_1", value[:len(value)-5], false},
		{"no JSON", "secret", "zoe.secret@example.com", false},
		{"no UTF-8", "secret\xff", "\xffsecret", false},
		{"nothing", "", "", false},
	} {
		key, masked := mask.Record([]byte(row.key), []byte(row.value))
		all := strings.ToLower(string(key) + string(masked))
		if strings.Contains(all, "secret") || strings.Contains(all, "10115") || strings.Contains(all, o.LinkToken) {
			t.Errorf("%s: got %s", row.name, all)
		}
		if got := strings.Contains(all, `"sku":"mug"`) && string(key) == row.key; got != row.order {
			t.Errorf("%s: got %s, want the lines of the order: %t", row.name, all, row.order)
		}
	}
}

func TestLinkTokenIsHiddenAndNothingElse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"link_token":"mfzw","note":"a"}`: `{"link_token":"••","note":"a"}`,
		`{"link_token" : "mfzw"}`:          `{"link_token" : "••"}`,
		`{"note":"link_token"}`:            `{"note":"link_token"}`,
		"\xff":                             "\xff",
	} {
		if got := string(mask.LinkToken([]byte(text))); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
