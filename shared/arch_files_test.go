package shared_test

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"slices"
)

// fileCalls returns which production file of a package calls functions or methods of which other
// file, with one name for each arrow. Uses of types, fields and constants do not count.
func (h *house) fileCalls(u *unit) map[string]map[string]string {
	var files []*ast.File
	for _, s := range u.production() {
		files = append(files, s.syntax)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	// Imports are not loaded: names of other packages stay unresolved, names of this one do not.
	conf := types.Config{Error: func(error) {}, Importer: nothing{}, FakeImportC: true}
	pkg, _ := conf.Check(u.path, h.places, files, info)
	arrows := map[string]map[string]string{}
	for ident, object := range info.Uses {
		if _, ok := object.(*types.Func); !ok || object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := path.Base(h.places.Position(ident.Pos()).Filename), path.Base(h.places.Position(object.Pos()).Filename)
		if from == to {
			continue
		}
		if arrows[from] == nil {
			arrows[from] = map[string]string{}
		}
		if name := arrows[from][to]; name == "" || object.Name() < name {
			arrows[from][to] = object.Name()
		}
	}
	return arrows
}

// nothing imports packages without names.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	pkg := types.NewPackage(name, path.Base(name))
	pkg.MarkComplete()
	return pkg, nil
}

// filesInOrder: in the packages that decide what happens to an order, a reader goes through the
// files from top to bottom. No file calls one that calls it, directly or through others.
func filesInOrder(h *house) (complaints []string) {
	for _, u := range h.units {
		if !slices.Contains([]string{"scheduler", "partition", "pipeline", "ledger"}, u.short) {
			continue
		}
		arrows := h.fileCalls(u)
		for _, from := range keys(arrows) {
			for _, to := range keys(arrows[from]) {
				if reaches(arrows, to, from, map[string]bool{}) {
					complaints = append(complaints, fmt.Sprintf("%s: %s calls %s (%s), which calls back, directly or through others", u.path, from, to, arrows[from][to]))
				}
			}
		}
	}
	return complaints
}

func reaches(arrows map[string]map[string]string, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for next := range arrows[from] {
		if !seen[next] && reaches(arrows, next, to, seen) {
			return true
		}
	}
	return false
}

// filesApart: files that call each other in more than half of all pairs are one file or two packages.
// A tree of calls is always allowed.
func filesApart(h *house) (complaints []string) {
	for _, u := range h.units {
		n, pairs := len(u.production()), map[[2]string]bool{}
		for from, calls := range h.fileCalls(u) {
			for to := range calls {
				pairs[[2]string{min(from, to), max(from, to)}] = true
			}
		}
		all := n * (n - 1) / 2
		if len(pairs) > max(all/2, n-1) {
			complaints = append(complaints, fmt.Sprintf("%s: %d files call each other in %d of %d pairs", u.path, n, len(pairs), all))
		}
	}
	return complaints
}
