package shared_test

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// The budgets. p90 is the value that nine of ten stay within.
const (
	fileMax, fileP90         = 500, 350
	functionMax, functionP90 = 80, 35
	exportP90                = 12
	exportOfModels           = 26 // order is the vocabulary, with the lists of statuses and steps; client mirrors the whole API
)

func sizes(h *house) (complaints []string) {
	var files, functions []int
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
				lines := s.places.Position(f.End()).Line - s.places.Position(f.Pos()).Line + 1
				functions = append(functions, lines)
				if lines > functionMax {
					complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, want at most %d", s.at(f), f.Name.Name, lines, functionMax))
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
	return complaints
}

func exportsFew(h *house) (complaints []string) {
	var all []int
	for _, u := range h.units {
		n := exports(u)
		if u.short != "order" && u.short != "client" {
			all = append(all, n)
		} else if n > exportOfModels {
			complaints = append(complaints, fmt.Sprintf("%s exports %d types and functions, want at most %d", u.short, n, exportOfModels))
		}
	}
	if got := p90(all); got > exportP90 {
		complaints = append(complaints, fmt.Sprintf("nine of ten packages export %d types and functions, want %d", got, exportP90))
	}
	return complaints
}

// exports counts the types and functions that a package shows; methods belong to their types.
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

// constant reports whether a variable is one only because Go has no better word for it: an embedded file, a sentinel error, a
// table, or the blank name.
func constant(group *ast.GenDecl, v *ast.ValueSpec) bool {
	name := v.Names[0].Name
	if name == "_" || strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err") || embeds(group.Doc) || embeds(v.Doc) {
		return true
	}
	return len(v.Values) > 0 && !slices.ContainsFunc(v.Values, func(e ast.Expr) bool { return !table(e) })
}

func embeds(g *ast.CommentGroup) bool {
	return g != nil && slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// table reports whether an expression makes a table: a literal, or what a Must function makes of one.
func table(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		sel, ok := e.Type.(*ast.SelectorExpr)
		return !ok || fmt.Sprint(sel.X) != "sync"
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok {
			return strings.HasPrefix(sel.Sel.Name, "Must")
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
