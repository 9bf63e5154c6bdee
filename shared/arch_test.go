// Package shared_test checks the house rules over the whole workspace: which package may import
// which, which file may use which, how names and packages are explained, which words are used, and
// how large files, functions and packages are.
//
// A rule checks a house: all sources and documents. TestRulesHold reads it from the disk. In
// TestRulesBite it is a few lines that break one rule each. Run the tests with -count=1: the cache
// of go test does not notice changes of the files.
package shared_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// home is the path that all packages of the workspace begin with.
const home = "example.com/orders/"

// house is what the rules check. All paths are relative to the root of the workspace.
type house struct {
	units   []*unit
	places  *token.FileSet    // of all sources
	folders []string          // folders with files, and their parents
	docs    map[string]string // text of all *.md, by path
	texts   map[string]string // of other files with sentences: scripts, YAML, HTML
	modules []string          // folders of the modules in go.work
}

// unit is one package. Its short name, the last part of its path, is unique in the workspace: the
// tables use it.
type unit struct {
	path, short string
	files       []*source
}

type source struct {
	path   string
	test   bool
	text   string
	syntax *ast.File
	places *token.FileSet // that of the house
}

// rule returns a complaint for each place that breaks it.
type rule struct {
	name  string
	check func(*house) []string
}

func rules() []rule {
	return []rule{
		{"imports are in the table", importsInTable},
		{"other modules are in the table", modulesInTable},
		{"the domain needs the standard library only", domainAlone},
		{"imports point inward", ringsPointInward},
		{"steps and Kafka do not know each other", stepsWithoutKafka},
		{"only serve serves HTTP", onlyServeListens},
		{"embedded servers are for trying and testing", embeddedApart},
		{"go.mod requires what a module needs", requirements},
		{"images and CI know all modules", modulesBuilt},
		{"files of a package have an order", filesInOrder},
		{"files of a package are more than one file", filesApart},
		{"a package has one comment", onePackageComment},
		{"exported names are explained", namesExplained},
		{"errors are paths of actions", errorsAreActions},
		{"files and functions are small", sizes},
		{"packages are small", exportsFew},
		{"nothing runs before main", noInit},
		{"packages hold no state", noGlobals},
		{"one word for one idea", glossaryKept},
		{"links lead somewhere", linksLead},
		{"tests that documents name exist", namedTestsExist},
		{"the README begins with a command", readmeCommand},
		{"the first look is short", topLevel},
	}
}

func TestRulesHold(t *testing.T) {
	t.Parallel()
	h := workspace(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, complaint := range r.check(h) {
				t.Error(complaint)
			}
		})
	}
}

// workspace reads the house from the disk. It skips the test if GOWORK is off.
func workspace(t *testing.T) *house {
	t.Helper()
	out, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	if file := strings.TrimSpace(string(out)); file == "" || file == "off" {
		t.Skip("needs the workspace: the rules span its modules, and GOWORK is off")
	}
	h, err := readHouse()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// readHouse reads the workspace once for all tests.
var readHouse = sync.OnceValues(func() (*house, error) {
	const root = ".."
	h := &house{docs: map[string]string{}, texts: map[string]string{}}
	if err := h.walk(root); err != nil {
		return nil, err
	}
	if err := h.readModules(root); err != nil {
		return nil, err
	}
	list := exec.Command("go", "list", "-e", "-tags", "synctests", "-json=Dir,GoFiles,TestGoFiles,XTestGoFiles", "work")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	base, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			Dir                                string
			GoFiles, TestGoFiles, XTestGoFiles []string
		}
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(base, p.Dir)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			if err := h.add(path.Join(filepath.ToSlash(rel), name), string(text)); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
})

// add puts a Go file into the package of its folder.
func (h *house) add(file, text string) error {
	if h.places == nil {
		h.places = token.NewFileSet()
	}
	syntax, err := parser.ParseFile(h.places, file, text, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(file)
	i := slices.IndexFunc(h.units, func(u *unit) bool { return u.path == dir })
	if i < 0 {
		i = len(h.units)
		h.units = append(h.units, &unit{path: dir, short: path.Base(dir)})
	}
	src := &source{path: file, test: strings.HasSuffix(file, "_test.go"), text: text, syntax: syntax, places: h.places}
	h.units[i].files = append(h.units[i].files, src)
	return nil
}

// walk reads folders, documents and other texts.
func (h *house) walk(root string) error {
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || rel == "bin") {
			return fs.SkipDir
		}
		if !d.IsDir() {
			for dir := path.Dir(rel); dir != "." && !seen[dir]; dir = path.Dir(dir) {
				seen[dir] = true
				h.folders = append(h.folders, dir)
			}
		}
		into := h.texts
		switch {
		case path.Ext(rel) == ".md":
			into = h.docs
		case !slices.Contains([]string{".yaml", ".html", ".tmpl"}, path.Ext(rel)) && path.Dir(rel) != "scripts" || d.IsDir():
			return nil
		}
		text, err := os.ReadFile(file)
		into[rel] = string(text)
		return err
	})
	slices.Sort(h.folders)
	return err
}

// readModules reads go.work.
func (h *house) readModules(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if module, ok := strings.CutPrefix(strings.TrimSpace(line), "./"); ok {
			h.modules = append(h.modules, module)
		}
	}
	return nil
}

// production returns the files of the package that are not tests.
func (u *unit) production() []*source {
	return slices.DeleteFunc(slices.Clone(u.files), func(s *source) bool { return s.test })
}

// imports returns what the production files of the package import, each once.
func (u *unit) imports() []string {
	var all []string
	for _, s := range u.production() {
		for _, spec := range s.syntax.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ours returns the short names of the imports from the workspace.
func (u *unit) ours() (short []string) {
	for _, name := range u.imports() {
		if rest, ok := strings.CutPrefix(name, home); ok {
			short = append(short, path.Base(rest))
		}
	}
	return short
}

// others returns the imports from other modules.
func (u *unit) others() (names []string) {
	for _, name := range u.imports() {
		first, _, _ := strings.Cut(name, "/")
		if strings.Contains(first, ".") && !strings.HasPrefix(name, home) {
			names = append(names, name)
		}
	}
	return names
}

// at returns the position of a node, for a complaint.
func (s *source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.places.Position(n.Pos()).Line)
}
