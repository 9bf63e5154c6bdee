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
//  3. Codes stay: replies of mail servers ("550 5.1.1", but not "version 5.1.1"), status codes of HTTP, codes after a word such
//     as "status", "code" or "error" in many languages, "ORA-00942", and places in files ("mail.txt:3:5").
//  4. E-mail addresses and the queries of URLs are replaced.
//  5. Quoted text is replaced, also in angle brackets, unless it contains a code, is a URL, a JSON
//     pointer or a field of a template, or is the name after a word such as "field" or "column".
//  6. Every word with a digit of any script is replaced: numbers, times, amounts with their currency,
//     IDs, UUIDs, addresses of computers. Scripts that write words without spaces lose only the digits.
//  7. Dates lose the names of months, days and time zones, durations their unit, and other amounts have
//     their unit in the plural. Brackets around a replaced part go with it, and quotes of any kind become
//     one: some programs choose them by the text.
//  8. Replaced parts with nothing but punctuation between them are one.
//
// A message that was cut at the end loses that end. A name that is not the order's own, not quoted and
// without digits cannot be told from other words, and stays.
package cause

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"unicode"

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

// Lengths in bytes: of a message that package dlq may have cut, and of how much of any is read. Of a
// message that was cut the text has a rune for each four bytes: where the cut is depends on what is
// replaced before it.
const (
	cutBytes  = 480
	mostBytes = 2_000
)

// Normalise returns a message without what is about one order. The same message always has the same
// result, whatever its bytes are. It reads the first 2,000 bytes.
func Normalise(message string, known Known) string {
	wasCut := len(message) > mostBytes || len(message) > cutBytes && strings.HasSuffix(message, hole)
	message = message[:min(len(message), mostBytes)]
	most := len(message) / 4
	plain := strings.Join(strings.Fields(strings.Map(printable, norm.NFKC.String(strings.ToValidUTF8(message, "\uFFFD")))), " ")
	plain = strings.ReplaceAll(plain, "...", hole) // NFKC has written it out
	t := text{plain, []byte(plain)}
	known.fold(&t)
	t.keepCodes()
	t.foldPatterns()
	out := t.String()
	if runes := []rune(out); wasCut && len(runes) > most {
		out = strings.TrimRight(string(runes[:most]), " ") + hole
	}
	return out
}

// printable replaces control characters, which text uses for what is decided, and removes those
// without a width, which some programs put around names of another direction.
func printable(r rune) rune {
	switch {
	case unicode.Is(unicode.Cf, r):
		return -1
	case r < ' ' || r == 0x7f:
		return ' '
	}
	return r
}
