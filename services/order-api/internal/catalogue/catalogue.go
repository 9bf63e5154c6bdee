// Package catalogue reads the products of the shop from a YAML file: names, prices, weights and
// sizes.
//
// The default, catalogue.yaml, documents the format. The API reads its catalogue once, at the
// start. Clients do not send prices: Price fills the lines of an order when it is placed. The order
// stores them, so a later catalogue changes no order.
package catalogue

import (
	_ "embed"
	"fmt"
	"slices"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

//go:embed catalogue.yaml
var defaultCatalogue []byte

// Catalogue is a valid list of products. It is immutable and safe for concurrent use.
type Catalogue struct {
	gross    bool
	products []Product
	bySKU    map[string]*Product
}

// Product is one product. Price is per unit: net, or with VAT if the catalogue is Gross; Grams and Size (mm) are those of one packed unit.
type Product struct {
	SKU         string
	Name        string
	Description string
	Category    string // or empty; the shop page groups by it
	Price       order.Money
	Grams       int
	Size        [3]int
}

// Load reads the catalogue at path, or the default if path is empty. The error lists all faults of
// the file, one a line, with file and line.
func Load(path string) (*Catalogue, error) {
	var f file
	if _, err := config.LoadYAML(path, defaultCatalogue, &f, f.check); err != nil {
		return nil, err
	}
	c := &Catalogue{gross: f.gross, bySKU: make(map[string]*Product, len(f.Rows))}
	for _, r := range f.Rows {
		c.products = append(c.products, Product{
			SKU: r.SKU, Name: r.Name, Description: r.Description, Category: r.Category, Price: r.price, Grams: r.Grams,
			Size: [3]int(r.Size),
		})
	}
	// Take pointers only now: append moves the products while the list grows.
	for i := range c.products {
		c.bySKU[c.products[i].SKU] = &c.products[i]
	}
	return c, nil
}

// Gross reports whether the prices include VAT.
func (c *Catalogue) Gross() bool { return c.gross }

// Products returns all products in the order of the file. The caller owns the slice.
func (c *Catalogue) Products() []Product { return slices.Clone(c.products) }

// Price sets name, unit price, weight and size of each line of an order by its SKU, and whether its
// prices include VAT. It returns a fault for each line with an unknown SKU, and does not change that line.
func (c *Catalogue) Price(o *order.Order) []order.Invalid {
	o.Gross = c.gross
	var unknown []order.Invalid
	for i := range o.Lines {
		l := &o.Lines[i]
		p, ok := c.bySKU[l.SKU]
		if !ok {
			unknown = append(unknown, order.Invalid{Pointer: fmt.Sprintf("/items/%d/sku", i), Detail: "is not in the catalogue"})
			continue
		}
		l.Name, l.UnitPrice, l.Grams, l.Size = p.Name, p.Price, p.Grams, p.Size
	}
	return unknown
}
