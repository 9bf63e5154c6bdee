package main

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Each first name is that of one order in 40, each last name that of one in 900.
func firstNames() []string {
	return strings.Fields(`Anna Ben Clara David Elif Finn Greta Hugo Ida Jonas Karin Luca Mia Noah Olga Paul Quentin Rosa Samir Thea
Ulrich Vera Wanda Xaver Yusuf Zoë Łukasz Αλέξανδρος Иван Ольга Émile Søren Åsa Jürgen Renée Íris Çelik Ştefan Žofia Núria`)
}

func stems() []string {
	return strings.Fields(`Acker Berg Brand Dorn Eich Feld Fisch Gold Hagen Holz Kirch Klein Lang Linden Moor Neu Oster Post Quell Reb Sand Schön Stein Tann Ufer
Vogel Wald Weiss Zell Zimmer`)
}

func endings() []string {
	return strings.Fields(`mann bauer berg lund kamp hoff stedt ow ner ing ert stein gren ström dal nik ović ski wicz os eau ier ini etti es ez ão escu enko yan`)
}

func cities() []order.Address {
	return []order.Address{
		{City: "Berlin", PostalCode: "10115", Country: "DE"},
		{City: "Wien", PostalCode: "1010", Country: "AT"},
		{City: "Paris", PostalCode: "75001", Country: "FR"},
		{City: "Kraków", PostalCode: "30-001", Country: "PL"},
		{City: "Madrid", PostalCode: "28001", Country: "ES"},
		{City: "Αθήνα", PostalCode: "105 57", Country: "GR"},
		{City: "München", PostalCode: "80331", Country: "DE"},
		{City: "Lyon", PostalCode: "69001", Country: "FR"},
		{City: "Lisboa", PostalCode: "1000-001", Country: "PT"},
	}
}

func products() []order.Line {
	return []order.Line{
		{SKU: "BOTTLE-750", Name: "Trinkflasche Edelstahl 750 ml", UnitPrice: order.EUR.Cents(2490), Grams: 420, Size: [3]int{270, 80, 80}},
		{SKU: "MUG-ENAMEL", Name: "Emaillebecher „Küste“, weiß", UnitPrice: order.EUR.Cents(950), Grams: 160, Size: [3]int{95, 110, 85}},
		{SKU: "TENT-2P", Name: "Zelt für 2 Personen", UnitPrice: order.EUR.Cents(18900), Grams: 2900, Size: [3]int{480, 160, 160}},
		{SKU: "LAMP-HEAD", Name: "Stirnlampe 350 lm", UnitPrice: order.EUR.Cents(3995), Grams: 95, Size: [3]int{90, 70, 60}},
		{SKU: "ROPE-30", Name: "Seil 30 m", UnitPrice: order.EUR.Cents(5450), Grams: 1800, Size: [3]int{300, 250, 120}},
	}
}

// drawn is what orders are made of.
type drawn struct {
	firstNames, stems, endings []string
	cities                     []order.Address
	products                   []order.Line
}

func newDrawn() drawn { return drawn{firstNames(), stems(), endings(), cities(), products()} }

// Customers with an API key, who see their own orders: one with a few, and a shop with many.
const (
	shopOwner = "bench-shop" // of every fifth order
	perOwner  = 20           // orders of each other owner, of which there is one for every third order
)

// draw is a number below n that follows from the number of an order and a purpose.
func draw(i int, purpose string, n int) int {
	h := hash(i, purpose)
	return int(binary.BigEndian.Uint64(h[:8]) >> 1 % uint64(n))
}

func hash(i int, purpose string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", purpose, i))
}

// idOf is the ID of the i-th order: of the form, and in no sequence, as those of the API.
func idOf(i int) order.ID {
	h := hash(i, "id")
	return order.ID("ord_" + strings.ToLower(base32.StdEncoding.EncodeToString(h[:])[:26]))
}

