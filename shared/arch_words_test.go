package shared_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
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

// unexplained returns the exported names of a declaration that lack a sentence. In a group of constants or variables the
// group's comment will do: its names are rows of one table.
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

// receiver returns the name of the type that a method belongs to.
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

// A stop is a package on an order's path. Its package comment has three lines: "Stop 2.", "From: intake" and "To: pipeline".
type stop struct {
	pkg, number, from, to string
}

// stopsClose: sorted by number, each stop names the one before and the one after; the path begins and ends at the customer.
func stopsClose(h *house) (complaints []string) {
	stops := h.stops()
	for i, s := range stops {
		before, after := "customer", "customer"
		if i > 0 {
			before = stops[i-1].pkg
			if stops[i-1].number == s.number {
				complaints = append(complaints, fmt.Sprintf("%s and %s are both stop %s", before, s.pkg, s.number))
			}
		}
		if i < len(stops)-1 {
			after = stops[i+1].pkg
		}
		if s.from != before || s.to != after {
			complaints = append(complaints, fmt.Sprintf("stop %s, %s, is from %q to %q, want from %q to %q", s.number, s.pkg, s.from, s.to, before, after))
		}
	}
	if len(stops) < 2 {
		complaints = append(complaints, fmt.Sprintf("an order has %d stops", len(stops)))
	}
	return complaints
}

func (h *house) stops() (stops []stop) {
	line := regexp.MustCompile(`(?m)^(Stop|From:|To:) +(\w+)`)
	for _, u := range h.units {
		for _, s := range u.production() {
			found := map[string]string{}
			for _, m := range line.FindAllStringSubmatch(s.syntax.Doc.Text(), -1) {
				found[m[1]] = m[2]
			}
			if found["Stop"] != "" {
				stops = append(stops, stop{u.short, found["Stop"], found["From:"], found["To:"]})
			}
		}
	}
	slices.SortFunc(stops, func(a, b stop) int { return strings.Compare(a.number, b.number) })
	return stops
}

// wordsOurs: a record is an order, a letter or a state, and nothing more vague, in comments and in docs.
func wordsOurs(h *house) (complaints []string) {
	// Server-Sent Events, and the text of a line in the log, are called what everybody calls them.
	meant := map[string]string{"httpapi": "event", "client": "event", "telemetry": "message"}
	for _, u := range h.units {
		for _, s := range u.production() {
			for _, g := range s.syntax.Comments {
				for _, word := range vague(g.Text()) {
					if meant[u.short] != word {
						complaints = append(complaints, s.at(g)+": says "+word)
					}
				}
			}
		}
	}
	for _, file := range keys(h.docs) {
		for _, word := range vague(h.docs[file]) {
			complaints = append(complaints, file+": says "+word)
		}
	}
	return complaints
}

// vague returns the words of a text, in the singular, that the glossary has better ones for.
func vague(text string) (found []string) {
	for word := range strings.FieldsSeq(text) {
		word = strings.TrimSuffix(strings.Trim(word, ".,;:()"), "s")
		if slices.Contains([]string{"task", "event", "message", "job"}, word) {
			found = append(found, word)
		}
	}
	return found
}

// errorsAreActions: an error says what was being done, and the error that it wraps says what went wrong.
func errorsAreActions(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, s := range u.production() {
			ast.Inspect(s.syntax, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.Contains(strings.ToLower(lit.Value), "failed to") {
					complaints = append(complaints, s.at(n)+": says what failed instead of what was being done: "+lit.Value)
				}
				return true
			})
		}
	}
	return complaints
}
