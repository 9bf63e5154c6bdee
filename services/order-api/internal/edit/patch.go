package edit

import (
	"errors"
	"fmt"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/shared/order"
)

// Patch is a JSON Patch (RFC 6902) for documents.
type Patch struct{ operations []jsonpatch.Patch } // one each, so that it is known which one does not apply

// Limits of a patch.
const (
	maxOperations = 100
	maxPatch      = 64 << 10 // bytes
	maxCopied     = 1 << 20  // bytes that its copies may add to a document
)

// ErrNotMatched is a document for which a test operation of a patch does not hold.
var ErrNotMatched = errors.New("a test operation of the patch does not hold")

// ParsePatch reads a patch. Its faults have JSON pointers into the patch; with any, the patch is of
// no use.
func ParsePatch(text []byte) (Patch, []order.Invalid) {
	tree, again, err := jsondiff.Parse(text)
	list, ok := tree.([]any)
	switch {
	case err != nil:
		return Patch{}, []order.Invalid{{Detail: "must be JSON"}}
	case len(text) > maxPatch:
		return Patch{}, []order.Invalid{{Detail: fmt.Sprintf("must have at most %d bytes", maxPatch)}}
	case !ok || len(list) < 1 || len(list) > maxOperations:
		return Patch{}, []order.Invalid{{Detail: fmt.Sprintf("must be an array of 1 to %d operations", maxOperations)}}
	}
	c := checker{found: twice(again)}
	var p Patch
	for i, element := range list {
		at := "/" + strconv.Itoa(i)
		c.operation(at, element)
		one, err := jsonpatch.DecodePatch(fmt.Appendf(nil, "[%s]", jsondiff.Write(element)))
		if err != nil && len(c.found) == 0 {
			c.add(at, "must be an operation of a JSON Patch")
		}
		p.operations = append(p.operations, one)
	}
	return p, c.found
}

// operations are the kinds of operations, with the members that each needs.
var operations = map[string][]string{
	"add": {"path", "value"}, "remove": {"path"}, "replace": {"path", "value"}, "move": {"path", "from"}, "copy": {"path", "from"}, "test": {"path", "value"},
}

// operation checks an operation. Members that its kind does not need are ignored, as RFC 6902 says.
func (c *checker) operation(at string, element any) {
	o, ok := element.(map[string]any)
	if !ok {
		c.add(at, "must be an object")
		return
	}
	kind, _ := o["op"].(string)
	needs, known := operations[kind]
	if !known {
		c.add(at+"/op", "must be add, remove, replace, move, copy or test")
	}
	for _, name := range needs {
		given, has := o[name]
		pointer, ok := given.(string)
		switch {
		case !has:
			c.add(at+"/"+name, "is missing")
		case name != "value" && (!ok || pointer != "" && pointer[0] != '/'):
			c.add(at+"/"+name, "must be a JSON pointer, such as /ship_to/country")
		}
	}
}

// Patch returns the version that a patch makes. Its error is one of Edit, or ErrNotMatched. If there
// are no changes, the patch has changed nothing.
func (b Base) Patch(p Patch, price Price) (Edited, error) {
	doc, err := b.Document()
	if err != nil {
		return Edited{}, err
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices, options.AccumulatedCopySizeLimit, options.EscapeHTML = false, maxCopied, false
	for i, one := range p.operations {
		patched, err := one.ApplyWithOptions(doc, options)
		if err != nil && one[0].Kind() == "test" {
			return Edited{}, ErrNotMatched
		}
		if err != nil || len(patched) > maxCopied {
			path, _ := one[0].Path()
			return Edited{}, &InvalidError{[]order.Invalid{{Pointer: path, Detail: fmt.Sprintf("operation %d (%s) does not apply", i+1, one[0].Kind())}}}
		}
		doc = patched
	}
	return b.Edit(doc, price)
}
