package invoice

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/vat"
)

// checkNumbers writes the seller's numbers as documents have them, and reports those that are mistyped:
// banks, banking apps and tax offices would refuse them.
func (s *Seller) checkNumbers(root config.Place, table *vat.Table) {
	id := order.Customer{VATID: s.VATID}
	s.VATID, s.BIC = id.VATNumber(), compact(s.BIC)
	// An invoice has the ID under which the goods are supplied (Article 226(3) of Directive 2006/112/EC).
	if state := table.State(s.place()); s.VATID != "" && state != "" && id.VATState() != state {
		root.At("vat_id").Wrong("vat_id must be a VAT ID of %s, from where the goods are dispatched, with its prefix", state)
	}
	if s.IBAN != "" && !ibanFits(s.account()) {
		root.At("iban").Wrong("iban must be an IBAN such as BE68 5390 0754 7034: check each digit")
	}
	if s.BIC != "" && !bics.MatchString(s.BIC) {
		root.At("bic").Wrong("bic must have 8 or 11 characters, such as KREDBEBB")
	}
}

// bics are the codes of banks (ISO 9362), and ibans those of accounts (ISO 13616).
var (
	bics  = regexp.MustCompile(`^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$`)
	ibans = regexp.MustCompile(`^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$`)
)

// ibanFits reports whether the check digits of an IBAN fit the account (ISO 7064, MOD 97-10). Those of an
// example are 00, which no account has.
func ibanFits(iban string) bool {
	if !ibans.MatchString(iban) || iban[2:4] == "00" {
		return ibans.MatchString(iban)
	}
	rest := 0
	for _, r := range iban[4:] + iban[:4] {
		if r >= 'A' {
			rest = (rest*100 + int(r-'A') + 10) % 97
			continue
		}
		rest = (rest*10 + int(r-'0')) % 97
	}
	return rest == 1
}

// account is the IBAN without spaces.
func (s Seller) account() string { return compact(s.IBAN) }

// compact is a code in upper case without spaces.
func compact(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
}

// isEmail reports whether a text is an e-mail address alone.
func isEmail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}
