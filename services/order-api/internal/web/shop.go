package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// shopPage is the body of the shop.
type shopPage struct {
	Categories []category
	All        int    // number of all products
	Category   string // that is shown; or empty: all
	Goods      []good
	Basket     bill
	Countries  []address.Country
}

type category struct {
	Name string
	On   bool
}

// good is a product with its drawing and its number in the basket.
type good struct {
	catalogue.Product
	Drawing string
	In      int
}

func (p *Pages) shop(c echo.Context) error {
	chosen := c.QueryParam("category")
	v, b := shopPage{Countries: p.countries.All}, basketOf(c.Request())
	for _, product := range p.front.Products() {
		v.All++
		if product.Category != "" && !slices.ContainsFunc(v.Categories, func(k category) bool { return k.Name == product.Category }) {
			v.Categories = append(v.Categories, category{product.Category, product.Category == chosen})
		}
		if chosen != "" && product.Category != chosen {
			continue
		}
		v.Goods = append(v.Goods, good{product, p.drawing(product), b[product.SKU]})
	}
	if len(v.Goods) > 0 {
		v.Category = chosen
	}
	d := p.destinationOf(c.Request())
	v.Basket = p.bill(order.Order{
		Lines: b.lines(p.front.Products()), Service: d.Service, ShipTo: order.Address{Country: d.Country, PostalCode: d.PostalCode},
	})
	return p.show(c, http.StatusOK, "shop", page{Title: "Outdoor and home goods", Place: "shop", Roomy: true, Wide: true, Body: v})
}

func (p *Pages) drawing(of catalogue.Product) string {
	for _, name := range []string{of.SKU, of.Category} {
		if d := p.drawings[name]; d != "" {
			return d
		}
	}
	return p.drawings[""]
}

// bill is what an order costs, as far as it is known before it is placed.
type bill struct {
	order.Order
	Country  *address.Country
	Pieces   int
	Services []*order.Shipping // the cheapest first; empty: there is no quote
	Chosen   *order.Shipping   // or nil
	Sum      order.Money       // goods and shipping; with VAT if the order is Gross
	Wrong    wrong
}

// bill asks for a quote. Without lines, or with a postal code that is missing or invalid, there is none.
func (p *Pages) bill(o order.Order) bill {
	o.Gross = p.front.Gross()
	b := bill{Order: o, Country: p.countries.Of(o.ShipTo.Country), Sum: o.ItemsTotal()}
	for _, l := range o.Lines {
		b.Pieces += l.Quantity
	}
	if len(o.Lines) == 0 || b.Country == nil {
		return b
	}
	if strings.TrimSpace(o.ShipTo.PostalCode) == "" && b.Country.Required {
		return b
	}
	priced, asked, services, err := p.front.Quote(o, b.Country.Check(o.ShipTo)...)
	if err != nil {
		b.Wrong = p.wrongOf(err)
	}
	if b.Wrong["/service"] != "" { // the other service may ship it: the visitor can choose it
		o.Service = order.Standard
		priced, asked, services, err = p.front.Quote(o, b.Country.Check(o.ShipTo)...)
	}
	if err != nil {
		return b
	}
	b.Order, b.Services = priced, services
	for _, s := range services {
		if s.Service == asked {
			b.Chosen, b.Sum = s, priced.ItemsTotal().Plus(s.Price)
		}
	}
	return b
}

// wrong is what is wrong with an order: a sentence for each field, by its JSON pointer, and for the
// whole.
type wrong map[string]string

// wrongOf has the errors of a problem.
func (p *Pages) wrongOf(err error) wrong {
	w, problem := wrong{}, p.front.Problem(err)
	for _, e := range problem.Errors {
		w[e.Pointer] = sentence(e.Detail)
	}
	if len(w) == 0 {
		w[""] = sentence(problem.Title + ": " + problem.Detail)
	}
	return w
}

// formFields are the JSON pointers of the fields that the checkout has.
var formFields = []string{
	"/customer/name", "/customer/email", "/customer/vat_id", "/ship_to/line1", "/ship_to/line2", "/ship_to/city",
	"/ship_to/region", "/ship_to/postal_code", "/ship_to/country", "/note",
	"/customer/company", "/purchase_order", "/buyer_reference", "/bill_to/name", "/bill_to/company", "/bill_to/vat_id",
	"/bill_to/line1", "/bill_to/line2", "/bill_to/city", "/bill_to/region", "/bill_to/postal_code", "/bill_to/country",
}

// Marked is the number of fields of the form that are wrong. Each has its sentence.
func (w wrong) Marked() (n int) {
	for at := range w {
		if slices.Contains(formFields, at) {
			n++
		}
	}
	return n
}

// Other are the sentences about what no field of the form has.
func (w wrong) Other() (all []string) {
	for at, text := range w {
		if !slices.Contains(formFields, at) {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sentence makes a sentence of the detail of a fault: "must be …" becomes "Must be ….".
func sentence(detail string) string {
	detail = strings.TrimSuffix(strings.TrimSpace(detail), ":")
	if detail == "" {
		return ""
	}
	return strings.ToUpper(detail[:1]) + strings.TrimSuffix(detail[1:], ".") + "."
}

// atField reports whether an error is about what the visitor has filled in, so that the form can be
// shown again.
func atField(err error) bool {
	_, rejected := errors.AsType[*intake.RejectedError](err)
	_, refused := errors.AsType[*rates.Refused](err)
	return rejected || refused
}

// asKeyReused reports whether the key of a form has placed another order.
func asKeyReused(err error) bool {
	_, reused := errors.AsType[*intake.KeyReusedError](err)
	return reused
}

// problemOf is the problem of an error as part of a form.
func (p *Pages) problemOf(c echo.Context, err error) (*fault, int) {
	problem := p.front.Problem(err)
	f := faultOf(c, problem)
	return &f, problem.Status
}
