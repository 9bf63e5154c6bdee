package address

import (
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"example.com/orders/shared/order"
)

// Box returns the part of an address that names a packing station or a PO box, as it was written, or
// "" for any other address. Only the post delivers there: no courier, and no freight.
//
// What is written next to a street, as in "neben der Packstation 12", is no box, and neither is a PO
// box if the other line is a street: a courier goes there.
func Box(a order.Address) string {
	lines := []string{a.Line1, a.Line2}
	texts := []string{folded(a.Line1), folded(a.Line2)}
	for i, text := range texts {
		for _, b := range boxes {
			if text == "" || b.countries != "" && !strings.Contains(b.countries, a.Country) {
				continue
			}
			at := b.find(text)
			if at == nil || landmark.MatchString(text[:at[0]]) {
				continue
			}
			if b.station || !street.MatchString(texts[1-i]) {
				return strings.TrimSpace(lines[i])
			}
		}
	}
	if a.Country == "US" && (slices.Contains([]string{"APO", "FPO", "DPO"}, strings.ToUpper(a.City)) || slices.Contains([]string{"AA", "AE", "AP"}, strings.ToUpper(a.Region))) {
		return strings.TrimSpace(a.City + " " + a.Region)
	}
	if a.Country == "GB" && strings.HasPrefix(Bare(a.Country, a.PostalCode), "BFPO") {
		return a.PostalCode
	}
	return ""
}

// folded is a text in lower case, without accents, dots and repeated spaces.
func folded(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '.':
			return -1
		case r == 'ł' || r == 'Ł':
			return 'l'
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	return strings.Join(strings.Fields(norm.NFKC.String(text)), " ")
}

var (
	// landmark is the end of a text before something that is only nearby.
	landmark = regexp.MustCompile(`\b(an|am|bei|beim|gegenuber|hinter|nahe|neben|vor|zur|at|behind|by|near|next to|opposite|derriere|devant|face a|pres de|junto a|cerca de)( de[rmns]?| die| das| the| la| le| el)?[ ,]*$`)
	// street is a line with a street and a house number. Numbers of customers of a packing station, and
	// of flats, are none.
	street = regexp.MustCompile(`^(\d+\pL?,? +\pL{3,}[\pL -]*|[\pL' -]*\pL{3,},? *\d+ ?\pL?)$`)
)

// box is how a packing station or a PO box is written, in a text that is folded.
type box struct {
	form      *regexp.Regexp
	signs     []string // each text that has the form contains one of them: most lines have none
	countries string   // where it is written so; empty: everywhere
	station   bool     // a packing station
}

func newBox(form, countries string, station bool) box {
	parsed, err := syntax.Parse(form, syntax.Perl)
	if err != nil {
		panic("address: " + err.Error())
	}
	return box{regexp.MustCompile(form), signs(parsed), countries, station}
}

// find returns where a text has the form, or nil. It is much faster than the expression alone.
func (b *box) find(text string) []int {
	if b.signs != nil && !slices.ContainsFunc(b.signs, func(sign string) bool { return strings.Contains(text, sign) }) {
		return nil
	}
	return b.form.FindStringIndex(text)
}

// signs are literals of which each match of an expression contains one, or nil if it has none.
func signs(re *syntax.Regexp) (all []string) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCapture:
		return signs(re.Sub[0])
	case syntax.OpAlternate:
		for _, way := range re.Sub {
			of := signs(way)
			if of == nil {
				return nil
			}
			all = append(all, of...)
		}
	case syntax.OpConcat:
		for _, part := range re.Sub {
			if of := signs(part); shortest(of) > shortest(all) {
				all = of
			}
		}
	}
	return all
}

// shortest is the length of the shortest text, or 0.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	return len(slices.MinFunc(texts, func(a, b string) int { return cmp.Compare(len(a), len(b)) }))
}

// boxes are the forms of packing stations and PO boxes. A word with other meanings needs a number or
// the beginning of the line.
var boxes = []box{
	newBox(`\b(dhl )?(packstation|postfiliale|postfilialdirekt|paketshop|paketbox|paketautomat|abholstation) (nr )?\d|^(dhl )?(packstation|postfiliale|paketautomat|abholstation)\b|\b\d{3} (packstation|postfiliale)$`, "DE AT CH LI LU", true),
	newBox(`\b(paczkomat|zasilkovna|z-box|balikovna|alzabox|pakkeboks|pakkeautomat|paketautomat|pakettiautomaatti|smartpost|pakiautomaat|pastomat\pL*|pakomat\pL*|citypaq|parcel (locker|collect)|amazon locker|inpost locker|pickup station|foxpost|easybox)\b`, "", true),
	newBox(`\b(g ?)?p ?o ?box\b|\bpost office box\b|\bpostal box\b|\b(locked|private|po|mail) bag\b|\bp ?o b \d`, "", false),
	newBox(`\bpostfach\b`, "", false),
	newBox(`\bb ?p ?\d|\bboite postale\b|\bcase postale\b`, "FR GP MQ GF RE YT PM BL MF NC PF WF MC BE LU CH CA MA DZ TN SN CI BF ML NE TG BJ CM GA CG CD CF TD GN DJ KM MG BI RW MR HT LB", false),
	newBox(`\bcasella postale\b|\b(c ?p|case postale) \d`, "IT SM VA CH CA", false),
	newBox(`\bapartado( de)?( correos| postal| aereo)? (n[o°]? )?\d|\bapdo( de)?( correos| postal)? \d|\bcasilla( de correos?| postal)? \d|\bcaixa postal\b`, "ES AD PT BR AR BO CL CO CR CU DO EC GT HN MX NI PA PE PR PY SV UY VE AO MZ CV", false),
	newBox(`\b(postbus|antwoordnummer) \d`, "NL BE SR CW AW SX BQ", false),
	newBox(`\bpo?st ?boks\b|^boks \d|^(pl|pb) \d|\bpostilokero\b|\bpostlada\b`, "DK NO FI AX SJ GL FO", false),
	newBox(`^box \d`, "SE", false),
	newBox(`\bskr(ytka)? poczt(owa)?\b`, "PL", false),
	newBox(`\bpostovn[iy] (prihradka|priecinok)\b|\bpostafiok\b|\bpf \d|\bpostni predal\b|\bp ?p \d|\bcasuta postala\b|\ba/k \d|\ba/d \d|\bpostkast\b`, "CZ SK HU SI HR RS BA ME RO LV LT EE", false),
	newBox(`(^|[ ,])(а/я|пк|абонентск\pL+ ящик) ?\d`, "RU UA BY BG KZ KG MK", false),
	newBox(`(^|[ ,])(τ ?θ ?\d|ταχ\pL* θυριδα)`, "GR CY", false),
	newBox(`\bp ?k \d|\bposta kutusu\b`, "TR", false),
	newBox(`私書箱|信箱|사서함|(^|[ ,])(ต ?ปณ|ص ?ب ?[\d٠-٩]|ת"?ד ?\d)`, "JP CN TW HK KR TH EG SA AE JO IQ KW QA OM BH LB LY SD YE PS IL", false),
	newBox(`^(psc|cmr) \d+,? box \d|^unit \d+,? box \d`, "US", false),
	newBox(`\bbfpo \d`, "GB", false),
}
