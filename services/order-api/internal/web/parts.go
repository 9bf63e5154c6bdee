package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/look"
	"example.com/orders/shared/order"
)

// shape is a state's look: the class of its colour, and the inside of its glyph.
type shape struct{ class, glyph string }

// shapes are all looks of states. A state is always shape, word and colour.
var shapes = map[string]shape{
	"ok":     {"ok", `<circle class="f" cx="6" cy="6" r="5.6"/><path class="k" d="M3.5 6.3 5.3 8 8.6 4.4"/>`},
	"run":    {"run", `<circle cx="6" cy="6" r="4.6"/><path class="f" d="M6 1.4a4.6 4.6 0 0 1 0 9.2z"/>`},
	"retry":  {"retry", `<path d="M10.2 6a4.2 4.2 0 1 1-1.4-3.1M9.2.8v2.4H6.8"/>`},
	"wait":   {"wait", `<path class="f" d="M2.2 1.4h2.7v9.2H2.2zM7.1 1.4h2.7v9.2H7.1z"/>`},
	"dead":   {"dead", `<path stroke-width="2.4" d="M2.2 2.2l7.6 7.6M9.8 2.2 2.2 9.8"/>`},
	"warn":   {"warn", `<path d="M6 1.3 11.2 10.6H.8z"/><path d="M6 4.8v2.4M6 8.9v.1"/>`},
	"todo":   {"off", `<circle cx="6" cy="6" r="4.6"/>`},
	"closed": {"off", `<circle cx="6" cy="6" r="4.6"/><path d="M2.8 9.2 9.2 2.8"/>`},
}

// kinds are the looks of the statuses of orders.
var kinds = map[order.Status]string{
	order.Accepted: "todo", order.Working: "run", order.Mailing: "run", order.Retrying: "retry", order.Waiting: "wait",
	order.Confirmed: "ok", order.Dead: "dead", order.Cancelled: "closed",
}

// functions are those of the templates.
func functions(a *assets) template.FuncMap {
	return template.FuncMap{
		"logo":     func() template.HTML { return look.Logo },
		"asset":    func(name string) string { return a.names[name] },
		"state":    func(kind, words string) template.HTML { return state(kind, words, "st") },
		"tag":      func(kind, words string) template.HTML { return state(kind, words, "st tag") },
		"status":   func(s order.Status) template.HTML { return state(kinds[s], string(s), "st") },
		"glyph":    glyph,
		"upper":    upper,
		"number":   number,
		"share":    share,
		"title":    causeTitle,
		"next":     func(n int) int { return n + 1 },
		"icon":     func(kind string) template.HTML { return icon(kind, "g "+shapes[kind].class) },
		"look":     func(w stateWords) template.HTML { return state(w.kind, w.words, "st") },
		"listing":  func(label string, lines []line) listing { return listing{label, lines} },
		"badge":    func(w stateWords) template.HTML { return state(w.kind, w.words, "st tag") },
		"money":    money,
		"at":       func(t time.Time) template.HTML { return clock(t, "2 Jan 2006, 15:04:05 UTC") },
		"ago":      func(t time.Time) template.HTML { return timeOf(t, "ago", "2 Jan 2006, 15:04:05 UTC") },
		"clock":    func(t time.Time) template.HTML { return clock(t, "15:04:05 UTC") },
		"day":      func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
		"count":    count,
		"known":    known,
		"per":      perSecond,
		"span":     span,
		"took":     took,
		"size":     size,
		"retained": retained,
		"numbers":  numbers,
		"worker":   nameOf,
		"version":  config.Version,
		"mark":     markOf,
		"change":   changeKind,
		"part":     part,
		"phase":    func(name string) template.HTML { w := wording(phases, name); return state(w.kind, w.words, "st") },
		"kB":       func(n int) string { return strconv.Itoa((n+1023)/1024) + " kB" },
		"kg":       func(grams int) string { return fmt.Sprintf("%.1f kg", float64(grams)/1000) },
		"rate":     func(hundredths int) string { return strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64) + " %" },
	}
}

// state is glyph, word and colour. The class has the element's own classes.
func state(kind, words, class string) template.HTML {
	//nolint:gosec // kind and class are constants, and the words are escaped
	return template.HTML(`<span class="` + class + " " + shapes[kind].class + `">` + string(glyph(kind)) + template.HTMLEscapeString(words) + `</span>`)
}

func glyph(kind string) template.HTML { return icon(kind, "g") }

func icon(kind, class string) template.HTML {
	//nolint:gosec // the shapes are constants
	return template.HTML(`<svg class="` + class + `" viewBox="0 0 12 12" aria-hidden="true">` + shapes[kind].glyph + `</svg>`)
}

// clock is a time in UTC. app.js shows it in the zone of the reader.
func clock(t time.Time, layout string) template.HTML { return timeOf(t, "", layout) }

// timeOf is a time in UTC. With the class ago, app.js shows how long ago it is.
func timeOf(t time.Time, class, layout string) template.HTML {
	t = t.UTC()
	if class != "" {
		class = ` class="` + class + `"`
	}
	//nolint:gosec // times have no characters of HTML, and class is a constant
	return template.HTML(`<time` + class + ` datetime="` + t.Format(time.RFC3339Nano) + `">` + strings.ReplaceAll(t.Format(layout), " ", "\u00a0") + `</time>`)
}

// money is an amount with separators and currency.
func money(m order.Money) string {
	text := m.String()
	whole, cents, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	symbol := string(m.Currency)
	if m.Currency == order.EUR {
		symbol = "€"
	}
	return sign + look.Thousands(whole) + "." + cents + "\u00a0" + symbol
}

// count is a number with its noun, in the singular or with an s.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return look.Thousands(strconv.Itoa(n)) + " " + noun
}
