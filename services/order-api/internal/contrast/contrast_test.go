package contrast_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/orders/services/order-api/internal/contrast"
	"example.com/orders/shared/order"
)

// orders are n orders of as many customers, changed by their number.
func orders(n int, change func(i int, o *order.Order)) (all []order.Order) {
	for i := range n {
		var o order.Order
		o.Customer.Email, o.ShipTo.Country, o.Service = fmt.Sprintf("c%d@example.com", i), "DE", "standard"
		o.Lines = []order.Line{{SKU: "MUG"}, {SKU: "TEA"}}
		change(i, &o)
		all = append(all, o)
	}
	return all
}

func TestWhatSetsOrdersApart(t *testing.T) {
	t.Parallel()
	same := func(int, *order.Order) {}
	for _, row := range []struct {
		name   string
		n      int
		change func(i int, o *order.Order)
		others int
		want   []contrast.Difference
	}{
		{"nothing", 100, same, 100, nil},
		{"no others", 100, func(_ int, o *order.Order) { o.ShipTo.Country = "FR" }, 0, nil},
		{"too small a difference", 1000, func(i int, o *order.Order) {
			if i%10 == 0 {
				o.ShipTo.Country = "FR"
			}
		}, 1000, nil},
		{"by chance", 10, func(i int, o *order.Order) {
			if i < 5 {
				o.ShipTo.Country = "FR"
			}
		}, 3, nil},
		{"few customers", 100, func(i int, o *order.Order) { o.Customer.Email = fmt.Sprintf("c%d@own.test", i%4) }, 100, nil},
		{"a domain", 100, func(i int, o *order.Order) { o.Customer.Email = fmt.Sprintf("C%d@Full.Test", i%5) }, 100, []contrast.Difference{{"mail domain", "full.test", 1, 0}}},
		{"the largest three of five fields, one value of each", 100, func(i int, o *order.Order) {
			o.Customer.Email, o.ShipTo.Country, o.Service = fmt.Sprintf("c%d@full.test", i), "FR", "express"
			if i%2 == 0 {
				o.Lines = []order.Line{{SKU: "CUP"}, {SKU: "CUP"}, {SKU: "JAR"}}
			}
		}, 100, []contrast.Difference{{"country", "FR", 1, 0}, {"mail domain", "full.test", 1, 0}, {"service", "express", 1, 0}}},
		{"lines and a SKU", 100, func(i int, o *order.Order) {
			if i%2 == 0 {
				o.Lines = []order.Line{{SKU: "CUP"}, {SKU: "CUP"}, {SKU: "JAR"}}
			}
		}, 50, []contrast.Difference{{"SKU", "CUP", 0.5, 0}, {"lines", "3", 0.5, 0}}},
	} {
		got := contrast.Of(orders(row.n, row.change), orders(row.others, same))
		if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}
