//go:build synctests

package worker_test

import (
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestEveryCrashWindowIsInTheDocs compares the table in docs/guarantees.md with the rows here.
func TestEveryCrashWindowIsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Crash windows\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented, tested []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, " | "); len(cells) == 4 && strings.HasPrefix(line, "| ") {
			documented = append(documented, strings.TrimPrefix(cells[0], "| "))
		}
	}
	for _, w := range windows() {
		tested = append(tested, w.name)
	}
	if diff := gocmp.Diff(tested, documented[min(2, len(documented)):]); diff != "" { // behind the head and its rule
		t.Errorf("windows in docs/guarantees.md (-tested +documented):\n%s", diff)
	}
}
