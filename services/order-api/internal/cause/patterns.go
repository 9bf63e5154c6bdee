package cause

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Codes that stay. What is decided already is one of the control characters.
var (
	reply    = regexp.MustCompile(`\b[2-5][0-9]{2}[ -](?:#)?[245]\.[0-7]\.[0-9]{1,3}\b`)
	enhanced = regexp.MustCompile(`\b[245]\.[0-7]\.[0-9]{1,3}\b`)
	leading  = regexp.MustCompile(`(?:^|[:>"'(\[«„“] ?|…)([1-5][0-9]{2})(?:[ -][\p{L}<("'«„“‘「\x02]|$)`)
	answer   = regexp.MustCompile(`(?i)\bHTTP/[0-9](?:\.[0-9])? [1-5][0-9]{2}\b`)
	phrased  = regexp.MustCompile(`\b[1-5][0-9]{2}\b`)
	place    = regexp.MustCompile(`[A-Za-z_$/-]+(?:\.[A-Za-z_$-]+)*\.[A-Za-z]{1,6}:[0-9]+(?::[0-9]+)?\b`)
	named    = regexp.MustCompile(`(?i)\b(?:` + codePrefixes + `)[-_#]?[0-9]{2,6}\b`)
	versions = regexp.MustCompile(`(?i)\b(?:x509|HTTP/[0-9](?:\.[0-9])?|(?:TLS|SSL) ?v?[0-9](?:\.[0-9])?|UTF-?(?:8|16|32)|SHA-?(?:1|256|384|512)|IPv[46]|base64|RFC ?[0-9]{3,4}|ISO-8859-[0-9]{1,2})\b`)
	after    = regexp.MustCompile(`[\p{L}\p{M}](?:[ :=#\[(_.-]{1,3}|)((?:0x[0-9A-Fa-f]{1,8}|[A-Z]{0,6}[-_]?[0-9]{1,6}))(?:[^\p{L}\p{N}]|$)`)
)

// keepCodes marks what tells causes apart.
func (t *text) keepCodes() {
	if !strings.ContainsAny(t.plain, "0123456789") {
		return
	}
	for _, p := range []*regexp.Regexp{answer, versions, place} {
		t.each(p, 0, kept, nil)
	}
	t.each(named, 0, kept, func(before, _, _ string) bool { return !otherCode(before) })
	for _, p := range []*regexp.Regexp{reply, enhanced} {
		t.each(p, 0, kept, func(before, _, after string) bool {
			version := p == enhanced && endsIn(strings.TrimRight(before, " "), unicode.IsLetter, '_') && !codeWord(before)
			return !version && !endsIn(before, unicode.IsDigit, '.') && !(len(after) > 1 && after[0] == '.' && after[1] >= '0' && after[1] <= '9')
		})
	}
	t.each(leading, 1, kept, func(_, _, after string) bool { return !unit(after) })
	t.each(phrased, 0, kept, func(_, code, after string) bool {
		n, _ := strconv.Atoi(code)
		phrase := http.StatusText(n)
		return phrase != "" && len(after) > len(phrase) && strings.EqualFold(after[1:1+len(phrase)], phrase)
	})
	t.each(after, 1, kept, func(before, _, _ string) bool { return codeWord(before) })
}

func endsIn(text string, is func(rune) bool, or rune) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && (is(last) || last == or)
}

// unit reports whether a text begins with a unit of measurement, so that what is before it is an
// amount and not a code.
func unit(text string) bool {
	word := strings.TrimLeft(text, " -")
	end := strings.IndexFunc(word, func(r rune) bool { return !alnum(r) })
	if end >= 0 {
		word = word[:end]
	}
	return among(units, strings.ToLower(word))
}

// around are what may be between a word and its code.
const around = " :=#[(_.-"

// codeWord reports whether a text ends with a word after which a code follows. After a word such as
// "error" a colon begins the message.
func codeWord(before string) bool {
	bare := strings.TrimRight(before, around)
	if endsWith(bare, codeWords) {
		return !otherCode(before)
	}
	return endsWith(bare, errorWords) && !strings.ContainsAny(before[len(bare):], ":=")
}

// otherCode reports whether a text ends with the name of a code that is not one of a cause, such as a
// postal code.
func otherCode(before string) bool {
	bare := strings.TrimRight(before, around)
	for w := range listed(codeWords) {
		if rest, ok := cutWord(bare, w); ok {
			return endsWith(strings.TrimRight(rest, " -_"), otherCodes)
		}
	}
	return endsWith(bare, otherWords)
}

// endsWith reports whether a text ends with one of some words, in any case.
func endsWith(text, words string) bool {
	return anyOf(words, text, func(text, w string) bool {
		_, ok := cutWord(text, w)
		return ok
	})
}

// cutWord cuts a word off the end of a text, in any case.
func cutWord(text, word string) (rest string, ok bool) {
	if len(text) < len(word) || !strings.EqualFold(text[len(text)-len(word):], word) {
		return "", false
	}
	rest = text[:len(text)-len(word)]
	first, _ := utf8.DecodeRuneInString(word)
	return rest, rest == "" || spaceless(first) || !endsIn(rest, alnum, 'a')
}

