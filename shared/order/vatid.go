package order

import "regexp"

// vatIDs are the formats of VAT identification numbers in the member states of the European Union,
// with their prefixes. A test of package invoice compares them with eu-vat-rates-data.
var vatIDs = regexp.MustCompile("^(" + `ATU\d{8}|BE[01]\d{9}|BG\d{9,10}|CY\d{8}[A-Z]|CZ\d{8,10}|DE\d{9}|DK\d{8}|EE\d{9}|` +
	`ES([A-Z]\d{7}[A-Z0-9]|\d{8}[A-Z])|FI\d{8}|FR[A-HJ-NP-Z0-9]{2}\d{9}|EL\d{9}|HR\d{11}|HU\d{8}|` +
	`IE\d{7}[A-W][AH]?|IE\d[A-Z+*]\d{5}[A-W]|IT\d{11}|LT(\d{9}|\d{12})|LU\d{8}|LV\d{11}|MT\d{8}|NL\d{9}B\d{2}|` +
	`PL\d{10}|PT\d{9}|RO\d{2,10}|SE\d{10}01|SI\d{8}|SK\d{10}` + ")$")

// VATState is the member state of the European Union whose format the customer's VAT ID has, as ISO
// 3166-1 alpha-2; or "" without a VAT ID or with another format. It does not check whether the number
// is in use.
func (c Customer) VATState() string {
	if !vatIDs.MatchString(c.VATID) {
		return ""
	}
	if c.VATID[:2] == "EL" {
		return "GR" // the only state whose prefix is not its code
	}
	return c.VATID[:2]
}
