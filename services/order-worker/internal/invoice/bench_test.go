package invoice

import "testing"

// BenchmarkInvoice measures rendering: the texts, the XML and the PDF that holds both.
// BenchmarkDocument compares the PDF alone with gofpdf.
func BenchmarkInvoice(b *testing.B) {
	s := setup(b)
	for _, row := range measuredOrders(b, s) {
		b.Run(row.name+"/hybrid", func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = len(render(b, s, row.w))
			}
			b.ReportMetric(float64(size), "bytes/doc")
		})
	}
}
