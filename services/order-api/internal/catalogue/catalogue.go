// Package catalogue knows what the shop sells: names, net prices, weights and sizes, from a YAML file.
//
// catalogue.yaml, beside this file, is the default and shows the format. It is read strictly, once, when the API
// starts. Prices never come from a client: Price fills the lines of an order when it is placed, and from then on the
// order carries what it was sold for, so that a later catalogue changes no order.
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

// Catalogue is a list of products in which nothing is wrong. It never changes and is safe for concurrent use.
type Catalogue struct {
	products []Product
	bySKU    map[string]*Product
}

// Product is one thing that can be ordered. Price is net, for one unit; Grams and Size are those of one unit as packed.
type Product struct {
	SKU         string
	Name        string
	Description string
	Price       order.Money
	Grams       int
	Size        [3]int
}

// Load reads the catalogue at path, or the default when path is empty. Its error says all that is wrong with the file,
// one line each, with file and line.
func Load(path string) (*Catalogue, error) {
	var f file
	if _, err := config.LoadYAML(path, defaultCatalogue, &f, f.check); err != nil {
		return nil, err
	}
	c := &Catalogue{bySKU: make(map[string]*Product, len(f.Rows))}
	for _, r := range f.Rows {
		c.products = append(c.products, Product{
			SKU: r.SKU, Name: r.Name, Description: r.Description, Price: r.price, Grams: r.Grams,
			Size: [3]int(r.Size),
		})
	}
	// Pointers only now: append moves the products while the list grows.
	for i := range c.products {
		c.bySKU[c.products[i].SKU] = &c.products[i]
	}
	return c, nil
}

// Products are all products in the order of the file. The caller owns the slice.
func (c *Catalogue) Products() []Product { return slices.Clone(c.products) }

// Price fills name, unit price, weight and size of each line of an order from its SKU, in place. A line whose SKU is
// unknown stays as it is and is among those returned.
func (c *Catalogue) Price(o *order.Order) []order.Invalid {
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
