package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/shared/order"
	"example.com/orders/shared/serve"
)

// The cookies of the basket: its products, and where they go to.
const (
	basketCookie = "basket"
	shipCookie   = "ship"
)

// maxCookie is how large a cookie may be. Browsers drop one of more than 4,096 bytes.
const maxCookie = 3800

// basket is the quantity by SKU.
type basket map[string]int

// basketOf reads the basket of a request.
func basketOf(r *http.Request) basket { return parseBasket(cookieValues(r, basketCookie)) }

// parseBasket leaves out what is not valid: cookies and forms are the browser's.
func parseBasket(v url.Values) basket {
	b := basket{}
	for sku, quantity := range v {
		n, err := strconv.Atoi(quantity[0])
		if err == nil && n > 0 && n <= order.MaxQuantity && len(b) < order.MaxLines {
			b[sku] = n
		}
	}
	return b
}

func (b basket) pieces() (n int) {
	for _, quantity := range b {
		n += quantity
	}
	return n
}

// lines are the lines of the basket in the sequence of the catalogue. Products that the catalogue
// does not have any more are left out.
func (b basket) lines(products []catalogue.Product) (all []order.Line) {
	for _, p := range products {
		if n := b[p.SKU]; n > 0 {
			all = append(all, order.Line{SKU: p.SKU, Quantity: n, Name: p.Name, UnitPrice: p.Price, Grams: p.Grams, Size: p.Size})
		}
	}
	return all
}

// values is the content of the cookie.
func (b basket) values() url.Values {
	v := url.Values{}
	for sku, n := range b {
		v.Set(sku, strconv.Itoa(n))
	}
	return v
}

func cookieValues(r *http.Request, name string) url.Values {
	c, err := r.Cookie(name)
	if err != nil {
		return nil
	}
	v, err := url.ParseQuery(c.Value)
	if err != nil {
		return nil
	}
	return v
}

// keep sets a cookie of the pages, or deletes it if it has no values.
func keep(c echo.Context, name string, v url.Values) {
	age := 30 * 24 * 60 * 60
	if len(v) == 0 {
		age = -1
	}
	c.SetCookie(&http.Cookie{
		Name: name, Value: v.Encode(), Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: serve.Encrypted(c.Request()),
	})
}

// destination is where the basket goes to.
type destination struct{ Country, PostalCode, Service string }

// destinationOf reads the destination of a request; the default is Germany by standard service.
func (p *Pages) destinationOf(r *http.Request) destination {
	v := cookieValues(r, shipCookie)
	d := destination{v.Get("country"), v.Get("postal_code"), v.Get("service")}
	if p.countries.Of(d.Country) == nil {
		d.Country = "DE"
	}
	if d.Service != order.Express {
		d.Service = order.Standard
	}
	return d
}

func (d destination) keep(c echo.Context) {
	keep(c, shipCookie, url.Values{"country": {d.Country}, "postal_code": {d.PostalCode}, "service": {d.Service}})
}

// changeBasket does the act of a form of the shop, and returns to where the form is.
func (p *Pages) changeBasket(c echo.Context) error {
	r, b := c.Request(), basketOf(c.Request())
	sku, at := c.FormValue("sku"), "#basket"
	switch c.FormValue("act") {
	case "add":
		b[sku] = min(b[sku]+1, order.MaxQuantity)
	case "less":
		b[sku]--
	case "ship":
		d := destination{c.FormValue("country"), c.FormValue("postal_code"), c.FormValue("service")}
		if len(d.PostalCode) > 64 {
			d.PostalCode = d.PostalCode[:64]
		}
		d.keep(c)
	default:
		return refuse(http.StatusBadRequest, "bad-parameter", "Invalid parameter", "act must be add, less or ship")
	}
	for known := range b {
		if b[known] < 1 || len(basket{known: 1}.lines(p.front.Products())) == 0 {
			delete(b, known)
		}
	}
	if len(b.values().Encode()) > maxCookie || len(b) > order.MaxLines {
		return refuse(http.StatusUnprocessableEntity, "invalid-order", "The basket is full", "the product was not added: check out, then begin another order")
	}
	keep(c, basketCookie, b.values())
	to := url.URL{Path: "/"}
	if category := r.URL.Query().Get("category"); category != "" {
		to.RawQuery = url.Values{"category": {category}}.Encode()
	}
	if c.FormValue("from") == "goods" && sku != "" {
		at = "#p-" + url.PathEscape(sku)
	}
	return c.Redirect(http.StatusSeeOther, to.String()+at)
}
