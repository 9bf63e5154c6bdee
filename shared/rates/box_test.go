package rates_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// TestPackingStationsGetNoExpressAndNoFreight tries an order to a street and to boxes. Ship ships also what Quote and Check refuse: such an
// order is one of another program.
func TestPackingStationsGetNoExpressAndNoFreight(t *testing.T) {
	t.Parallel()
	card := load(t, string(defaultText(t)))
	small, large := thing(400, 200, 100, 100), thing(40_000, 1500, 500, 300)
	for _, row := range []struct {
		line1, service  string
		item            order.Line
		carrier, refuse string
	}{
		{"Main Street 1", order.Express, small, "Falcon Express", ""},
		{"Packstation 123", order.Express, small, "Falcon Express", "/service"},
		{"Postfach 1234", order.Express, small, "Falcon Express", "/service"},
		{"Packstation 123", order.Standard, small, "Stork Parcel", ""},
		{"Main Street 1", order.Standard, large, "Ox Freight", ""},
		{"Packstation 123", order.Standard, large, "Ox Freight", "/ship_to/line1"},
	} {
		o := basket("DE", "10115", row.service, row.item)
		o.ShipTo.Line1 = row.line1
		s, err := card.Ship(o)
		if err != nil || s.Carrier != row.carrier {
			t.Errorf("%s, %s: got %+v, %v; want %s", row.line1, row.service, s, err, row.carrier)
		}
		refused := ""
		quoted, err := card.Quote(o)
		if r, ok := errors.AsType[*rates.Refused](err); ok {
			refused = r.Pointer
		}
		faults := card.Check(&o)
		if refused != row.refuse || (refused == "") != (quoted != nil) || (refused == "") != (len(faults) == 0) {
			t.Errorf("%s, %s: got a quote %+v, %v, and faults %v; want a refusal at %q", row.line1, row.service, quoted, err, faults, row.refuse)
		}
	}
}

// TestNoBoxIsServedByACarrierOfStreets has a cheaper carrier that does not deliver to boxes.
func TestNoBoxIsServedByACarrierOfStreets(t *testing.T) {
	t.Parallel()
	card := load(t, strings.Replace(smallCard, "    most_g: 2000\n", "    most_g: 2000\n    street_only: true\n", 1))
	for line1, want := range map[string]string{"Main Street 1": "Stork", "PO Box 1": "Falcon"} {
		o := basket("DE", "10115", order.Standard, thing(400, 90, 50, 20))
		o.ShipTo.Line1 = line1
		if s, err := card.Quote(o); err != nil || s.Carrier != want {
			t.Errorf("%s: got %+v, %v; want %s", line1, s, err, want)
		}
	}
}
