package shared_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// readmeTree: the tree is the fenced block of README.md with a line that begins "services/". A folder is a line whose first word
// ends in "/", and stands in the folder above it that is indented less.
func readmeTree(h *house) (complaints []string) {
	listed, there := tree(h.docs["README.md"]), rooms(h)
	for _, dir := range there {
		if !slices.Contains(listed, dir) {
			complaints = append(complaints, "the tree does not list "+dir)
		}
	}
	for _, dir := range listed {
		if !slices.Contains(there, dir) {
			complaints = append(complaints, "the tree lists "+dir+", which does not exist")
		}
	}
	return complaints
}

func tree(readme string) (folders []string) {
	type level struct {
		indent int
		dir    string
	}
	for _, block := range fenced(readme) {
		if !slices.ContainsFunc(block, func(line string) bool { return strings.HasPrefix(line, "services/") }) {
			continue
		}
		above := []level{{-1, ""}}
		for _, line := range block {
			indent := len(line) - len(strings.TrimLeft(line, " "))
			first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasSuffix(first, "/") {
				continue
			}
			for above[len(above)-1].indent >= indent {
				above = above[:len(above)-1]
			}
			dir := path.Join(above[len(above)-1].dir, first)
			above = append(above, level{indent, dir})
			folders = append(folders, dir)
		}
	}
	return folders
}

// rooms returns the folders that a reader should find in the tree: not those that merely hold the files of one Go package.
func rooms(h *house) []string {
	isPackage := func(dir string) bool {
		return slices.ContainsFunc(h.units, func(u *unit) bool { return u.path == dir })
	}
	holdsPackage := func(dir string) bool {
		return slices.ContainsFunc(h.units, func(u *unit) bool { return u.path == dir || strings.HasPrefix(u.path, dir+"/") })
	}
	return slices.DeleteFunc(slices.Clone(h.folders), func(dir string) bool {
		if holdsPackage(dir) {
			return false
		}
		for up := path.Dir(dir); up != "."; up = path.Dir(up) {
			if isPackage(up) {
				return true
			}
		}
		return false
	})
}

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

// linksLead looks at links into the tree; whether those to other sites lead anywhere is not ours to say.
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
	const limit = 12
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
