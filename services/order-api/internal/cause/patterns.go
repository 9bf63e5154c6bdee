package cause

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Codes that stay. What is decided already is one of the control characters.
var (
	reply    = regexp.MustCompile(`\b[2-5][0-9]{2}[ -](?:#)?[245]\.[0-7]\.[0-9]{1,3}\b`)
	enhanced = regexp.MustCompile(`\b[245]\.[0-7]\.[0-9]{1,3}\b`)
	leading  = regexp.MustCompile(`(?:^|[:>"'(\[«„“] ?|…)([1-5][0-9]{2})[ -](?:[\p{L}<("'«„“‘「\x02]|$)`)
	answer   = regexp.MustCompile(`(?i)\bHTTP/[0-9](?:\.[0-9])? [1-5][0-9]{2}\b`)
	phrased  = regexp.MustCompile(`\b[1-5][0-9]{2}\b`)
	place    = regexp.MustCompile(`[A-Za-z_$/-]+(?:\.[A-Za-z_$-]+)*\.[A-Za-z]{1,6}:[0-9]+(?::[0-9]+)?\b`)
	named    = regexp.MustCompile(`(?i)\b(?:` + codePrefixes + `)[-_#]?[0-9]{2,6}\b`)
	versions = regexp.MustCompile(`(?i)\b(?:x509|HTTP/[0-9](?:\.[0-9])?|(?:TLS|SSL) ?v?[0-9](?:\.[0-9])?|UTF-?(?:8|16|32)|SHA-?(?:1|256|384|512)|IPv[46]|base64|RFC ?[0-9]{3,4}|ISO-8859-[0-9]{1,2})\b`)
	after    = regexp.MustCompile(`[\p{L}\p{M}](?:[ :=#\[(_.-]{1,3}|)((?:0x[0-9A-Fa-f]{1,8}|[A-Z]{0,6}[-_]?[0-9]{1,6}))(?:[^\p{L}\p{N}]|$)`)
)

// keepCodes marks what tells causes apart.
func (t *text) keepCodes() {
	for _, p := range []*regexp.Regexp{answer, versions, place} {
		t.each(p, 0, kept, nil)
	}
	t.each(named, 0, kept, func(before, _, _ string) bool { return !otherCode(before) })
	for _, p := range []*regexp.Regexp{reply, enhanced} {
		t.each(p, 0, kept, func(before, _, after string) bool {
			return !endsIn(before, unicode.IsDigit, '.') && !(len(after) > 1 && after[0] == '.' && after[1] >= '0' && after[1] <= '9')
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
	runes := []rune(text)
	return len(runes) > 0 && (is(runes[len(runes)-1]) || runes[len(runes)-1] == or)
}

// unit reports whether a text begins with a unit of measurement, so that what is before it is an
// amount and not a code.
func unit(text string) bool {
	word := strings.TrimLeft(text, " -")
	end := strings.IndexFunc(word, func(r rune) bool { return !alnum(r) })
	if end >= 0 {
		word = word[:end]
	}
	return units[strings.ToLower(word)]
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
	for _, w := range listed(codeWords) {
		if rest, ok := cutWord(bare, w); ok {
			return endsWith(strings.TrimRight(rest, " -_"), otherCodes)
		}
	}
	return endsWith(bare, "postcode zipcode")
}

// endsWith reports whether a text ends with one of some words, in any case.
func endsWith(text, words string) bool {
	return slices.ContainsFunc(listed(words), func(w string) bool {
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
	return rest, rest == "" || spaceless([]rune(word)[0]) || !endsIn(rest, alnum, 'a')
}

const (
	wordPart = `\p{Latin}\p{Cyrillic}\p{Greek}\p{N}_`
	digits   = `\p{N}[` + wordPart + `]*(?:[.,:'’٫٬][\p{N}]+|[-+_/.@][` + wordPart + `]*\p{N}[` + wordPart + `]*|\.[a-z]{2,}\b)*`
)

// What is replaced.
var (
	address = regexp.MustCompile(`[^\s<>@"'«»„“”]+@[^\s<>@"'«»„“”:;,]+`)
	query   = regexp.MustCompile(`[a-z][a-z0-9+]*://[^\s"'<>?]*(\?[^\s"'<>]*)`)
	token   = regexp.MustCompile(`\b[a-z]{2,8}_[a-z0-9]{20,}\b`)
	hex     = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64})\b`)
	number  = regexp.MustCompile(`(?:[` + wordPart + `]+[-_.])*[` + wordPart + `]*?` + digits)
	ipv6    = regexp.MustCompile(`(?i)\[?\b[0-9a-f]{0,4}:(?:[0-9a-f]{0,4}:){1,6}[0-9a-f]{0,4}\b\]?`)
)

// quotes are the pairs of quotation marks.
var quotes = []*regexp.Regexp{
	regexp.MustCompile(`"((?:[^"\\]|\\.){0,300})"`),
	regexp.MustCompile("`([^`]{0,300})`"),
	regexp.MustCompile(`«([^»]{0,300})»|‹([^›]{0,300})›|「([^」]{0,300})」|『([^』]{0,300})』|《([^》]{0,300})》|〈([^〉]{0,300})〉`),
	regexp.MustCompile(`“([^”“]{0,300})[”“]|„([^“”]{0,300})[“”]|‘([^’]{0,300})’|‚([^‘’]{0,300})[‘’]`),
	regexp.MustCompile(`(?:^|[^\p{L}\p{N}])'((?:[^']|[\p{L}]'[\p{L}]){0,300})'(?:$|[^\p{L}\p{N}])`),
	regexp.MustCompile(`<([^<>]{1,300})>`),
}

func (t *text) foldPatterns() {
	t.each(address, 0, folded, nil)
	t.each(query, 1, folded, nil)
	for _, q := range quotes {
		for group := 1; group <= q.NumSubexp(); group++ {
			t.each(q, group, folded, t.quoted)
		}
	}
	for _, p := range []*regexp.Regexp{token, hex, ipv6, number} {
		t.each(p, 0, folded, nil)
	}
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
	return len(words) == 0 || !identifierWords[words[len(words)-1]]
}
