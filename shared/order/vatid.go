package order

import (
	"regexp"
	"strings"
	"time"
	"unicode"
)

// vatIDForms are the forms of VAT identification numbers without their prefix, by prefix, and an
// example of each: those of the European Commission's VIES, and those of eu-vat-rates-data. A test of
// package vat compares them with the latter. The prefix of Greece is EL, and Northern Ireland has XI
// for goods.
var vatIDForms = map[string]struct{ form, example string }{
	"AT": {`U\d{8}`, "ATU12345678"},
	"BE": {`[01]\d{9}`, "BE0123456789"},
	"BG": {`\d{9,10}`, "BG123456789"},
	"CY": {`\d{8}[A-Z]`, "CY12345678L"},
	"CZ": {`\d{8,10}`, "CZ12345678"},
	"DE": {`\d{9}`, "DE123456789"},
	"DK": {`\d{8}`, "DK12345678"},
	"EE": {`\d{9}`, "EE123456789"},
	"EL": {`\d{9}`, "EL123456789"},
	"ES": {`([A-Z]\d{7}[A-Z0-9]|\d{8}[A-Z])`, "ESB12345678"},
	"FI": {`\d{8}`, "FI12345678"},
	"FR": {`[A-HJ-NP-Z0-9]{2}\d{9}`, "FR12345678901"},
	"HR": {`\d{11}`, "HR12345678901"},
	"HU": {`\d{8}`, "HU12345678"},
	// A second letter is of numbers since 2013, and of those that a couple shares.
	"IE": {`(\d{7}[A-W][A-Z]?|\d[A-Z+*]\d{5}[A-W])`, "IE1234567FA"},
	"IT": {`\d{11}`, "IT12345678901"},
	"LT": {`(\d{9}|\d{12})`, "LT123456789"},
	"LU": {`\d{8}`, "LU12345678"},
	"LV": {`\d{11}`, "LV12345678901"},
	"MT": {`\d{8}`, "MT12345678"},
	"NL": {`[0-9A-Z+*]{9}B\d{2}`, "NL123456789B01"},
	"PL": {`\d{10}`, "PL1234567890"},
	"PT": {`\d{9}`, "PT123456789"},
	"RO": {`\d{2,10}`, "RO12345678"},
	"SE": {`\d{12}`, "SE123456789001"},
	"SI": {`\d{8}`, "SI12345678"},
	"SK": {`\d{10}`, "SK1234567890"},
	"XI": {`(\d{9}|\d{12}|(GD|HA)\d{3})`, "XI123456789"},
}

var vatIDs = regexp.MustCompile("^(" + anyVATID() + ")$")

// anyVATID is the form of all VAT IDs, with their prefixes.
func anyVATID() string {
	var all []string
	for prefix, f := range vatIDForms {
		all = append(all, prefix+f.form)
	}
	return strings.Join(all, "|")
}

// VATNumber is the customer's VAT ID as its state writes it, if it has the form of one: "EL123456789"
// for "gr 123.456.789". Any other text is a number of another kind, such as that of a country outside
// the European Union, and is returned without spaces around it.
func (c Customer) VATNumber() string {
	if c.VATID == "" { // most customers
		return ""
	}
	if id := bareVATID(c.VATID); vatIDs.MatchString(id) {
		return id
	}
	return strings.TrimSpace(c.VATID)
}

// NormaliseVATIDs writes the VAT IDs of an order as their states do. It finds no fault: Validate does.
func (o *Order) NormaliseVATIDs() []Invalid {
	o.Customer.VATID = o.Customer.VATNumber()
	if o.BillTo != nil {
		to := *o.BillTo
		to.VATID = Customer{VATID: to.VATID}.VATNumber()
		o.BillTo = &to
	}
	return nil
}

// bareVATID is a text in upper case without spaces, dots, hyphens and the like, with the prefix EL for GR.
func bareVATID(text string) string {
	id := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) || strings.ContainsRune(".,/·−", r) {
			return -1
		}
		if r >= '！' && r <= '～' { // full-width forms, which input methods of East Asia write
			r -= '！' - '!'
		}
		return unicode.ToUpper(r)
	}, text)
	if rest, greek := strings.CutPrefix(id, "GR"); greek {
		return "EL" + rest
	}
	return id
}

// VATState is the member state of the European Union whose form the customer's VAT ID has, as ISO
// 3166-1 alpha-2, or XI for Northern Ireland; or "" without a VAT ID or with a number of another kind.
// It does not check whether the number is in use.
func (c Customer) VATState() string {
	id := c.VATNumber()
	if !vatIDs.MatchString(id) {
		return ""
	}
	if id[:2] == "EL" {
		return "GR" // the only state whose prefix is not its code
	}
	return id[:2]
}

// vatIDFault is what is wrong with a VAT ID of a buyer in a country, or empty. A number that begins
// like one of a member state, of a buyer in the European Union, is taken for a mistyped VAT ID. Any
// other is kept: it is printed, and does not count.
func vatIDFault(text, country string) string {
	if text == "" {
		return ""
	}
	if fault := TextFault(text, 0, maxVATID); fault != "" || (Customer{VATID: text}).VATState() != "" {
		return fault
	}
	id := bareVATID(text)
	f, known := vatIDForms[id[:min(2, len(id))]]
	if _, member := vatIDForms[country]; known && (member || country == "GR" || country == "MC") {
		return "begins like a VAT ID of " + id[:2] + " but does not have its form, such as " + f.example
	}
	return ""
}

// VATCheck is what VIES, the VAT information system of the European Commission, said about a VAT ID.
type VATCheck struct {
	ID        string    // as VATNumber writes it
	Result    string    // VATValid, VATInvalid or VATNotChecked
	At        time.Time // UTC, seconds
	RequestID string    // with which VIES proves the check; or empty
}

// The results of a check. An order with an invalid ID is not placed.
const (
	VATValid      = "valid"
	VATInvalid    = "invalid"
	VATNotChecked = "not-checked" // VIES, or the member state of the ID, was away
)

// MaxVATCheckID limits VATCheck.RequestID, in runes.
const MaxVATCheckID = 64

// vatCheck checks what VIES said. Other producers to the topic can send anything.
func (v *checker) vatCheck(c *VATCheck) {
	if c == nil {
		return
	}
	v.text("/vat_id_check/id", c.ID, 1, maxVATID)
	v.text("/vat_id_check/request_id", c.RequestID, 0, MaxVATCheckID)
	if c.Result != VATValid && c.Result != VATNotChecked {
		v.add("/vat_id_check/result", "must be valid or not-checked")
	}
	if y := c.At.Year(); y < firstPaidYear || y > 9999 {
		v.add("/vat_id_check/at", "must be a time from the year 2000 on")
	}
}
