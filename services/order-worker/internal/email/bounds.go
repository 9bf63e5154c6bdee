package email

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	texttemplate "text/template"
	"text/template/parse"
)

// Bounds of templates, which anybody may write who runs a worker.
const (
	maxTemplate = 256 << 10 // a file; ours have 4 KiB
	maxPart     = 2 << 20   // what is written: 200 lines with the longest names have a quarter
	maxSteps    = 100_000   // rounds of loops and calls of templates, for one mail: 200 lines take some thousand
)

var errEndless = fmt.Errorf("the template does not end: a mail takes more than %d rounds of its loops", maxSteps)

// bounded is a text of at most maxPart bytes.
type bounded struct{ strings.Builder }

// Write is called by the templates.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPart {
		return 0, fmt.Errorf("the template writes more than %d MiB", maxPart>>20)
	}
	return b.Builder.Write(p)
}

// work counts what executing templates takes. Package template itself ends no loop. It is bounded while templates are tried, on the
// longest order that there can be: no order takes more.
type work struct{ left atomic.Int64 }

func (w *work) bound(steps int64) { w.left.Store(steps) }
func (w *work) unbounded()        { w.left.Store(math.MaxInt64) }

// step is called by templates, in each round of a loop and at the beginning of each template.
func (w *work) step() (string, error) {
	if w.left.Add(-1) < 0 {
		return "", errEndless
	}
	return "", nil
}

// counter is how templates call work.step.
const counter = "_step"

// counting calls step. It is an assignment, because html/template would write what stands alone.
func counting() parse.Node {
	step := map[string]any{counter: func() string { return "" }}
	return texttemplate.Must(texttemplate.New("").Funcs(step).Parse("{{$_ := " + counter + "}}")).Root.Nodes[0]
}

// count has a template count each time that it is called, and each round of its loops.
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
