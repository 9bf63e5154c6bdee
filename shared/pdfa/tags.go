package pdfa

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// The structure types of elements (ISO 32000-1, 14.8.4).
const (
	H1     = "H1"
	P      = "P"
	Table  = "Table"
	TR     = "TR"
	TH     = "TH" // of a column
	TD     = "TD"
	Figure = "Figure"
)

// Document is the element of the whole document, the parent of the others.
const Document = 0

// Tags is the structure of a document, which programs follow that read it to people: elements in
// reading order, and which marked-content sequence of a page belongs to which element. The zero value
// is a document without elements.
type Tags struct {
	root     element
	elements []element // after the document: element i is elements[i-1]
	kids     []kid     // of all elements: kid i is kids[i-1]
	pages    [][]int   // by page and ID of a marked-content sequence: its element
}

type element struct {
	kind        string
	parent      int
	first, last int     // kids; 0 if it has none
	figure      *figure // or nil
}

type figure struct {
	alt string
	box [4]int
}

// kid is an element or, if that is 0, a marked-content sequence. next is the next kid of its parent, or 0.
type kid struct{ element, page, id, next int }

// Reset removes all elements. The memory is used for those that are added next.
func (t *Tags) Reset() {
	for i := range t.pages {
		t.pages[i] = t.pages[i][:0]
	}
	*t = Tags{elements: t.elements[:0], kids: t.kids[:0], pages: t.pages[:0]}
}

// Add adds an element as the last one of its parent.
func (t *Tags) Add(parent int, kind string) int {
	t.elements = append(t.elements, element{kind: kind, parent: parent})
	added := len(t.elements)
	t.append(t.of(parent), kid{element: added})
	return added
}

// AddFigure adds a figure. alt is the text for people who do not see it. box is its place on the page:
// left, bottom, right and top edge in points from the bottom left corner of the page.
func (t *Tags) AddFigure(parent int, alt string, box [4]int) int {
	added := t.Add(parent, Figure)
	t.of(added).figure = &figure{alt, box}
	return added
}

// Begun reports whether an element has content or elements.
func (t *Tags) Begun(number int) bool { return t.of(number).first > 0 }

func (t *Tags) of(number int) *element {
	if number == Document {
		return &t.root
	}
	return &t.elements[number-1]
}

// append adds the last kid of an element.
func (t *Tags) append(of *element, k kid) {
	t.kids = append(t.kids, k)
	if of.first == 0 {
		of.first = len(t.kids)
	} else {
		t.kids[of.last-1].next = len(t.kids)
	}
	of.last = len(t.kids)
}

// Mark begins a marked-content sequence of an element in the content of a page, the first of which is
// 0. It appends the operator; EMC ends the sequence.
func (t *Tags) Mark(content []byte, number, page int) []byte {
	if len(t.pages) <= page {
		t.pages = slices.Grow(t.pages, page+1-len(t.pages))[:page+1]
	}
	id := len(t.pages[page])
	t.pages[page] = append(t.pages[page], number)
	of := t.of(number)
	t.append(of, kid{page: page, id: id})
	content = append(append(append(content, '/'), of.kind...), "<</MCID "...)
	return append(strconv.AppendInt(content, int64(id), 10), ">>BDC\n"...)
}

// structure writes the elements, the parent tree and the root of the structure tree, which is the last
// object (ISO 32000-1, 14.7.2 to 14.7.4).
func (w *writer) structure(t *Tags) {
	first := len(w.offsets) + 1
	parents := first + 1 + len(t.elements)
	w.element(t, Document, first, parents+1)
	for i := range t.elements {
		w.element(t, i+1, first, first+t.elements[i].parent)
	}
	w.begin()
	w.out = append(w.out, "<</Nums["...)
	for page, sequences := range t.pages {
		w.out = append(strconv.AppendInt(w.out, int64(page), 10), '[')
		for _, number := range sequences {
			w.reference("", first+number)
		}
		w.out = append(w.out, ']')
	}
	w.out = append(w.out, "]>>\nendobj\n"...)
	w.object("<< /Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d >>", first, parents, len(t.pages))
}

// element writes an element. first is the object of the document.
func (w *writer) element(t *Tags, number, first, parent int) {
	e := t.of(number)
	w.begin()
	w.out = append(append(w.out, "<</S/"...), cmp.Or(e.kind, "Document")...)
	w.reference("/P ", parent)
	page := -1
	if e.first > 0 && t.kids[e.first-1].element == Document {
		page = t.kids[e.first-1].page
		w.reference("/Pg ", pageObject(page))
	}
	w.out = append(w.out, "/K["...)
	for i := e.first; i > 0; i = t.kids[i-1].next {
		switch k := t.kids[i-1]; {
		case k.element != Document:
			w.reference("", first+k.element)
		case k.page == page:
			w.out = append(strconv.AppendInt(w.out, int64(k.id), 10), ' ')
		default:
			w.reference("<</Type/MCR/Pg ", pageObject(k.page))
			w.out = append(strconv.AppendInt(append(w.out, "/MCID "...), int64(k.id), 10), ">>"...)
		}
	}
	w.out = append(w.out, ']')
	if e.kind == TH {
		w.out = append(w.out, "/A<</O/Table/Scope/Column>>"...)
	}
	if f := e.figure; f != nil {
		w.out = fmt.Appendf(w.out, "/A<</O/Layout/BBox%s>>/Alt%s", numbers(f.box[:]), text(f.alt))
	}
	w.out = append(w.out, ">>\nendobj\n"...)
}

// reference appends a text and a reference to an object.
func (w *writer) reference(before string, number int) {
	w.out = append(w.out, before...)
	w.out = append(strconv.AppendInt(w.out, int64(number), 10), " 0 R "...)
}

// pageObject is the number of a page, the first of which is 0, in a document of gofpdf.
func pageObject(page int) int { return resourcesObject + 1 + 2*page }
