package web

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

// checkoutPage is the body of the checkout.
type checkoutPage struct {
	Draft     order.Order // what the form has
	Bill      bill
	Countries []address.Country
	// BillCountry is that of the invoice address, or nil.
	BillCountry *address.Country
	Key         string // idempotency key of the form
	Wrong       wrong
	Refused     bool   // the order was not placed: fields are wrong
	Fault       *fault // why the order was not placed, or is not known to be; or nil
}

// checkout is the empty form.
func (p *Pages) checkout(c echo.Context) error {
	d := p.destinationOf(c.Request())
	draft := order.Order{
		Lines: basketOf(c.Request()).lines(p.front.Products()), Service: d.Service, ShipTo: order.Address{Country: d.Country, PostalCode: d.PostalCode},
	}
	return p.form(c, http.StatusOK, checkoutPage{Draft: draft, Key: rand.Text()})
}

// form shows the checkout with a draft.
func (p *Pages) form(c echo.Context, status int, v checkoutPage) error {
	v.Bill, v.Countries = p.bill(v.Draft), p.countries.All
	if b := v.Draft.BillTo; b != nil {
		v.BillCountry = p.countries.Of(b.Address.Country)
	}
	if v.Wrong == nil {
		v.Wrong = v.Bill.Wrong
	}
	return p.show(c, status, "checkout", page{Title: "Checkout", Place: "shop", Roomy: true, Body: v})
}

// draft reads the form. The basket is that of the form, not that of the cookie: another tab may have
// changed it, and a repeated form must be the same order.
func (p *Pages) draft(c echo.Context) order.Order {
	text := func(name string) string { return strings.TrimSpace(c.FormValue(name)) }
	values, _ := url.ParseQuery(c.FormValue("basket")) // what cannot be parsed is left out
	o := order.Order{
		Customer: order.Customer{Name: text("name"), Email: text("email"), VATID: text("vat_id")},
		ShipTo: order.Address{
			Line1: text("line1"), Line2: text("line2"), City: text("city"), Region: text("region"), PostalCode: text("postal_code"), Country: text("country"),
		},
		Service: text("service"), Note: strings.ReplaceAll(text("note"), "\r\n", "\n"), Lines: parseBasket(values).lines(p.front.Products()),
	}
	billTo(&o, text)
	o.NormaliseVATIDs()
	return o
}

// Basket is the content of the form's field with the basket.
func (v checkoutPage) Basket() string {
	b := basket{}
	for _, l := range v.Draft.Lines {
		b[l.SKU] = l.Quantity
	}
	return b.values().Encode()
}

// placeOrder places the order of the form. The key of the form makes a repeat the same order.
func (p *Pages) placeOrder(c echo.Context) error {
	v := checkoutPage{Draft: p.draft(c), Key: c.FormValue("key")}
	if c.FormValue("act") == "update" { // another country has other fields
		return p.form(c, http.StatusOK, v)
	}
	if len(v.Key) < 20 || len(v.Key) > 64 || strings.ContainsFunc(v.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		v.Key = rand.Text()
	}
	o := v.Draft
	var faults []order.Invalid
	if country := p.countries.Of(o.ShipTo.Country); country != nil {
		faults = country.Check(o.ShipTo)
	}
	s, err := p.front.Place(c, o, v.Key, faults...)
	if err != nil {
		return p.notPlaced(c, v, err)
	}
	keep(c, basketCookie, nil)
	return c.Redirect(http.StatusSeeOther, placedPath(s, identity.From(c.Request().Context()).Guest()))
}

// notPlaced shows the form again, with the draft and what is wrong.
func (p *Pages) notPlaced(c echo.Context, v checkoutPage, err error) error {
	f, status := p.problemOf(c, err)
	switch {
	case atField(err):
		v.Wrong, v.Refused = p.wrongOf(err), true
	case asKeyReused(err):
		f.Title, f.Detail = "This form has placed an order already", "its content has changed since then. Place it again if you want a second order."
		v.Fault, v.Key = f, rand.Text()
	case status == http.StatusInternalServerError:
		return err
	default:
		p.front.Log(c, err)
		v.Fault = f
	}
	return p.form(c, status, v)
}

// field is a field of the form.
type field struct {
	Name, Label, Value, Type, Complete string
	Optional                           bool
	Wrong                              string
}

// field returns a field of the form by the JSON pointer of its fault. The names of those of the invoice
// address begin with bill_.
func (v checkoutPage) field(at, label, kind, complete, value string, optional bool) field {
	name := at[strings.LastIndex(at, "/")+1:]
	if strings.HasPrefix(at, "/bill_to/") {
		name = "bill_" + name
	}
	return field{name, label, value, kind, complete, optional, v.Wrong[at]}
}

// Customer are the fields of the customer.
func (v checkoutPage) Customer() []field {
	c := v.Draft.Customer
	return []field{
		v.field("/customer/name", "Name", "text", "name", c.Name, false),
		v.field("/customer/company", "Company", "text", "organization", c.Company, true),
		v.field("/customer/email", "E-mail", "email", "email", c.Email, false),
		v.vatID(),
	}
}

// Address are the fields of the address, in the rows of the country.
func (v checkoutPage) Address() [][]field {
	return v.address("/ship_to", "", v.Draft.ShipTo, v.Bill.Country)
}

// address are the fields of an address at a JSON pointer. Complete begins what a browser fills in.
func (v checkoutPage) address(at, complete string, a order.Address, country *address.Country) (rows [][]field) {
	if country == nil {
		country = &address.Country{Rows: [][]address.Field{{address.Lines}, {address.PostalCode, address.City}}, PostalName: "postal code"}
	}
	for _, row := range country.Rows {
		var fields []field
		for _, f := range row {
			switch f {
			case address.Lines:
				rows = append(rows, []field{v.field(at+"/line1", "Street and house number", "text", complete+"address-line1", a.Line1, false)})
				rows = append(rows, []field{v.field(at+"/line2", "Further line", "text", complete+"address-line2", a.Line2, true)})
			case address.City:
				fields = append(fields, v.field(at+"/city", "City", "text", complete+"address-level2", a.City, false))
			case address.Region:
				fields = append(fields, v.field(at+"/region", upper(country.RegionName), "text", complete+"address-level1", a.Region, true))
			case address.PostalCode:
				fields = append(fields, v.field(at+"/postal_code", upper(country.PostalName), "text", complete+"postal-code", a.PostalCode, !country.Required))
			}
		}
		if len(fields) > 0 {
			rows = append(rows, fields)
		}
	}
	return rows
}

// Note is the field of the note.
func (v checkoutPage) Note() field {
	return v.field("/note", "Note to the carrier", "", "off", v.Draft.Note, true)
}

func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
