package shared_test

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fenced returns the lines of each fenced block.
func fenced(text string) (blocks [][]string) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
			if inside {
				blocks = append(blocks, nil)
			}
		case inside:
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], line)
		}
	}
	return blocks
}

func readmeCommand(h *house) []string {
	lines := strings.Split(h.docs["README.md"], "\n")
	first := fenced(strings.Join(lines[:min(20, len(lines))], "\n"))
	if len(first) == 0 || len(first[0]) == 0 {
		return []string{"README.md has no command to paste within its first 20 lines"}
	}
	return nil
}

// linksLead checks links into the tree, not those to other sites.
func linksLead(h *house) (complaints []string) {
	link := regexp.MustCompile(`\]\(([^)#]+)`)
	for _, file := range keys(h.docs) {
		for _, m := range link.FindAllStringSubmatch(h.docs[file], -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", path.Dir(file), m[1])); err != nil {
				complaints = append(complaints, file+" links to "+m[1]+", which does not exist")
			}
		}
	}
	return complaints
}

func topLevel(*house) []string {
	const limit = 13
	entries, err := os.ReadDir("..")
	if err != nil {
		return []string{err.Error()}
	}
	visible := slices.DeleteFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" })
	if len(visible) > limit {
		return []string{fmt.Sprintf("the top level shows %d names, want at most %d", len(visible), limit)}
	}
	return nil
}

// namedTestsExist: documents name the tests of promises.
func namedTestsExist(h *house) (complaints []string) {
	tests := map[string]bool{}
	for _, u := range h.units {
		for _, s := range u.files {
			for _, d := range s.syntax.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && s.test {
					tests[f.Name.Name] = true
				}
			}
		}
	}
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`")
	for _, file := range keys(h.docs) {
		for _, m := range name.FindAllStringSubmatch(h.docs[file], -1) {
			if !tests[m[1]] {
				complaints = append(complaints, file+" names the test "+m[1]+", which does not exist")
			}
		}
	}
	return complaints
}
