package catalogue

import (
	"regexp"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// file is a catalogue in YAML.
type file struct {
	Currency string `yaml:"currency"`
	Prices   string `yaml:"prices"` // net or gross; empty: net
	Rows     []row  `yaml:"products"`

	gross bool // Prices; set by check
}

// row is one product in YAML. The price is text, because floats cannot represent amounts of money.
type row struct {
	SKU         string `yaml:"sku"`
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Category    string `yaml:"category"`
	Price       string `yaml:"price"`
	Grams       int    `yaml:"weight_g"`
	Size        []int  `yaml:"size_mm"` // length, width, height

	price order.Money // Price; set by check
}

// Maximum lengths of texts in runes. The limits of prices, weights and sizes are those of package
// order.
const (
	maxName = 120
	maxText = 500
)

// skuForm allows SKUs that need no escaping in URLs, CSV files and labels.
var skuForm = regexp.MustCompile(`^[A-Z0-9]+(-[A-Z0-9]+)*$`)

// check reports all faults of the file and parses its prices.
func (f *file) check(root config.Place) {
	if f.Currency != string(order.EUR) {
		root.At("currency").Wrong("currency must be %s", order.EUR)
	}
	var ok bool
	if f.gross, ok = order.ParsePrices(f.Prices); !ok {
		root.At("prices").Wrong("prices must be net or gross, got %.40q", f.Prices)
	}
	if len(f.Rows) == 0 {
		root.At("products").Wrong("the catalogue has no products")
	}
	listed := make(map[string]int, len(f.Rows))
	for i := range f.Rows {
		r, at := &f.Rows[i], root.At("products", i)
		if first, twice := listed[r.SKU]; twice {
			at.At("sku").Wrong("sku %q is product %d already", r.SKU, first+1)
		} else {
			listed[r.SKU] = i
		}
		r.check(at)
	}
}

// check reports all faults of a product.
func (r *row) check(at config.Place) {
	if len(r.SKU) > 64 || !skuForm.MatchString(r.SKU) {
		at.At("sku").Wrong("sku %.80q must be up to 64 capitals, digits and single hyphens", r.SKU)
	}
	checkText(at, "name", r.Name, maxName)
	checkText(at, "description", r.Description, maxText)
	if r.Category != "" {
		checkText(at, "category", r.Category, maxName)
	}
	// A price of zero is a typing error: no product is free.
	price, err := order.EUR.Parse(r.Price)
	if err != nil || price.Minor <= 0 {
		at.At("price").Wrong("price %.40q must be an amount above 0, like 59.80", r.Price)
	} else if price.Minor > order.MaxPrice {
		at.At("price").Wrong("price %s must be at most %s", price, order.EUR.Cents(order.MaxPrice))
	}
	r.price = price
	if r.Grams < 1 || r.Grams > order.MaxGrams {
		at.At("weight_g").Wrong("weight_g must be from 1 to %d, got %d", order.MaxGrams, r.Grams)
	}
	if len(r.Size) != 3 {
		at.At("size_mm").Wrong("size_mm must be length, width and height, got %d numbers", len(r.Size))
	}
	for i, side := range r.Size {
		if side < 1 || side > order.MaxSide {
			at.At("size_mm", i).Wrong("a side must be from 1 to %d mm, got %d", order.MaxSide, side)
		}
	}
}

// checkText applies the rules of order texts to names and descriptions.
func checkText(at config.Place, key, text string, most int) {
	if fault := order.TextFault(text, 1, most); fault != "" {
		at.At(key).Wrong("%s %s", key, fault)
	}
}
