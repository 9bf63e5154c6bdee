package httpapi

import "testing"

func BenchmarkDecodeOrder(b *testing.B) {
	body := []byte(`{"customer":{"name":"Zoë Łukasiewicz","email":"customer-0@example.com"},"ship_to":{"line1":"1 Main Street","city":"Berlin","postal_code":"10115","country":"DE"},"service":"standard","items":[{"sku":"BOTTLE-750","quantity":1},{"sku":"MUG-ENAMEL","quantity":1}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, wrong, err := decodeOrder(body); len(wrong) > 0 || err != nil {
			b.Fatal(wrong, err)
		}
	}
}
