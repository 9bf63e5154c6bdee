package order_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// valid is an order without faults, as it is when its prices are filled in.
func valid() order.Order {
	return order.Order{
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Service:  order.Standard,
		Lines: []order.Line{
			{SKU: "BOTTLE-750", Quantity: 2, Name: "Bottle", UnitPrice: order.EUR.Cents(1990), Grams: 310, Size: [3]int{80, 80, 260}},
		},
	}
}

// lines are n lines of different SKUs.
func lines(n int) []order.Line {
	all := make([]order.Line, n)
	for i := range all {
		all[i] = order.Line{SKU: fmt.Sprintf("SKU-%d", i), Quantity: 1}
	}
	return all
}

func ExampleOrder_Validate() {
	o := order.Order{
		Customer: order.Customer{Name: "Zoë", Email: "zoe at example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", Country: "Germany"},
		Service:  order.Standard,
		Lines:    []order.Line{{SKU: "BOTTLE-750", Quantity: 0}},
	}
	for _, wrong := range o.Validate() {
		fmt.Println(wrong.Pointer, wrong.Detail)
	}
	// Output:
	// /customer/email must be an e-mail address such as zoe@example.com
	// /ship_to/country must be an ISO 3166-1 alpha-2 code in upper case, such as DE
	// /items/0/quantity must be a whole number from 1 to 10000
}

