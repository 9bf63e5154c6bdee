// Package look has the stylesheet of all pages: those of the API and those of the inbox.
package look

import _ "embed"

//go:embed pages.css
var stylesheet []byte

// Stylesheet returns the CSS. It must not be changed.
func Stylesheet() []byte { return stylesheet }
