// Package look has what all pages share, those of the API and those of the inbox: stylesheet, logo, and the form of
// numbers.
package look

import _ "embed"

// Logo is the HTML of the example shop's logo, for an element of the class brand.
const Logo = `<svg viewBox="0 0 24 24" aria-hidden="true"><path fill-rule="evenodd" d="M3 0H21C22.7 0 24 1.3 24 3V21C24 22.7 22.7 24 21 24H3C1.3 24 0 22.7 0 21V3C0 1.3 1.3 0 3 0ZM3 19 9.5 8 13 13.5 15.5 10.5 21 19ZM19 6C19 7.1 18.1 8 17 8 15.9 8 15 7.1 15 6 15 4.9 15.9 4 17 4 18.1 4 19 4.9 19 6Z"/></svg>`

//go:embed pages.css
var stylesheet []byte

// Stylesheet returns the CSS. It must not be changed.
func Stylesheet() []byte { return stylesheet }

// Thousands separates the digits of a whole number that is not negative: 1,234,567.
func Thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
