package email_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var definition = regexp.MustCompile("\\{\\{-? ?define \"([a-z-]+)\"")

// TestTheManualListsTheDefinitionsOfMails compares all built-in words with the list in deploy/README.md.
func TestTheManualListsTheDefinitionsOfMails(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(manual), "must have all definitions")
	list, _, _ = strings.Cut(list, "\n\n")
	words, refunds, _ := strings.Cut(list, "words of\nrefunds")
	files, err := filepath.Glob("templates/*.tmpl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		listed := words
		if strings.HasSuffix(file, "-credit.tmpl") {
			listed = refunds
		}
		var defined, named []string
		for _, m := range definition.FindAllStringSubmatch(string(text), -1) {
			defined = append(defined, m[1])
		}
		for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(listed, -1) {
			named = append(named, m[1])
		}
		slices.Sort(defined)
		slices.Sort(named)
		if !slices.Equal(defined, named) {
			t.Errorf("%s defines %q, the manual lists %q", file, defined, named)
		}
	}
}
