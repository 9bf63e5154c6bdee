package cause

import (
	"iter"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What Normalise writes for what it replaces, and how it remembers bytes that are decided about.
const (
	hole   = "…"
	kept   = '\x01'
	folded = '\x02'
)

// text is a message. In marked each byte that is decided about is kept or folded.
type text struct {
	plain  string
	marked []byte
}

func (t *text) mark(from, to int, as byte) {
	for i := from; i < to; i++ {
		if t.marked[i] > folded {
			t.marked[i] = as
		}
	}
}

// each marks a group of each match of a pattern in what is not decided yet, if ok agrees. The
// arguments of ok are the text before the group, the group, and the text after it.
func (t *text) each(pattern *regexp.Regexp, group int, as byte, ok func(before, match, after string) bool) {
	current := string(t.marked)
	for _, at := range pattern.FindAllStringSubmatchIndex(current, -1) {
		from, to := at[2*group], at[2*group+1]
		if from >= 0 && (ok == nil || ok(current[:from], current[from:to], current[to:])) {
			t.mark(from, to, as)
		}
	}
}

var (
	holes    = regexp.MustCompile(`…(?:[\p{P}\p{Z}\p{Sc}]*…)+`)
	signs    = regexp.MustCompile(`(?:[+±−*•-]|(?:\b[A-Z]{1,2})?\p{Sc})* ?…(?:,-)?(?: ?(?:%|‰|٪|\p{Sc}|ر\.س|د\.إ|ج\.م))*`)
	before   = regexp.MustCompile(`[\p{L}\p{M}]+\.? ?…`)
	behind   = regexp.MustCompile(`… ?[\p{L}\p{M}]+`)
	period   = regexp.MustCompile(`…\.([ ,;:)]|$)`)
	brackets = regexp.MustCompile(`\(…\)|\[…\]|\{…\}`)
	marks    = regexp.MustCompile("'…'|`…`|«…»|‹…›|「…」|『…』|《…》|〈…〉|“…[”“]|„…[“”]|‘…’|‚…[‘’]")
	dated    = regexp.MustCompile(`([\p{L}\p{M}]+[.,]{0,2} )?(?:…[., /-]{0,2}(?:de |of )?)?([\p{L}\p{M}]+)(?:\.?,?[ /-]|,? de )…`)
	eastern  = regexp.MustCompile(`…년 ?…월(?: ?…일)?|…年…月(?:…日)?|…月…日`)
	zones    = regexp.MustCompile(`… ?(?:AM|PM|am|pm|a\.m\.|p\.m\.|UTC|GMT|BST|CES?T|EES?T|WES?T|[ECMP][SD]T|MSK|JST|IST)\b`)
)

// String is the text with holes where it is folded. An amount loses its currency, too.
func (t *text) String() string {
	var b strings.Builder
	open := false
	for i := range len(t.plain) {
		if t.marked[i] != folded {
			b.WriteByte(t.plain[i])
		} else if !open {
			b.WriteString(hole)
		}
		open = t.marked[i] == folded
	}
	out := eastern.ReplaceAllLiteralString(brackets.ReplaceAllLiteralString(b.String(), hole), hole)
	out = dated.ReplaceAllStringFunc(out, foldDate)
	out = zones.ReplaceAllLiteralString(out, hole)
	for _, p := range []*regexp.Regexp{before, behind} {
		out = p.ReplaceAllStringFunc(out, foldUnit)
	}
	out = holes.ReplaceAllLiteralString(signs.ReplaceAllStringFunc(out, func(match string) string {
		if strings.HasPrefix(match, " ") {
			return " " + hole
		}
		return hole
	}), hole)
	out = marks.ReplaceAllLiteralString(out, `"`+hole+`"`)
	return period.ReplaceAllString(out, hole+"$1")
}

// foldDate is a date with the name of a month, or of a day of the week.
func foldDate(match string) string {
	part := dated.FindStringSubmatch(match)
	switch first := strings.ToLower(strings.Trim(part[1], " .,")); {
	case !among(dateWords, strings.ToLower(part[2])):
		return match
	case among(dateWords, first):
		return hole
	}
	return part[1] + hole
}

// foldUnit is an amount without its currency, and a duration without its unit. Another unit is written
// in the plural.
func foldUnit(match string) string {
	switch word := strings.ToLower(strings.Trim(match, " .…")); {
	case among(currencies, word), strings.HasPrefix(match, hole) && among(durations, word):
		return hole
	case strings.HasPrefix(match, hole) && among(units, word+"s"):
		return match + "s"
	}
	return match
}

// alnum reports whether a rune belongs to a word.
func alnum(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number)
}

// spaceless are the scripts that write words without spaces.
func spaceless(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// among reports whether a list has a word. Each word of a list has a space on both sides.
func among(list, word string) bool { return word != "" && strings.Contains(list, " "+word+" ") }

// listed are the words of a list.
func listed(list string) iter.Seq[string] { return strings.FieldsSeq(list) }

// anyOf reports whether a comparison holds for a name and one word of a list.
func anyOf(list, name string, holds func(name, word string) bool) bool {
	for word := range listed(list) {
		if holds(name, word) {
			return true
		}
	}
	return false
}
