package invoice

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine or an image may have none

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/vat"
)

//go:embed seller.yaml
var defaultSeller []byte

// Limits of the seller's data, which is printed at the foot of every page.
const (
	maxSellerLines = 10
	maxSellerText  = 100
	maxDays        = 365
)

// Seller is the issuer of the invoices. Name, Street, City, Country, VATID and Email are needed, all
// else may be empty. PaymentDays may be 0: payable on receipt.
type Seller struct {
	Name       string `yaml:"name"`
	Street     string `yaml:"street"`
	Street2    string `yaml:"street2"`
	PostalCode string `yaml:"postal_code"`
	City       string `yaml:"city"`
	Country    string `yaml:"country"` // ISO 3166-1 alpha-2

	VATID     string   `yaml:"vat_id"`
	TaxNumber string   `yaml:"tax_number"`         // that the tax office of its country gave
	Register  string   `yaml:"register"`           // court and number of the commercial register
	Managers  []string `yaml:"managing_directors"` // names, as some countries require on each document

	Email   string   `yaml:"email"`
	ReplyTo string   `yaml:"reply_to"` // e-mail address for answers to mails
	Website string   `yaml:"website"`
	Contact Contact  `yaml:"contact"`
	Imprint []string `yaml:"imprint"` // lines at the foot of mails; without them see Step.Imprint

	IBAN string `yaml:"iban"`
	BIC  string `yaml:"bic"`

	// TimeZone is the name of the zone whose days the documents have, such as Europe/Berlin; empty: UTC.
	TimeZone    string `yaml:"time_zone"`
	PaymentDays int    `yaml:"payment_days"` // from the date of an invoice until it is due
	// DispatchDays are the working days, Monday to Friday, from an invoice until its goods are dispatched;
	// nil: that is not planned.
	DispatchDays *int `yaml:"dispatch_days"`

	Logo   string `yaml:"logo"`   // an SVG path: see document.Design
	Colour string `yaml:"colour"` // of logo, headings and total: six hex digits
}

// Contact is who answers questions about an invoice: BG-6 of its XML. Without an e-mail address it is
// the seller's.
type Contact struct {
	Name  string `yaml:"name"`
	Phone string `yaml:"phone"`
	Email string `yaml:"email"`
}

// LoadSeller reads the seller file at path, or the built-in example shop if path is empty. The
// error lists all faults of the file, one on each line, with file and line number. A seller whose VAT
// the table does not know is a fault.
func LoadSeller(path string, table *vat.Table) (Seller, error) {
	var s Seller
	check := func(root config.Place) {
		s.check(root)
		s.checkNumbers(root, table)
		if err := table.Check(s.place()); err != nil && s.place().CountryExists() {
			root.At("country").Wrong("%v", err)
		}
	}
	if _, err := config.LoadYAML(path, defaultSeller, &s, check); err != nil {
		return s, err
	}
	return s, nil
}

func (s *Seller) location() (*time.Location, error) {
	if s.TimeZone == "Local" { // that of the machine
		return nil, fmt.Errorf("%s is no zone", s.TimeZone)
	}
	return time.LoadLocation(s.TimeZone)
}

func (s *Seller) design() document.Design { return document.Design{Logo: s.Logo, Colour: s.Colour} }

