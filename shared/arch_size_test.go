package shared_test

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// The budgets. Nine of ten stay within a P90.
const (
	fileMax, fileP90         = 500, 350
	functionMax, functionP90 = 50, 24
	exportP90                = 13
	exportOfOrder            = 41 // order is the vocabulary
	exportOfView             = 44 // view has the contract of its stores: orders, dead letters, acts and jobs
	exportOfClient           = 70 // client has a type for each object of the API's contract
)

// The budgets of functions in tests.
const testFunctionMax, testFunctionP90 = 80, 36

func sizes(h *house) (complaints []string) {
	var files, functions, testFunctions []int
	for _, u := range h.units {
		for _, s := range u.files {
			lines := strings.Count(s.text, "\n")
			files = append(files, lines)
			if lines > fileMax {
				complaints = append(complaints, fmt.Sprintf("%s has %d lines, want at most %d", s.path, lines, fileMax))
			}
			for _, d := range s.syntax.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				lines, most := s.places.Position(f.End()).Line-s.places.Position(f.Pos()).Line+1, functionMax
				if s.test {
					testFunctions, most = append(testFunctions, lines), testFunctionMax
				} else {
					functions = append(functions, lines)
				}
				if lines > most {
					complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, want at most %d", s.at(f), f.Name.Name, lines, most))
				}
			}
		}
	}
	if got := p90(files); got > fileP90 {
		complaints = append(complaints, fmt.Sprintf("nine of ten files stay within %d lines, want %d", got, fileP90))
	}
	if got := p90(functions); got > functionP90 {
		complaints = append(complaints, fmt.Sprintf("nine of ten functions stay within %d lines, want %d", got, functionP90))
	}
	if got := p90(testFunctions); got > testFunctionP90 {
		complaints = append(complaints, fmt.Sprintf("nine of ten functions of tests stay within %d lines, want %d", got, testFunctionP90))
	}
	return complaints
}

func exportsFew(h *house) (complaints []string) {
	var all []int
	for _, u := range h.units {
		n := exports(u)
		most, model := map[string]int{"order": exportOfOrder, "view": exportOfView, "client": exportOfClient}[u.short]
		if !model {
			all = append(all, n)
		} else if n > most {
			complaints = append(complaints, fmt.Sprintf("%s exports %d types and functions, want at most %d", u.short, n, most))
		}
	}
	if got := p90(all); got > exportP90 {
		complaints = append(complaints, fmt.Sprintf("nine of ten packages export %d types and functions, want %d", got, exportP90))
	}
	return complaints
}

// exports counts the exported types and functions of a package, without methods.
func exports(u *unit) (n int) {
	for _, s := range u.production() {
		for _, d := range s.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					n++
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok && t.Name.IsExported() {
						n++
					}
				}
			}
		}
	}
	return n
}

func noInit(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, s := range u.files {
			for _, d := range s.syntax.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					complaints = append(complaints, s.at(f)+": an init function")
				}
			}
		}
	}
	return complaints
}

func noGlobals(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, s := range u.production() {
			for _, d := range s.syntax.Decls {
				group, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range group.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && group.Tok.String() == "var" && !constant(group, v) {
						complaints = append(complaints, fmt.Sprintf("%s: the variable %s", s.at(v), v.Names[0].Name))
					}
				}
			}
		}
	}
	return complaints
}

// constant reports whether a variable is never written after its declaration: an embedded file, a
// sentinel error, a table, a flag of go test, the blank name, or what the linker sets.
func constant(group *ast.GenDecl, v *ast.ValueSpec) bool {
	name := v.Names[0].Name
	if name == "_" || strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err") || embeds(group.Doc) || embeds(v.Doc) || linked(group.Doc) {
		return true
	}
	return len(v.Values) > 0 && !slices.ContainsFunc(v.Values, func(e ast.Expr) bool { return !table(e) })
}

func embeds(g *ast.CommentGroup) bool {
	return g != nil && slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func linked(g *ast.CommentGroup) bool {
	return strings.Contains(g.Text(), " set by the linker ")
}

// table reports whether an expression is a literal, a call of a Must function, a flag, or a value that is made at its first use.
func table(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		sel, ok := e.Type.(*ast.SelectorExpr)
		return !ok || fmt.Sprint(sel.X) != "sync"
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok {
			return strings.HasPrefix(sel.Sel.Name, "Must") || fmt.Sprint(sel.X) == "flag" || sel.Sel.Name == "OnceValue"
		}
		name, ok := e.Fun.(*ast.Ident)
		return ok && strings.HasPrefix(name.Name, "must")
	}
	return false
}

func p90(values []int) int {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)*9+9)/10-1]
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func keys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