func TestValidatePointsAtEachBadField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 201)
	for _, row := range []struct {
		name   string
		spoil  func(*order.Order)
		points string
	}{
		{"no name", func(o *order.Order) { o.Customer.Name = "" }, "/customer/name"},
		{"a blank name", func(o *order.Order) { o.Customer.Name = " \u00a0\u3000" }, "/customer/name"},
		{"a name of zero-width characters", func(o *order.Order) { o.Customer.Name = "\u200b\u00ad\ufeff" }, "/customer/name"},
		{"a name of blank symbols", func(o *order.Order) { o.Customer.Name = "\u2800 \U0001D159\U00013441\U00016FE4" }, "/customer/name"},
		{"a name of fillers and marks of direction", func(o *order.Order) { o.Customer.Name = "\u3164\u200f\u061c\ufe0f" }, "/customer/name"},
		{"a name of 10,000 runes", func(o *order.Order) { o.Customer.Name = strings.Repeat("x", 10_000) }, "/customer/name"},
		{"a name of 201 runes", func(o *order.Order) { o.Customer.Name = long }, "/customer/name"},
		{"a line feed in a name", func(o *order.Order) { o.Customer.Name = "Zoë\nBcc: all@example.com" }, "/customer/name"},
		{"a carriage return in a name", func(o *order.Order) { o.Customer.Name = "Zoë\rX" }, "/customer/name"},
		{"a NUL in a name", func(o *order.Order) { o.Customer.Name = "Zo\x00ë" }, "/customer/name"},
		{"a C1 control in a name", func(o *order.Order) { o.Customer.Name = "Zo\u0085ë" }, "/customer/name"},
		{"a line separator in a name", func(o *order.Order) { o.Customer.Name = "Zo\u2028ë" }, "/customer/name"},
		{"a direction override in a name", func(o *order.Order) { o.Customer.Name = "Zo\u202eë" }, "/customer/name"},
		{"a direction isolate in a name", func(o *order.Order) { o.Customer.Name = "Zo\u2066ë" }, "/customer/name"},
		{"a name that is no UTF-8", func(o *order.Order) { o.Customer.Name = "Zo\xeb" }, "/customer/name"},
		{"no e-mail", func(o *order.Order) { o.Customer.Email = "" }, "/customer/email"},
		{"a mistyped VAT ID", func(o *order.Order) { o.Customer.VATID = "DE12345678" }, "/customer/vat_id"},
		{"a mistyped VAT ID of Greece", func(o *order.Order) { o.Customer.VATID = "gr 12345678" }, "/customer/vat_id"},
		{"a VAT ID with a line feed", func(o *order.Order) { o.Customer.VATID = "DE123456\n789" }, "/customer/vat_id"},
		{"a number that is too long", func(o *order.Order) { o.Customer.VATID = strings.Repeat("1", 41) }, "/customer/vat_id"},
		{"an e-mail without @", func(o *order.Order) { o.Customer.Email = "zoe" }, "/customer/email"},
		{"an e-mail with two @", func(o *order.Order) { o.Customer.Email = "zoe@example@example.com" }, "/customer/email"},
		{"an e-mail of a bare host", func(o *order.Order) { o.Customer.Email = "root@localhost" }, "/customer/email"},
		{"an e-mail of an address literal", func(o *order.Order) { o.Customer.Email = "root@[127.0.0.1]" }, "/customer/email"},
		{"an e-mail of a number", func(o *order.Order) { o.Customer.Email = "root@127.0.0.1" }, "/customer/email"},
		{"an e-mail with a name", func(o *order.Order) { o.Customer.Email = "Zoë <zoe@example.com>" }, "/customer/email"},
		{"two e-mails", func(o *order.Order) { o.Customer.Email = "zoe@example.com,all@example.com" }, "/customer/email"},
		{"an e-mail with a header", func(o *order.Order) { o.Customer.Email = "zoe@example.com\r\nBcc: all@example.com" }, "/customer/email"},
		{"an e-mail with a line feed at its end", func(o *order.Order) { o.Customer.Email = "zoe@example.com\n" }, "/customer/email"},
		{"an e-mail with a dot at its start", func(o *order.Order) { o.Customer.Email = ".zoe@example.com" }, "/customer/email"},
		{"an e-mail with a hyphen at its end", func(o *order.Order) { o.Customer.Email = "zoe@example-.com" }, "/customer/email"},
		{"an e-mail with a long local part", func(o *order.Order) { o.Customer.Email = strings.Repeat("z", 65) + "@example.com" }, "/customer/email"},
		{"an e-mail of 255 bytes", func(o *order.Order) { o.Customer.Email = "zoe@" + strings.Repeat("a.", 124) + "com" }, "/customer/email"},
		{"no street", func(o *order.Order) { o.ShipTo.Line1 = "" }, "/ship_to/line1"},
		{"a long second line", func(o *order.Order) { o.ShipTo.Line2 = long }, "/ship_to/line2"},
		{"a tab in a second line", func(o *order.Order) { o.ShipTo.Line2 = "a\tb" }, "/ship_to/line2"},
		{"no city", func(o *order.Order) { o.ShipTo.City = "" }, "/ship_to/city"},
		{"a long region", func(o *order.Order) { o.ShipTo.Region = long }, "/ship_to/region"},
		{"a long postal code", func(o *order.Order) { o.ShipTo.PostalCode = "12345678901234567" }, "/ship_to/postal_code"},
		{"no country", func(o *order.Order) { o.ShipTo.Country = "" }, "/ship_to/country"},
		{"a country in lower case", func(o *order.Order) { o.ShipTo.Country = "de" }, "/ship_to/country"},
		{"a country that is none", func(o *order.Order) { o.ShipTo.Country = "XX" }, "/ship_to/country"},
		{"no service", func(o *order.Order) { o.Service = "" }, "/service"},
		{"an unknown service", func(o *order.Order) { o.Service = "overnight" }, "/service"},
		{"a long note", func(o *order.Order) { o.Note = strings.Repeat("n", 2_001) }, "/note"},
		{"a carriage return in a note", func(o *order.Order) { o.Note = "a\r\nb" }, "/note"},
		{"no lines", func(o *order.Order) { o.Lines = nil }, "/items"},
		{"201 lines", func(o *order.Order) { o.Lines = lines(order.MaxLines + 1) }, "/items"},
		{"no SKU", func(o *order.Order) { o.Lines[0].SKU = "" }, "/items/0/sku"},
		{"a long SKU", func(o *order.Order) { o.Lines[0].SKU = strings.Repeat("S", 65) }, "/items/0/sku"},
		{"two lines of one SKU", func(o *order.Order) { o.Lines = append(lines(2), o.Lines[0], lines(2)[1]) }, "/items/3/sku"},
		{"quantity 0", func(o *order.Order) { o.Lines[0].Quantity = 0 }, "/items/0/quantity"},
		{"quantity -1", func(o *order.Order) { o.Lines[0].Quantity = -1 }, "/items/0/quantity"},
		{"quantity 10^9", func(o *order.Order) { o.Lines[0].Quantity = 1e9 }, "/items/0/quantity"},
		{"a long product name", func(o *order.Order) { o.Lines[0].Name = long }, "/items/0/name"},
		{"a price below zero", func(o *order.Order) { o.Lines[0].UnitPrice = order.EUR.Cents(-1) }, "/items/0/unit_price"},
		{"an absurd price", func(o *order.Order) { o.Lines[0].UnitPrice = order.EUR.Cents(order.MaxPrice + 1) }, "/items/0/unit_price"},
		{"a weight below zero", func(o *order.Order) { o.Lines[0].Grams = -1 }, "/items/0/weight_g"},
		{"an absurd weight", func(o *order.Order) { o.Lines[0].Grams = order.MaxGrams + 1 }, "/items/0/weight_g"},
		{"a side below zero", func(o *order.Order) { o.Lines[0].Size[1] = -1 }, "/items/0/size_mm"},
		{"an absurd side", func(o *order.Order) { o.Lines[0].Size[2] = order.MaxSide + 1 }, "/items/0/size_mm"},
	} {
		o := valid()
		row.spoil(&o)
		wrong := o.Validate()
		if len(wrong) != 1 || wrong[0].Pointer != row.points || wrong[0].Detail == "" {
			t.Errorf("%s: got %v, want one fault at %s", row.name, wrong, row.points)
		}
	}
}

func TestValidateSaysAllThatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	var got []string
	for _, wrong := range (order.Order{Lines: make([]order.Line, 2)}).Validate() {
		got = append(got, wrong.Pointer)
	}
	want := []string{
		"/customer/name", "/customer/email", "/ship_to/line1", "/ship_to/city", "/ship_to/country", "/service",
		"/items/0/sku", "/items/0/quantity", "/items/1/sku", "/items/1/quantity", "/items/1/sku",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}
}

func TestLegalOrdersOfAllKindsAreTaken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*order.Order)
	}{
		{"as it is", func(*order.Order) {}},
		{"emoji", func(o *order.Order) { o.Customer.Name = "Zoë 👩‍🚀" }},
		{"right to left", func(o *order.Order) { o.Customer.Name = "محمد \u200fعلي" }},
		{"combining characters", func(o *order.Order) { o.Customer.Name = "Zoe\u0308" }},
		{"200 runes of three bytes", func(o *order.Order) { o.Customer.Name = strings.Repeat("名", 200) }},
		{"an apostrophe in an e-mail", func(o *order.Order) { o.Customer.Email = "o'neil+shop@mail.example.co.uk" }},
		{"an e-mail of an encoded host", func(o *order.Order) { o.Customer.Email = "zoe@xn--bcher-kva.example" }},
		{"an e-mail at a test host", func(o *order.Order) { o.Customer.Email = "zoe@refused.test" }},
		{"a VAT ID", func(o *order.Order) { o.Customer.VATID = "NL123456789B01" }},
		{"a VAT ID in lower case, with spaces", func(o *order.Order) { o.Customer.VATID = "de 123 456 789" }},
		{"a number without the prefix of a state", func(o *order.Order) { o.Customer.VATID = "21/815/08150" }},
		{"a number of Switzerland", func(o *order.Order) { o.Customer.VATID = "CHE-123.456.789 MWST" }},
		{"a number of Mexico that begins with ES", func(o *order.Order) { o.Customer.VATID, o.ShipTo.Country = "ESE930907523", "MX" }},
		{"no postal code, as in Ireland once", func(o *order.Order) { o.ShipTo.PostalCode = "" }},
		{"a note of several lines", func(o *order.Order) { o.Note = "Ring twice.\nThen wait." }},
		{"200 lines", func(o *order.Order) { o.Lines = lines(order.MaxLines) }},
		{"the largest quantity", func(o *order.Order) { o.Lines[0].Quantity = order.MaxQuantity }},
		{"lines that nobody has priced yet", func(o *order.Order) { o.Lines = []order.Line{{SKU: "A", Quantity: 1}} }},
	} {
		o := valid()
		row.change(&o)
		if wrong := o.Validate(); wrong != nil {
			t.Errorf("%s: got %v, want nothing wrong", row.name, wrong)
		}
	}
}

func TestCountriesAreThoseOfISO3166(t *testing.T) {
	t.Parallel()
	count := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if (order.Address{Country: string(a) + string(b)}).CountryExists() {
				count++
			}
		}
	}
	if count != 249 {
		t.Errorf("got %d countries, want 249", count)
	}
	for _, code := range []string{"", " ", "  ", "D", "D ", " D", "E ", "de", "De", "DEU", "DE ", "AD AE", "XK", "UK", "EU", "ＤＥ"} {
		if (order.Address{Country: code}).CountryExists() {
			t.Errorf("%q is taken for a country", code)
		}
	}
}
