package order_test

import (
	"testing"
	"time"

	"example.com/orders/shared/order"
)

// placed is an order as most are.
func placed() order.Order {
	return order.Order{
		ID: "ord_1", PlacedAt: time.UnixMilli(1), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "customer-1@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines: []order.Line{
			{SKU: "BOTTLE-750", Quantity: 1, Name: "Trinkflasche Edelstahl 750 ml", UnitPrice: order.EUR.Cents(2490), Grams: 420, Size: [3]int{270, 80, 80}},
			{SKU: "MUG-ENAMEL", Quantity: 1, Name: "Emaillebecher „Küste“, weiß", UnitPrice: order.EUR.Cents(950), Grams: 160, Size: [3]int{95, 110, 85}},
		},
	}
}

func BenchmarkValidate(b *testing.B) {
	o := placed()
	b.ReportAllocs()
	for b.Loop() {
		if faults := o.Validate(); faults != nil {
			b.Fatal(faults)
		}
	}
}

func BenchmarkBodyHash(b *testing.B) {
	o := placed()
	b.ReportAllocs()
	for b.Loop() {
		o.BodyHash()
	}
}
