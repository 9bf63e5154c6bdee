package invoice

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
	"example.com/orders/shared/vat"
)

// builtIn reads fonts, words and rates once for all tests.
var builtIn = sync.OnceValues(func() (*Step, error) {
	table, err := vat.Load("")
	if err != nil {
		return nil, err
	}
	seller, err := LoadSeller("", table)
	if err != nil {
		return nil, err
	}
	return New(seller, table, slog.New(slog.DiscardHandler))
})

// setup returns a step of the built-in seller. Tests may change it, but share what was read.
func setup(t testing.TB) *Step {
	t.Helper()
	s, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	step := *s
	return &step
}

// products are the lines of the test orders.
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

// shipped returns an order of some lines whose shipping is priced.
func shipped(lines int) *order.Work {
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
	w := new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}).Work)
	w.Progress.Shipping = &order.Shipping{Zone: "de", Service: order.Standard, Price: order.EUR.Cents(490), Card: "2026-09", Carrier: "Parcel Post"}
	return w
}

// planned plans an order's invoice as of a fixed date.
func planned(t testing.TB, w *order.Work) *order.Work {
	t.Helper()
	return plannedBy(t, setup(t), w)
}

func plannedBy(t testing.TB, s *Step, w *order.Work) *order.Work {
	t.Helper()
	if err := s.Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if w.Order.Refund != nil {
		w.Progress.Invoice.IssuedAt = w.Order.PlacedAt
		return w
	}
	w.Progress.Invoice.Language = locale.English.String() // most tests read English text
	w.Progress.Invoice.IssuedAt = time.Date(2026, 9, 29, 8, 15, 43, 0, time.UTC)
	return w
}

// mixed returns an order with characters of all faces, and some that are in none.
func mixed(t testing.TB) *order.Work {
	t.Helper()
	w := shipped(3)
	manyScripts(w)
	return planned(t, w)
}

// manyScripts puts characters of all faces into an order of three lines, and some that are in none.
func manyScripts(w *order.Work) {
	w.Order.Customer.Name = "Παπαδόπουλος, Иванов, Őszi, Łukasiewicz & Đặng Thị Hương 王小明"
	w.Order.ShipTo = order.Address{
		Line1: "Bulevardul Ștefan cel Mare 12", Line2: "Қабанбай батыр даңғылы", City: "Şişli", Region: "Žemaitija",
		PostalCode: "34360", Country: "GE",
	}
	w.Order.Lines[0].Name = "Ĉapelo, Ḥamza, שלום, 👩\u200d🚀"
	w.Order.Lines[1].Name = "شارع 12, 東京 ガス №1, 김치"
}

// shapedNames are names in scripts that are shaped.
var shapedNames = []string{
	"Ẹ̀kọ́ Ọláwálé", "Արամ Խաչատրյան", "שָׁלוֹם כהן", "ئارام ڕەسووڵ ۆ ڵ ێ", "محمد فیض ٹھاکر", "މާލެ", "क्षेत्री लक्ष्मी", "চৌধুরী", "ਅੰਮ੍ਰਿਤਸਰ", "ક્ષિતિજ",
	"ଭୁବନେଶ୍ୱର", "கொழும்பு", "హైదరాబాద్", "ಬೆಂಗಳೂರು", "കൊല്ലം", "ශ්\u200dරී ලංකාව", "กรุงเทพมหานคร", "ວຽງຈັນ", "རྒྱལ", "ရန်ကုန်", "გიორგი ბერიძე",
	"አዲስ አበባ", "ᏣᎳᎩ", "ᐃᖃᓗᐃᑦ", "ភ្នំពេញ", "ᱥᱟᱱᱛᱟᱲᱤ", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "ꯏꯝꯐꯥꯜ",
}

// inShapedScripts gives the buyer a name, and the lines names in scripts that are shaped.
func inShapedScripts(w *order.Work, buyer string) {
	w.Order.Customer.Name = buyer
	for i := range w.Order.Lines {
		w.Order.Lines[i].Name = shapedNames[i]
	}
}

// inChinese, inJapanese and inKorean change the recipient and a product name of an order.
func inChinese(w *order.Work) {
	w.Order.Customer.Name = "王小明"
	w.Order.ShipTo = order.Address{Line1: "建国门外大街1号国贸大厦A座12层1201室", City: "北京市", Region: "朝阳区", PostalCode: "100004", Country: "CN"}
	w.Order.Lines[0].Name = "保温水壶，750毫升，不锈钢双层真空保温，适合户外徒步旅行使用"
}

func inJapanese(w *order.Work) {
	w.Order.Customer.Name = "株式会社山田商店　髙橋 花子"
	w.Order.ShipTo = order.Address{Line1: "千代田区丸の内１丁目９−１", Line2: "グラントウキョウノースタワー１２階", City: "東京都", PostalCode: "100-0005", Country: "JP"}
	w.Order.Lines[0].Name = "ステンレスボトル「真空断熱」７５０ｍｌ、キャップユニットセット"
}

func inKorean(w *order.Work) {
	w.Order.Customer.Name = "김민수"
	w.Order.ShipTo = order.Address{Line1: "종로구 세종대로 175, 세종문화회관 지하 1층", City: "서울특별시", PostalCode: "03172", Country: "KR"}
	w.Order.Lines[0].Name = "보온병 750ml, 스테인리스 진공 단열, 세척솔과 어깨끈 포함"
}

// render renders a planned order.
func render(t testing.TB, s *Step, w *order.Work) []byte {
	t.Helper()
	w.Document = nil
	if err := s.Do(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w.Document
}
