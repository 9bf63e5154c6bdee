package invoice

import (
	"fmt"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/spoken"
	"example.com/orders/shared/order"
)

// setup returns a step of the built-in seller.
func setup(t testing.TB) *Step {
	t.Helper()
	seller, err := LoadSeller("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(seller)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// products are what the sample orders are made of.
var products = []order.Line{
	{SKU: "BOTTLE-750", Name: "Insulated bottle, 750 ml", UnitPrice: order.EUR.Cents(2990)},
	{
		SKU: "TENT-2P-TRK", UnitPrice: order.EUR.Cents(34900),
		Name: "Trekking tent for two, 3-season, 2.1 kg – with footprint, repair kit and eight titanium pegs",
	},
	{SKU: "SOCK-MERINO-M", Name: "Merino socks, size M", UnitPrice: order.EUR.Cents(1450)},
	{SKU: "STOVE-GAS-01", Name: "Gas stove, 2,800 W, piezo ignition", UnitPrice: order.EUR.Cents(5999)},
	{SKU: "MAP-ALPS-50", Name: "Hiking map, Alps, 1:50 000", UnitPrice: order.EUR.Cents(1280)},
	{SKU: "BAG-SLP-M10", Name: "Sleeping bag, down, comfort −10 °C", UnitPrice: order.EUR.Cents(27900)},
	{SKU: "ROPE-98-60M", Name: "Single rope Ø 9.8 mm × 60 m", UnitPrice: order.EUR.Cents(15900)},
}

// shipped is an order of so many lines whose shipping is settled.
func shipped(lines int) *order.State {
	o := order.Order{
		ID:       "ord_4k7m2p9x3c5v8b1n6q0w2e4r7t",
		PlacedAt: time.Date(2026, 9, 29, 8, 15, 42, 0, time.UTC),
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "Unter den Linden 1", City: "Berlin", PostalCode: "10117", Country: "DE"},
		Service:  order.Standard,
		Note:     "please leave it with the neighbour",
	}
	for i := range lines {
		l := products[i%len(products)]
		l.Quantity = i%3 + 1
		if i >= len(products) {
			l.SKU = fmt.Sprintf("%s-%d", l.SKU, i/len(products))
		}
		o.Lines = append(o.Lines, l)
	}
	w := new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}))
	w.Progress.Shipping = &order.Shipping{Zone: "de", Service: order.Standard, Price: order.EUR.Cents(490), Card: "2026-09", Carrier: "Parcel Post"}
	return w
}

// planned settles an order's invoice as of a fixed date.
func planned(t testing.TB, w *order.State) *order.State {
	t.Helper()
	return plannedBy(t, setup(t), w)
}

func plannedBy(t testing.TB, s *Step, w *order.State) *order.State {
	t.Helper()
	if err := s.Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if w.Order.Refund != nil {
		w.Progress.Invoice.IssuedAt = w.Order.PlacedAt
		return w
	}
	w.Progress.Invoice.Language = spoken.English.String() // most tests read what is printed
	w.Progress.Invoice.IssuedAt = time.Date(2026, 9, 29, 8, 15, 43, 0, time.UTC)
	return w
}

// mixed is an order in which all pages of the fonts are used, and some characters that are in none.
func mixed(t testing.TB) *order.State {
	t.Helper()
	w := shipped(3)
	manyScripts(w)
	return planned(t, w)
}

// manyScripts puts text of all pages of the fonts into an order, and of none.
func manyScripts(w *order.State) {
	w.Order.Customer.Name = "Παπαδόπουλος, Иванов, Őszi, Łukasiewicz & Đặng Thị Hương 王小明"
	w.Order.ShipTo = order.Address{
		Line1: "Bulevardul Ștefan cel Mare 12", Line2: "Қабанбай батыр даңғылы", City: "Şişli", Region: "Žemaitija",
		PostalCode: "34360", Country: "GE",
	}
	w.Order.Lines[0].Name = "Ĉapelo, Ḥamza, שלום, 👩‍🚀"
}

// document renders a planned order.
func document(t testing.TB, s *Step, w *order.State) []byte {
	t.Helper()
	w.Document = nil
	if err := s.Do(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w.Document
}