// placed is the i-th of n orders, placed within the last year.
func (d drawn) placed(i, n int, now time.Time) order.Order {
	const year = 365 * 24 * time.Hour
	h := hash(i, "order")
	to := d.cities[int(h[0])%len(d.cities)]
	to.Line1 = fmt.Sprintf("%d %s", 1+int(h[1]), d.stems[int(h[2])%len(d.stems)])
	first, last := d.nameOf(i)
	o := order.Order{
		ID: idOf(i), PlacedAt: now.Add(-year + time.Duration(float64(i)/float64(n)*float64(year-time.Hour))).Truncate(time.Millisecond), Service: order.Standard,
		Customer: order.Customer{Name: first + " " + last, Email: mailOf(i)},
		ShipTo:   to, Owner: ownerOf(i, n),
	}
	if h[3]%8 == 0 {
		o.Service = order.Express
	}
	if h[4]%20 == 0 {
		o.Customer.Company = last + " GmbH"
	}
	if h[5]%2 == 0 {
		o.Reference = referenceOf(i)
	}
	if o.Owner == (order.Actor{}) {
		o.LinkToken = string(o.ID[4:])
	}
	for l := range 1 + int(h[6]%3) {
		line := d.products[(int(h[7])+l)%len(d.products)]
		line.Quantity = 1 + int(h[8+l]%3)
		o.Lines = append(o.Lines, line)
	}
	return o
}

func (d drawn) nameOf(i int) (first, last string) {
	return d.firstNames[draw(i, "first", len(d.firstNames))], d.stems[draw(i, "stem", len(d.stems))] + d.endings[draw(i, "ending", len(d.endings))]
}

// mailOf is different for each order.
func mailOf(i int) string { return fmt.Sprintf("buyer.x%d@example.com", i) }

func referenceOf(i int) string { return fmt.Sprintf("2026-%08d", i) }

func ownerOf(i, n int) order.Actor {
	switch {
	case i%5 == 0:
		return order.Actor{Kind: order.ActorCustomer, ID: shopOwner}
	case i%3 == 0:
		return order.Actor{Kind: order.ActorCustomer, ID: fmt.Sprint("c", draw(i, "owner", n/3/perOwner+1))}
	}
	return order.Actor{}
}

// through are the statuses of an order after the first: of a thousand orders 940 are confirmed, eight
// of them after a replay.
func through(i int) []order.Status {
	switch of := draw(i, "status", 1000); {
	case of < 2:
		return nil
	case of < 4:
		return []order.Status{order.Working}
	case of < 6:
		return []order.Status{order.Working, order.Mailing}
	case of < 8:
		return []order.Status{order.Retrying}
	case of < 10:
		return []order.Status{order.Working, order.Waiting}
	case of < 12:
		return []order.Status{order.Working, order.Dead}
	case of < 20:
		return []order.Status{order.Working, order.Dead, order.Working, order.Mailing, order.Confirmed}
	case of < 60:
		return []order.Status{order.Cancelled}
	}
	return []order.Status{order.Working, order.Mailing, order.Confirmed}
}

// progress has the results of all steps.
func progress(s *order.State) order.Progress {
	items := s.Order.ItemsTotal()
	price, tax := order.EUR.Cents(690), items.Percent(1900)
	return order.Progress{
		Finished: order.Steps(),
		Shipping: &order.Shipping{
			Zone: "EU-1", Service: s.Order.Service, Price: price, BillableGrams: 1000, MinDays: 2, MaxDays: 4, Card: "2026-1", Carrier: "Example Post",
		},
		Invoice: &order.Invoice{
			Number: s.Origin.InvoiceNumber(), IssuedAt: s.Order.PlacedAt.Truncate(time.Second), VATTable: "2026-1", Language: "de", Net: items.Plus(price), Tax: tax,
			Total: items.Plus(price).Plus(tax), Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: items.Plus(price), Tax: tax}},
			Kept: &order.Kept{Offset: s.Origin.Offset, SHA256: wire.SHA256(nil), Bytes: 20_600},
		},
		Email: &order.Email{MessageID: string(s.Order.ID) + ".invoice@shop.example.com", Date: s.Order.PlacedAt.Truncate(time.Second)},
	}
}
