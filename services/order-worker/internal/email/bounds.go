package email

import (
	"bytes"
	"fmt"
	texttemplate "text/template"
	"text/template/parse"
)

// Limits of templates. Operators can replace the embedded ones.
const (
	maxTemplate = 256 << 10 // bytes of a file; the embedded ones have 4 KiB
	maxPart     = 2 << 20   // bytes of output; 40 lines with the longest names need 70 KB
	maxSteps    = 100_000   // loop iterations and template calls for a mail; 40 lines need some hundred
)

var errEndless = fmt.Errorf("the template does not end: one mail took more than %d loop iterations", maxSteps)

// bounded is a text of at most maxPart bytes.
type bounded struct{ bytes.Buffer }

// Write fails when the text would exceed its limit.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPart {
		return 0, fmt.Errorf("the template writes more than %d MiB", maxPart>>20)
	}
	return b.Buffer.Write(p)
}

// work limits the execution of templates, because text/template has no limit. The limit applies
// while the templates are tried with the longest possible order. No real order needs more.
type work struct{ left int }

// step is called by templates in each loop iteration and at the beginning of each template.
func (w *work) step() (string, error) {
	if w.left--; w.left < 0 {
		return "", errEndless
	}
	return "", nil
}

// counter is the name of work.step in templates.
const counter = "_step"

// counting returns a node that calls step. It is an assignment: html/template would print the
// result of a bare call.
func counting() parse.Node {
	step := map[string]any{counter: func() string { return "" }}
	return texttemplate.Must(texttemplate.New("").Funcs(step).Parse("{{$_ := " + counter + "}}")).Root.Nodes[0]
}

// count inserts a call of step at the beginning of a template and of each of its loops.
func count(root *parse.ListNode) {
	countLoops(root)
	root.Nodes = append([]parse.Node{counting()}, root.Nodes...)
}

func countLoops(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.RangeNode:
			count(node.List)
			countLoops(node.ElseList)
		case *parse.IfNode:
			countLoops(node.List)
			countLoops(node.ElseList)
		case *parse.WithNode:
			countLoops(node.List)
			countLoops(node.ElseList)
		}
	}
}
