package catalogue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/shared/order"
)

func Example() {
	shop, err := catalogue.Load("")
	if err != nil {
		fmt.Println(err)
		return
	}
	o := order.Order{Lines: []order.Line{{SKU: "BOTTLE-750", Quantity: 2}, {SKU: "FLYING-CARPET", Quantity: 1}}}
	for _, wrong := range shop.Price(&o) {
		fmt.Println(wrong.Pointer, wrong.Detail)
	}
	fmt.Println(o.Lines[0].Name, o.Lines[0].UnitPrice, o.ItemsTotal())
	// Output:
	// /items/1/sku is not in the catalogue
	// Trinkflasche Edelstahl 750 ml 24.90 49.80
}

// smallShop is a valid catalogue. The test of invalid ones changes one thing per row.
const smallShop = `currency: EUR
products:
  - sku: CUP-1
    name: "Becher Größe 1"
    description: For tea.
    price: "9.50"
    weight_g: 160
    size_mm: [95, 110, 85]
  - {sku: POT, name: Pot, description: For more tea., price: "30", weight_g: 900, size_mm: [200, 150, 140]}
`

func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, path string) *catalogue.Catalogue {
	t.Helper()
	shop, err := catalogue.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return shop
}

func TestProductsAreInFileOrder(t *testing.T) {
	t.Parallel()
	shop := load(t, write(t, smallShop))
	cup := catalogue.Product{
		SKU: "CUP-1", Name: "Becher Größe 1", Description: "For tea.", Price: order.EUR.Cents(950), Grams: 160,
		Size: [3]int{95, 110, 85},
	}
	pot := catalogue.Product{
		SKU: "POT", Name: "Pot", Description: "For more tea.", Price: order.EUR.Cents(3000), Grams: 900,
		Size: [3]int{200, 150, 140},
	}
	if diff := cmp.Diff([]catalogue.Product{cup, pot}, shop.Products()); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	shop.Products()[0].Name = "scribbled on"
	if got := shop.Products()[0].Name; got != cup.Name {
		t.Errorf("got name %q after a caller wrote to its own slice, want %q", got, cup.Name)
	}
}

