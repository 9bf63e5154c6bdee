package cause

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Known are the values of the record that failed, which differ from order to order. The zero value
// has none.
type Known struct{ values []value }

// value is a text that is looked for.
type value struct {
	compact string // as compact writes it
	code    string // if not empty, the text in this case only, as of a country
	word    bool   // one word: it can also be a word that messages consist of
	domain  bool   // of an e-mail address; not a part of a longer name
}

// maxValues is how many values of one record are looked for.
const maxValues = 500

// Of returns the values of a record by its key and value. All text in a JSON value counts, whatever
// the schema, but constants such as a currency do not. A value that is not JSON has none.
func Of(key, record []byte) Known {
	var k Known
	k.whole(string(key))
	var all any
	if json.Unmarshal(record, &all) == nil {
		k.walk("", all)
	}
	return k
}

func (k *Known) walk(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			k.walk(strings.ToLower(name), v)
		}
	case []any:
		for _, v := range v {
			k.walk(name, v)
		}
	case string:
		k.field(name, v)
	}
}

// constant matches a text that programs choose from a list.
var constant = regexp.MustCompile(`^(?:[a-z][a-z_-]*|[A-Z][A-Z_]*)$`)

// field adds the text of a field.
func (k *Known) field(name, text string) {
	switch bare := strings.ReplaceAll(strings.ReplaceAll(name, "_", ""), "-", ""); {
	case among(constantFields, bare):
	case among(codeFields, bare):
		k.values = append(k.values, value{code: norm.NFKC.String(text)})
	case strings.Contains(text, "@"):
		k.address(text)
	case anyOf(nameFields, bare, strings.HasSuffix):
		k.whole(text)
		for _, part := range strings.Fields(text) {
			k.whole(part)
			for _, word := range strings.FieldsFunc(part, func(r rune) bool { return !alnum(r) }) {
				k.word(word)
			}
		}
	case anyOf(addressFields, bare, strings.HasPrefix):
		k.whole(text)
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsNumber(r) || strings.ContainsRune(",;/()、，،", r) }) {
			k.whole(part)
		}
	case !constant.MatchString(text) || among(dataFields, bare):
		k.whole(text)
	}
}

// address adds an e-mail address and its parts.
func (k *Known) address(text string) {
	k.whole(text)
	at := strings.LastIndexByte(text, '@')
	k.whole(text[:at])
	for _, word := range strings.FieldsFunc(text[:at], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		k.word(word)
	}
	if domain := compact(text[at+1:]).text; strings.Contains(text[at+1:], ".") {
		k.add(value{compact: domain, domain: true})
	}
}

// whole adds a text, which is one word or several.
func (k *Known) whole(text string) {
	if strings.ContainsFunc(strings.TrimFunc(text, func(r rune) bool { return !alnum(r) }), func(r rune) bool { return !alnum(r) }) {
		k.add(value{compact: compact(text).text})
		return
	}
	k.word(text)
}

func (k *Known) word(text string) { k.add(value{compact: compact(text).text, word: true}) }

func (k *Known) add(v value) {
	if utf8.RuneCountInString(v.compact) >= 2 && len(k.values) < maxValues {
		k.values = append(k.values, v)
	}
}

// fold marks the values in a text.
func (k Known) fold(t *text) {
	in := compact(t.plain)
	for _, v := range k.values {
		if v.code != "" {
			t.each(regexp.MustCompile(`\b`+regexp.QuoteMeta(v.code)+`\b`), 0, folded, func(string, string, string) bool {
				return !among(reserved, strings.ToLower(v.code))
			})
			continue
		}
		for from := 0; ; {
			i := strings.Index(in.text[from:], v.compact)
			if i < 0 {
				break
			}
			i += from
			if first, last := in.at[i], in.at[i+len(v.compact)-1]; in.fits(t.plain, v, i) {
				t.mark(first.from, last.to, folded)
			}
			from = i + 1
		}
	}
}

// compacted is a text without case, accents, spaces and punctuation, and where each of its bytes is
// from.
type compacted struct {
	text string
	at   []span
}

// span is a rune of the original text.
type span struct{ from, to int }

// letters writes out letters that have no decomposition and are often written so.
var letters = map[string]string{"ς": "σ", "ß": "ss", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ـ": ""}

func compact(s string) (c compacted) {
	b := make([]byte, 0, len(s))
	for from, r := range s {
		size := utf8.RuneLen(r)
		switch {
		case r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9'):
			b = append(b, byte(r))
		case r >= 'A' && r <= 'Z':
			b = append(b, byte(r-'A'+'a'))
		case r < utf8.RuneSelf || !alnum(r):
			continue
		default:
			b = append(b, plainLetter(r)...)
		}
		for len(c.at) < len(b) {
			c.at = append(c.at, span{from, from + size})
		}
	}
	c.text = string(b)
	return c
}

// plainLetter is a letter in lower case and without accents. Marks of their own script, as in
// Devanagari and Thai, are vowels and not accents.
func plainLetter(r rune) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) && unicode.Is(unicode.Inherited, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(strings.ToLower(string(r))))
	if written, ok := letters[plain]; ok {
		return written
	}
	return plain
}

// maxGap is how many bytes may separate two letters of a value.
const maxGap = 4

// fits reports whether the value that was found at a byte of a compacted text is not only a part of
// other words there.
func (c compacted) fits(plain string, v value, i int) bool {
	end := i + len(v.compact) - 1
	first, last := c.at[i], c.at[end]
	for j := i; j < end; j++ {
		if c.at[j+1].from-c.at[j].to > maxGap {
			return false
		}
	}
	if i > 0 && c.at[i-1] == first || end+1 < len(c.at) && c.at[end+1] == last {
		return false // it begins or ends within a letter that is written as two
	}
	before, match, after := plain[:first.from], plain[first.from:last.to], plain[last.to:]
	if v.domain && strings.HasSuffix(before, ".") {
		return false
	}
	if v.word && !ownWord(match) {
		return false
	}
	return beginsWord(before, match) && endsWord(match, after)
}

// ownWord reports whether a match is one word, of which messages do not consist.
func ownWord(match string) bool {
	return !among(reserved, strings.ToLower(match)) && !strings.ContainsFunc(match, func(r rune) bool { return !alnum(r) })
}

// beginsWord reports whether a match begins a word. Arabic writes prepositions and the article
// without a space.
func beginsWord(before, match string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(match)
	if before == "" || !alnum(last) || spaceless(first) || spaceless(last) {
		return true
	}
	const longest = 3 * 2 // bytes of a prefix
	near := before[max(0, len(before)-longest-1):]
	return unicode.Is(unicode.Arabic, first) && among(arabicPrefixes, near[len(strings.TrimRightFunc(near, alnum)):])
}

// endsWord reports whether a match ends a word. Korean writes particles without a space.
func endsWord(match, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(match)
	next, _ := utf8.DecodeRuneInString(after)
	return after == "" || !alnum(next) || spaceless(last) || unicode.Is(unicode.Hangul, last) || spaceless(next)
}
