package cause_test

import (
	"os"
	"strings"
	"testing"

	"example.com/orders/services/order-api/internal/cause"
)

// TestMessagesOfStrangersAreGroupedByCause has messages of many programs.
func TestMessagesOfStrangersAreGroupedByCause(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{} // the first message of each cause by text
	for block := range strings.SplitSeq(string(file), "\n\n") {
		var first string
		texts := map[string]string{}
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
				continue
			}
			if first == "" {
				first = line
			}
			text := cause.Normalise(line, cause.Known{})
			texts[text] = line
			if again := cause.Normalise(text, cause.Known{}); again != text {
				t.Errorf("%q: normalised again: got %q, want %q", line, again, text)
			}
		}
		if len(texts) > 1 {
			t.Errorf("got %d groups, want 1:", len(texts))
		}
		for text, line := range texts {
			if len(texts) > 1 {
				t.Errorf("\t%q\n\t  of %q", text, line)
			}
			if other, known := of[text]; known {
				t.Errorf("got one group %q for\n\t%s\n\t%s", text, line, other)
			}
			of[text] = first
		}
	}
}
