package shared_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// idea is a reserved word of the glossary in ARCHITECTURE.md, and other phrases for the same idea,
// which are not used.
type idea struct {
	word string
	not  string // phrases, separated by commas
}

func ideas() []idea {
	return []idea{
		{"dead letter", "open letter, bury, buries, buried"},
		{"replay", "send back, sends back, sent back, send it back, sent again by an operator"},
		{"in flight", "in hand"},
		{"assigned", "partition comes, partitions come, partition is taken"},
		{"revoked", "partition goes, partitions go, let go, lets go"},
		{"claim", "ownership mark"},
		{"stale", "void state, void states, counts for nobody"},
		{"void", "gap number"},
		{"uncertain", "nobody can know, in doubt"},
		{"blocked", "partition is held, partitions are held, held partition"},
		{"waiting", "put off, puts off"},
		{"retrying", "tried again later"},
		{"circuit breaker", "let out at a ramp"},
		{"backpressure", "overload is an age"},
		{"read model", "what the topics add up to"},
		{"commit watermark", "what stands below"},
		{"", "nobody, whoever, anew, stands in, beside, goes by, called off, calls off, says so, hears of"},
	}
}

// glossaryKept: one word for one idea, in both directions. Code and documents use no other phrase
// for a reserved word, and the glossary has each reserved word and no word that is not used.
func glossaryKept(h *house) (complaints []string) {
	texts := map[string]string{}
	maps.Copy(texts, h.texts)
	maps.Copy(texts, h.docs)
	delete(texts, "CHANGELOG.md")
	for _, u := range h.units {
		for _, s := range u.production() {
			texts[s.path] = s.text
		}
	}
	for _, i := range ideas() {
		complaints = append(complaints, otherPhrases(texts, i)...)
	}
	words := glossary(h.docs["ARCHITECTURE.md"])
	for _, i := range ideas() {
		if i.word != "" && !slices.Contains(words, i.word) {
			complaints = append(complaints, fmt.Sprintf("the glossary has no entry %q", i.word))
		}
	}
	for _, word := range words {
		used := regexp.MustCompile(`(?i)\b` + strings.ReplaceAll(regexp.QuoteMeta(word), " ", `[\s/_-]*`))
		if !slices.ContainsFunc(keys(texts), func(file string) bool { return strings.HasSuffix(file, ".go") && used.MatchString(texts[file]) }) {
			complaints = append(complaints, fmt.Sprintf("the glossary explains %q, which no code uses", word))
		}
	}
	return complaints
}

// otherPhrases finds the phrases that the idea is not called.
func otherPhrases(texts map[string]string, i idea) (complaints []string) {
	instead := ""
	if i.word != "" {
		instead = fmt.Sprintf(", write %q", i.word)
	}
	for phrase := range strings.SplitSeq(i.not, ", ") {
		// A comment may break the line inside the phrase.
		not := regexp.MustCompile(`(?i)\b` + strings.ReplaceAll(phrase, " ", `\s+(?://\s*)?`) + `\b`)
		for _, file := range keys(texts) {
			place := not.FindStringIndex(texts[file])
			if place == nil {
				continue
			}
			line := strings.Count(texts[file][:place[0]], "\n") + 1
			complaints = append(complaints, fmt.Sprintf("%s:%d: %q%s", file, line, phrase, instead))
		}
	}
	return complaints
}

// glossary returns the words of the first column of the glossary.
func glossary(architecture string) (words []string) {
	_, text, _ := strings.Cut(architecture, "\n## Glossary\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if first, ok := strings.CutPrefix(line, "| "); ok && !strings.HasPrefix(first, "our word") && !strings.HasPrefix(first, "---") {
			column, _, _ := strings.Cut(first, " |")
			words = append(words, strings.Split(column, ", ")...)
		}
	}
	return words
}
