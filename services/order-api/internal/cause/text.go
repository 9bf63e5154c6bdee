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
	holes  = regexp.MustCompile(`…(?:[\p{P}\p{Z}\p{Sc}]*…)+`)
	signs  = regexp.MustCompile(`(?:[+±−-]|\p{Sc})* ?…(?: ?(?:%|‰|\p{Sc}))*`)
	before = regexp.MustCompile(`[\p{L}\p{M}]+\.? ?…`)
	behind = regexp.MustCompile(`… ?[\p{L}\p{M}]+`)
	period = regexp.MustCompile(`…\.([ ,;:)]|$)`)
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
	out := b.String()
	for _, p := range []*regexp.Regexp{before, behind} {
		out = p.ReplaceAllStringFunc(out, func(match string) string {
			if among(currencies, strings.ToLower(strings.Trim(match, " .…"))) {
				return hole
			}
			return match
		})
	}
	out = holes.ReplaceAllLiteralString(signs.ReplaceAllStringFunc(out, func(match string) string {
		if strings.HasPrefix(match, " ") {
			return " " + hole
		}
		return hole
	}), hole)
	return period.ReplaceAllString(out, hole+"$1")
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
