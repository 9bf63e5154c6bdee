package look_test

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"example.com/orders/shared/look"
)

// pair matches a token of the stylesheet with its values for light and dark.
var pair = regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)`)

// contrast is the ratio of two colours by WCAG 2.2.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8) // the expression has matched
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestColoursCanBeRead: 4.5 for text on each ground it stands on, 3 for shapes and borders (WCAG 2.2, 1.4.3 and 1.4.11).
func TestColoursCanBeRead(t *testing.T) {
	t.Parallel()
	css := look.Stylesheet()
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range pair.FindAllStringSubmatch(string(css), -1) {
		light[m[1]], dark[m[1]] = m[2], m[3]
	}
	grounds := []string{"bg", "panel", "sunken", "hover", "select"}
	states := []string{"ok", "run", "retry", "wait", "dead", "off"}
	for scheme, tokens := range map[string]map[string]string{"light": light, "dark": dark} {
		check := func(text, ground string, least float64) {
			t.Helper()
			if tokens[text] == "" || tokens[ground] == "" {
				t.Fatalf("%s: %s or %s is no token", scheme, text, ground)
			}
			if got := contrast(tokens[text], tokens[ground]); got < least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, text, ground, got, least)
			}
		}
		for _, ground := range grounds {
			for _, text := range append([]string{"ink", "muted", "focus"}, states...) {
				check(text, ground, 4.5)
			}
			check("edge", ground, 3)
		}
		for _, s := range states {
			check(s, s+"-tint", 4.5)
			check("ink", s+"-tint", 4.5)
		}
		check("panel", "ink", 4.5) // the filled button
		check("brand", "panel", 3)
	}
}
