// Package cause groups dead letters by cause: by what failed, without what differs from order to
// order.
//
// The ID of a group is a hash of the dead-letter topic, the step, the reason and the normalised
// message. It is the same in every instance and after every restart. Normalise replaces with "…" what
// is about one order, and keeps what tells causes apart, by these rules, in this sequence:
//
//  1. The message is put into Unicode's form NFKC, and white space is one space.
//  2. Values of the order itself (see Known) are replaced wherever they are, in any script, in any
//     case, with or without accents, and with other spaces or punctuation between their words.
//  3. Codes stay: replies of mail servers ("550 5.1.1"), status codes of HTTP, codes after a word such
//     as "status", "code" or "error" in many languages, "ORA-00942", and places in files ("mail.txt:3:5").
//  4. E-mail addresses and the queries of URLs are replaced.
//  5. Quoted text is replaced, also in angle brackets, unless it contains a code, is a URL, a JSON
//     pointer or a field of a template, or is the name after a word such as "field" or "column".
//  6. Every word with a digit of any script is replaced: numbers, times, amounts with their currency,
//     IDs, UUIDs, addresses of computers. Scripts that write words without spaces lose only the digits.
//  7. Replaced parts with nothing but punctuation between them are one.
//
// A message that was cut at the end loses that end. A name that is not the order's own, not quoted and
// without digits cannot be told from other words, and stays.
package cause

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// ID returns the ID of the group of a cause: "cause_" and 16 lower-case letters and digits. The topic
// is the dead-letter topic of another program, or empty.
func ID(topic, step, reason, text string) string {
	h := sha256.New()
	for _, part := range []string{topic, step, reason, text} {
		// The length before each part separates it from its neighbours.
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return "cause_" + strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:10]))
}

// What Normalise writes for what it replaces, and how it remembers bytes that are decided about.
const (
	hole   = "…"
	kept   = '\x01'
	folded = '\x02'
)

// Lengths of a message that was cut, as package dlq cuts it, and of what is left of it: where the cut
// is depends on what is replaced before it.
const (
	cutBytes = 480
	cutRunes = 120
)

// Normalise returns a message without what is about one order. The same message always has the same
// result, whatever its bytes are, and the result of a result is itself.
func Normalise(message string, known Known) string {
	wasCut := len(message) > cutBytes && strings.HasSuffix(message, hole)
	plain := strings.Join(strings.Fields(strings.Map(printable, norm.NFKC.String(strings.ToValidUTF8(message, "\uFFFD")))), " ")
	plain = strings.ReplaceAll(plain, "...", hole) // NFKC has written it out
	t := text{plain, []byte(plain)}
	known.fold(&t)
	t.keepCodes()
	t.foldPatterns()
	out := t.String()
	if runes := []rune(out); wasCut && len(runes) > cutRunes {
		out = strings.TrimRight(string(runes[:cutRunes]), " ") + hole
	}
	return out
}

// printable replaces control characters, which text uses for what is decided.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

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
			if currencies[strings.ToLower(strings.Trim(match, " .…"))] {
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
