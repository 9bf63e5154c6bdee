package invoice

import (
	_ "embed"

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

//go:embed seller.yaml
var defaultSeller []byte

// Limits of the seller's data, which is printed at the foot of every page.
const (
	maxAddress    = 6
	maxSellerText = 100
	maxDays       = 365
)

// Seller is the issuer of the invoices. Register, Website, IBAN, BIC, Logo and Colour may be empty.
// PaymentDays may be 0: payable on receipt.
type Seller struct {
	Name     string   `yaml:"name"`
	Address  []string `yaml:"address"` // street and city, a line each, without the country
	Country  string   `yaml:"country"` // ISO 3166-1 alpha-2
	VATID    string   `yaml:"vat_id"`
	Register string   `yaml:"register"` // court and number of the commercial register
	Email    string   `yaml:"email"`
	Website  string   `yaml:"website"`
	IBAN     string   `yaml:"iban"`
	BIC      string   `yaml:"bic"`

	PaymentDays int `yaml:"payment_days"` // from the date of an invoice until it is due

	Logo   string `yaml:"logo"`   // an SVG path: see document.Design
	Colour string `yaml:"colour"` // of logo, headings and total: six hex digits
}

// LoadSeller reads the seller file at path, or the built-in example shop if path is empty. The
// error lists all faults of the file, one on each line, with file and line number.
func LoadSeller(path string) (Seller, error) {
	var s Seller
	if _, err := config.LoadYAML(path, defaultSeller, &s, s.check); err != nil {
		return s, err
	}
	return s, nil
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
		{"vat_id", s.VATID, true},
		{"email", s.Email, true},
		{"register", s.Register, false},
		{"website", s.Website, false},
		{"iban", s.IBAN, false},
		{"bic", s.BIC, false},
	} {
		checkText(root.At(f.key), f.key, f.value, f.needed)
	}
	if len(s.Address) == 0 || len(s.Address) > maxAddress {
		root.At("address").Wrong("address must have 1 to %d lines", maxAddress)
	}
	for i, line := range s.Address {
		checkText(root.At("address", i), "a line of the address", line, true)
	}
	if s.PaymentDays < 0 || s.PaymentDays > maxDays {
		root.At("payment_days").Wrong("payment_days must be from 0 to %d", maxDays)
	}
	logo, colour := s.design().Check()
	if logo != nil {
		root.At("logo").Wrong("logo must be a path of SVG: %v", logo)
	}
	if colour != nil {
		root.At("colour").Wrong("colour must be six hex digits, such as 1f5b4c")
	}
	if !(order.Address{Country: s.Country}).CountryExists() {
		root.At("country").Wrong("country must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
	}
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