func TestPricesComeFromTheCatalogue(t *testing.T) {
	t.Parallel()
	shop := load(t, write(t, smallShop))
	o := order.Order{Lines: []order.Line{
		{SKU: "POT", Quantity: 3, Name: "Gold", UnitPrice: order.EUR.Cents(1), Grams: 1, Size: [3]int{1, 1, 1}},
		{SKU: "pot", Quantity: 1},
		{SKU: "CUP-1", Quantity: 1},
		{SKU: "", Quantity: 1},
	}}
	unknown := shop.Price(&o)
	wantUnknown := []order.Invalid{
		{Pointer: "/items/1/sku", Detail: "is not in the catalogue"},
		{Pointer: "/items/3/sku", Detail: "is not in the catalogue"},
	}
	if diff := cmp.Diff(wantUnknown, unknown); diff != "" {
		t.Errorf("invalid (-want +got):\n%s", diff)
	}
	wantLines := []order.Line{
		{SKU: "POT", Quantity: 3, Name: "Pot", UnitPrice: order.EUR.Cents(3000), Grams: 900, Size: [3]int{200, 150, 140}},
		{SKU: "pot", Quantity: 1},
		{SKU: "CUP-1", Quantity: 1, Name: "Becher Größe 1", UnitPrice: order.EUR.Cents(950), Grams: 160, Size: [3]int{95, 110, 85}},
		{SKU: "", Quantity: 1},
	}
	if diff := cmp.Diff(wantLines, o.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestOrdersHaveTheKindOfPricesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{"": false, "prices: net\n": false, "prices: gross\n": true} {
		shop, o := load(t, write(t, word+smallShop)), order.Order{Gross: !want}
		if shop.Price(&o); o.Gross != want || shop.Gross() != want {
			t.Errorf("%q: got gross prices %t of the order and %t of the catalogue, want %t", word, o.Gross, shop.Gross(), want)
		}
	}
}

func TestDefaultCatalogueIsUsable(t *testing.T) {
	t.Parallel()
	products := load(t, "").Products()
	if got := len(products); got < 40 {
		t.Errorf("got %d products, want at least 40: the longest sample order has as many lines", got)
	}
	for _, p := range products {
		if p.SKU == "BOTTLE-750" {
			if p.Price != order.EUR.Cents(2490) {
				t.Errorf("BOTTLE-750 is %s, want 24.90 as in the documents", p.Price)
			}
			return
		}
	}
	t.Error("got no BOTTLE-750, which all documents order")
}

func TestInvalidCatalogueIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, wrong, want string }{
		{"empty file", smallShop, "", "1: is empty"},
		{"another currency", "EUR", "CHF", "1: currency must be EUR"},
		{"prices that are no word", "currency: EUR\n", "currency: EUR\nprices: brutto\n", "2: prices must be net or gross, got \"brutto\""},
		{"no products", smallShop, "currency: EUR\n", "1: the catalogue has no products"},
		{"unknown key", "price:", "prise:", "3: price \"\" must be an amount above 0, like 59.80\n6: unknown key \"prise\""},
		{"no sku", "sku: POT", "sku: ", `9: sku "" must be up to 64 capitals, digits and single hyphens`},
		{"sku in lower case", "sku: CUP-1", "sku: cup 1", `3: sku "cup 1" must be up to 64 capitals, digits and single hyphens`},
		{"one sku twice", "sku: POT", "sku: CUP-1", `9: sku "CUP-1" is product 1 already`},
		{"no name", `"Becher Größe 1"`, `" "`, "4: name must not be empty"},
		{"long name", "Becher", strings.Repeat("ß", 120), "4: name must have at most 120 characters"},
		{"name of two lines", "Becher ", `Becher\n`, "4: name " + order.NotPlain},
		{"name with a line separator", "Becher ", "Becher\u2028", "4: name " + order.NotPlain},
		{"name with an escaped paragraph separator", "Becher ", `Becher\u2029`, "4: name " + order.NotPlain},
		{"name with a direction override", "Becher ", "Becher\u202e", "4: name " + order.NotPlain},
		{"name with a noncharacter", "Becher ", `Becher\ufdd0`, "4: name " + order.NotPlain},
		{"name of zero-width characters", "Becher Größe 1", "\u200b\u00ad", "4: name must not be empty"},
		{"name of blank Braille", "Becher Größe 1", "\u2800\u2800", "4: name must not be empty"},
		{"description with a direction isolate", "For tea.", "\u2066For tea.", "5: description " + order.NotPlain},
		{"no description", "For tea.", "", "5: description must not be empty"},
		{"no amount", `"9.50"`, `"9,50"`, `6: price "9,50" must be an amount above 0, like 59.80`},
		{"for nothing", `"9.50"`, `"0.00"`, `6: price "0.00" must be an amount above 0, like 59.80`},
		{"below zero", `"9.50"`, `"-9.50"`, `6: price "-9.50" must be an amount above 0, like 59.80`},
		{"a slip of the keyboard", `"9.50"`, `"1000000.01"`, `6: price 1000000.01 must be at most 1000000.00`},
		{"weightless", "160", "0", "7: weight_g must be from 1 to 1000000, got 0"},
		{"weight in words", "160", "light", "7: must be a whole number"},
		{"a ton", "160", "1000001", "7: weight_g must be from 1 to 1000000, got 1000001"},
		{"two sides", "[95, 110, 85]", "[95, 110]", "8: size_mm must be length, width and height, got 2 numbers"},
		{"flat", "[95, 110, 85]", "[95, 110, 0]", "8: a side must be from 1 to 10000 mm, got 0"},
		{
			"all at once", smallShop, "currency: USD\nproducts: [{naem: b}]\nshop: x\n",
			"1: currency must be EUR\n2: unknown key \"naem\"\n3: unknown key \"shop\"",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, strings.Replace(smallShop, row.old, row.wrong, 1))
			_, err := catalogue.Load(path)
			if err == nil {
				t.Fatal("got no error")
			}
			if diff := cmp.Diff(row.want, strings.ReplaceAll(err.Error(), path+":", "")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingCatalogueIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := catalogue.Load(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("got %v, want an error that says that the file does not exist", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallShop))
	f.Add([]byte("currency: EUR\nproducts: [{sku: A, name: b, description: c, price: 1, weight_g: 1, size_mm: [1, 1]}]"))
	path := write(f, "")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		shop, err := catalogue.Load(path)
		if err != nil {
			return
		}
		for _, p := range shop.Products() {
			o := order.Order{Lines: []order.Line{{SKU: p.SKU, Quantity: 1}}}
			if wrong := shop.Price(&o); wrong != nil || o.ItemsTotal() != p.Price || p.Price.Minor <= 0 {
				t.Errorf("product %+v: got %v and total %s, want its price", p, wrong, o.ItemsTotal())
			}
			for _, wrong := range o.Validate() {
				if strings.HasPrefix(wrong.Pointer, "/items") {
					t.Errorf("product %+v: got %v, want a product that can be ordered", p, wrong)
				}
			}
		}
	})
}