// check reports data that the law requires on an invoice and that is missing, and data that would
// not fit.
func (s *Seller) check(root config.Place) {
	for _, f := range []struct {
		key, value string
		needed     bool
	}{
		{"name", s.Name, true},
		{"street", s.Street, true},
		{"street2", s.Street2, false},
		{"postal_code", s.PostalCode, false},
		{"city", s.City, true},
		{"vat_id", s.VATID, true},
		{"tax_number", s.TaxNumber, false},
		{"email", s.Email, true},
		{"register", s.Register, false},
		{"website", s.Website, false},
		{"iban", s.IBAN, false},
		{"bic", s.BIC, false},
	} {
		checkText(root.At(f.key), f.key, f.value, f.needed)
	}
	s.checkPeople(root)
	if _, err := s.location(); err != nil {
		root.At("time_zone").Wrong("time_zone must be the name of a zone, such as Europe/Berlin")
	}
	if s.PaymentDays < 0 || s.PaymentDays > maxDays {
		root.At("payment_days").Wrong("payment_days must be from 0 to %d", maxDays)
	}
	if d := s.DispatchDays; d != nil && (*d < 0 || *d > maxDays) {
		root.At("dispatch_days").Wrong("dispatch_days must be from 0 to %d, or missing", maxDays)
	}
	logo, colour := s.design().Check()
	if logo != nil {
		root.At("logo").Wrong("logo must be a path of SVG: %v", logo)
	}
	if colour != nil {
		root.At("colour").Wrong("colour must be six hex digits, such as 1f5b4c")
	}
	if !s.place().CountryExists() {
		root.At("country").Wrong("country must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
	}
}

// checkPeople checks whom the seller names, and where they are reached.
func (s *Seller) checkPeople(root config.Place) {
	for key, lines := range map[string][]string{"managing_directors": s.Managers, "imprint": s.Imprint} {
		if len(lines) > maxSellerLines {
			root.At(key).Wrong("%s must have at most %d lines", key, maxSellerLines)
		}
		for i, line := range lines {
			checkText(root.At(key, i), "a line of "+key, line, true)
		}
	}
	contact := root.At("contact")
	checkText(contact.At("name"), "name", s.Contact.Name, false)
	checkText(contact.At("phone"), "phone", s.Contact.Phone, false)
	checkText(contact.At("email"), "email", s.Contact.Email, false)
	for _, f := range []struct {
		at          config.Place
		name, value string
	}{{root.At("email"), "email", s.Email}, {root.At("reply_to"), "reply_to", s.ReplyTo}, {contact.At("email"), "email", s.Contact.Email}} {
		if strings.TrimSpace(f.value) != "" && !isEmail(f.value) {
			f.at.Wrong("%s must be an e-mail address such as help@example.com", f.name)
		}
	}
}

// place is where the goods are dispatched.
func (s *Seller) place() order.Address {
	return order.Address{Country: s.Country, PostalCode: s.PostalCode}
}

// dispatch is the day when the goods of an invoice are dispatched, as planned; zero if nothing is planned.
// On a weekend nothing is dispatched. Public holidays are not known.
func (s *Seller) dispatch(issued time.Time) time.Time {
	if s.DispatchDays == nil {
		return time.Time{}
	}
	weekend := func(d time.Time) bool { return d.Weekday() == time.Saturday || d.Weekday() == time.Sunday }
	day := issued
	for left := *s.DispatchDays; left > 0 || weekend(day); {
		if day = day.AddDate(0, 0, 1); !weekend(day) {
			left--
		}
	}
	return day
}

// address is the lines of the seller's address, without name and country.
func (s *Seller) address() []string {
	return slices.DeleteFunc([]string{s.Street, s.Street2, strings.TrimSpace(s.PostalCode + " " + s.City)}, empty)
}

func empty(text string) bool { return text == "" }

// Imprint is the lines at the foot of mails: those of the seller's file, or else who and where the
// seller is, its register, managing directors and VAT ID, in the language of its country.
func (s *Step) Imprint() []string {
	if len(s.seller.Imprint) > 0 {
		return s.seller.Imprint
	}
	t, where := s.translations[locale.In(s.seller.Country)], append([]string{s.seller.Name}, s.seller.address()...)
	return slices.DeleteFunc([]string{
		strings.Join(append(where, t.Language.Country(s.seller.Country)), " · "),
		strings.Join(slices.DeleteFunc([]string{s.seller.Register, t.managers(s.seller)}, empty), " · "),
		labelled(t.SellerVAT, s.seller.VATID),
	}, empty)
}

// managers names the managing directors, or nothing.
func (t *translation) managers(s Seller) string {
	if len(s.Managers) == 0 {
		return ""
	}
	return t.Managers + ": " + strings.Join(s.Managers, ", ")
}

// checkText checks one text of the file. The error calls it by name.
func checkText(at config.Place, name, text string, needed bool) {
	least := 0
	if needed {
		least = 1
	}
	if fault := order.TextFault(text, least, maxSellerText); fault != "" {
		at.Wrong("%s %s", name, fault)
	}
}
