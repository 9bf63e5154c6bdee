package pdfa

import (
	"fmt"
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
	elements []element // after the document: element i is elements[i-1]
	root     element
	pages    [][]int // by page and ID of a marked-content sequence: its element
}

type element struct {
	kind   string
	parent int
	kids   []kid
	figure *figure // or nil
}

type figure struct {
	alt string
	box [4]int
}

// kid is an element or, if that is 0, a marked-content sequence.
type kid struct{ element, page, id int }

// Add adds an element as the last one of its parent.
func (t *Tags) Add(parent int, kind string) int {
	if t.elements == nil {
		t.elements = make([]element, 0, 128) // more than most documents have
	}
	t.elements = append(t.elements, element{kind: kind, parent: parent})
	added := len(t.elements)
	of := t.of(parent)
	of.kids = append(of.kids, kid{element: added})
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
func (t *Tags) Begun(number int) bool { return len(t.of(number).kids) > 0 }

func (t *Tags) of(number int) *element {
	if number == Document {
		return &t.root
	}
	return &t.elements[number-1]
}

// Mark begins a marked-content sequence of an element in the content of a page, the first of which is
// 0. It appends the operator; EMC ends the sequence.
func (t *Tags) Mark(content []byte, number, page int) []byte {
	for len(t.pages) <= page {
		t.pages = append(t.pages, nil)
	}
	id := len(t.pages[page])
	t.pages[page] = append(t.pages[page], number)
	of := t.of(number)
	of.kids = append(of.kids, kid{page: page, id: id})
	content = append(append(append(content, '/'), of.kind...), "<</MCID "...)
	return append(strconv.AppendInt(content, int64(id), 10), ">>BDC\n"...)
}

// structure writes the elements, the parent tree and the root of the structure tree, which is the last
// object (ISO 32000-1, 14.7.2 to 14.7.4).
func (w *writer) structure(t *Tags) {
	first := len(w.offsets) + 1
	parents := first + 1 + len(t.elements)
	w.element(&t.root, first, "/S/Document/P ", parents+1)
	for i := range t.elements {
		e := &t.elements[i]
		w.element(e, first, "/S/"+e.kind+"/P ", first+e.parent)
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
func (w *writer) element(e *element, first int, head string, parent int) {
	w.begin()
	w.out = append(w.out, "<<"...)
	w.reference(head, parent)
	page := -1
	if len(e.kids) > 0 && e.kids[0].element == Document {
		page = e.kids[0].page
		w.reference("/Pg ", pageObject(page))
	}
	w.out = append(w.out, "/K["...)
	for _, k := range e.kids {
		switch {
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