// What is replaced.
var (
	address = regexp.MustCompile(`[^\s<>@"'«»„“”]+@[^\s<>@"'«»„“”:;,]+`)
	query   = regexp.MustCompile(`[a-z][a-z0-9+]*://[^\s"'<>?]*(\?[^\s"'<>]*)`)
	token   = regexp.MustCompile(`\b[a-z]{2,8}_[a-z0-9]{20,}\b`)
	hex     = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64})\b`)
	ipv6    = regexp.MustCompile(`(?i)\[?\b[0-9a-f]{0,4}:(?:[0-9a-f]{0,4}:){1,6}[0-9a-f]{0,4}\b\]?`)
)

// quotes are the pairs of quotation marks, by those that open. They are compiled at their first use, which
// takes several milliseconds.
var quotes = sync.OnceValue(func() []quotation {
	return []quotation{
		{`"`, regexp.MustCompile(`"((?:[^"\\]|\\.){0,300})"`)},
		{"`", regexp.MustCompile("`([^`]{0,300})`")},
		{"«‹「『《〈", regexp.MustCompile(`«([^»]{0,300})»|‹([^›]{0,300})›|「([^」]{0,300})」|『([^』]{0,300})』|《([^》]{0,300})》|〈([^〉]{0,300})〉`)},
		{"“„‘‚", regexp.MustCompile(`“([^”“]{0,300})[”“]|„([^“”]{0,300})[“”]|‘([^’]{0,300})’|‚([^‘’]{0,300})[‘’]`)},
		{"'", regexp.MustCompile(`(?:^|[^\p{L}\p{N}])'((?:[^']|[\p{L}]'[\p{L}]){0,300})'(?:$|[^\p{L}\p{N}])`)},
		{"<", regexp.MustCompile(`<([^<>]{1,300})>`)},
	}
})

type quotation struct {
	open string
	pair *regexp.Regexp
}

func (t *text) foldPatterns() {
	if strings.Contains(t.plain, "@") {
		t.each(address, 0, folded, nil)
	}
	if strings.Contains(t.plain, "://") {
		t.each(query, 1, folded, nil)
	}
	for _, mark := range quotes() {
		if !strings.ContainsAny(t.plain, mark.open) {
			continue
		}
		q := mark.pair
		for group := 1; group <= q.NumSubexp(); group++ {
			t.each(q, group, folded, t.quoted)
		}
	}
	for _, p := range []*regexp.Regexp{token, hex, ipv6} {
		t.each(p, 0, folded, nil)
	}
	t.foldNumbers()
}

// foldNumbers marks every word with a digit, with what belongs to it: a decimal point, the parts of an
// ID or of the name of a computer.
func (t *text) foldNumbers() {
	for at, r := range t.plain {
		if unicode.IsNumber(r) && t.marked[at] > folded {
			from, to := at-t.wordBefore(at), at+t.wordAfter(at)
			for to < len(t.plain) {
				next, size := utf8.DecodeRuneInString(t.plain[to:])
				word := t.wordAfter(to + size)
				if word == 0 || !joins(next, t.plain[to+size:to+size+word]) {
					break
				}
				to += size + word
			}
			for from > 0 && strings.IndexByte("-_.", t.plain[from-1]) >= 0 && t.wordBefore(from-1) > 0 {
				from -= 1 + t.wordBefore(from-1)
			}
			t.mark(from, to, folded)
		}
	}
}

// wordAfter is how many bytes a word at a place has, in a script whose letters are written with digits.
func (t *text) wordAfter(at int) (n int) {
	for at+n < len(t.plain) && t.marked[at+n] > folded {
		r, size := utf8.DecodeRuneInString(t.plain[at+n:])
		if !withDigits(r) {
			break
		}
		n += size
	}
	return n
}

// wordBefore is how many bytes a word before a place has.
func (t *text) wordBefore(at int) (n int) {
	for n < at && t.marked[at-n-1] > folded {
		r, size := utf8.DecodeLastRuneInString(t.plain[:at-n])
		if !withDigits(r) {
			break
		}
		n += size
	}
	return n
}

func withDigits(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || alnum(r)
	}
	return unicode.IsNumber(r) || unicode.In(r, unicode.Latin, unicode.Cyrillic, unicode.Greek)
}

// joins reports whether a rune after a word with a digit joins the next word to it.
func joins(r rune, word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	switch r {
	case ',', ':', '\'', '’', '٫', '٬':
		return unicode.IsNumber(first)
	case '.':
		return unicode.IsNumber(first) || len(word) > 1 && first < utf8.RuneSelf && (word == strings.ToLower(word) || word == strings.ToUpper(word))
	case '-', '+', '/', '@':
		return strings.ContainsFunc(word, unicode.IsNumber)
	}
	return false
}

// identifier matches a name of a program.
var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z_$./()-]*$`)

// quoted reports whether a quoted text is data, and not a part of the program.
func (t *text) quoted(before, text, _ string) bool {
	switch {
	case text == "" || strings.ContainsRune(text, kept) || strings.Contains(text, "://"):
		return false
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") || strings.HasPrefix(text, "$") || text == "nil" || text == "null":
		return strings.ContainsAny(text, " ")
	case !identifier.MatchString(text):
		return true
	}
	words := strings.FieldsFunc(strings.ToLower(before), func(r rune) bool { return !alnum(r) })
	return len(words) == 0 || !among(identifierWords, words[len(words)-1])
}
