package shared_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

func onePackageComment(h *house) (complaints []string) {
	for _, u := range h.units {
		files := u.production()
		if len(files) == 0 {
			continue
		}
		want := files[0].syntax.Name.Name + ".go"
		var got []string
		for _, s := range files {
			if s.syntax.Doc != nil {
				got = append(got, path.Base(s.path))
			}
		}
		if !slices.Equal(got, []string{want}) {
			complaints = append(complaints, fmt.Sprintf("%s: package comments in %q, want one in %s", u.path, got, want))
		}
	}
	return complaints
}

func namesExplained(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, s := range u.production() {
			for _, d := range s.syntax.Decls {
				for _, name := range unexplained(d) {
					complaints = append(complaints, fmt.Sprintf("%s: %s has no sentence that begins with it", s.at(d), name))
				}
			}
		}
	}
	return complaints
}

// unexplained returns the exported names of a declaration without a sentence. In a group of
// constants or variables, a comment of the group is enough: its names are rows of a table.
func unexplained(d ast.Decl) (names []string) {
	lacks := func(name string, docs ...*ast.CommentGroup) {
		if ast.IsExported(name) && !slices.ContainsFunc(docs, func(g *ast.CommentGroup) bool { return sentence(g, name) }) {
			names = append(names, name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d)) {
			lacks(d.Name.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				lacks(spec.Name.Name, spec.Doc, d.Doc)
			case *ast.ValueSpec:
				if d.Lparen.IsValid() && d.Doc != nil {
					continue
				}
				for _, n := range spec.Names {
					lacks(n.Name, spec.Doc, d.Doc)
				}
			}
		}
	}
	return names
}

func sentence(g *ast.CommentGroup, name string) bool {
	text := strings.TrimSpace(g.Text())
	first, _, _ := strings.Cut(text, " ")
	return strings.TrimSuffix(first, ",") == name && strings.ContainsAny(text, ".:")
}

// receiver returns the name of the type of a method.
func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// errorsAreActions: an error names the action; the error that it wraps names the cause.
func errorsAreActions(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, s := range u.production() {
			ast.Inspect(s.syntax, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.Contains(strings.ToLower(lit.Value), "failed to") {
					complaints = append(complaints, s.at(n)+": an error says failed to instead of the action: "+lit.Value)
				}
				return true
			})
		}
	}
	return complaints
}
