package document

import (
	"math"

	"example.com/orders/shared/pdfa"
)

// What is drawn belongs to an element of the document or is an artifact, which is not read aloud: lines,
// areas, and what is repeated on each page.
const (
	artifact = -1
	unmarked = -2
)

// tag adds an element to the document. Texts that are drawn next belong to it.
func (s *sheet) tag(kind string) { s.element = s.tags.Add(pdfa.Document, kind) }

// asArtifact draws what is no element.
func (s *sheet) asArtifact(draw func()) {
	element := s.element
	s.element = artifact
	draw()
	s.element = element
}

// mark marks what is drawn next on the page as of an element, or as artifact.
func (s *sheet) mark(element int) {
	if element == s.marked {
		return
	}
	s.unmark()
	s.marked = element
	if element == artifact {
		s.content = append(s.content, "/Artifact BMC\n"...)
		return
	}
	s.content = s.tags.Mark(s.content, element, s.page-1)
}

// unmark ends what mark began.
func (s *sheet) unmark() {
	if s.marked != unmarked {
		s.content = append(s.content, "EMC\n"...)
		s.marked = unmarked
	}
}

// figure marks what is drawn next in a square as a figure. alt describes it.
func (s *sheet) figure(alt string, x, y, side float64) {
	from, to := func(mm float64) int { return int(mm / dot) }, func(mm float64) int { return int(math.Ceil(mm / dot)) }
	s.mark(s.tags.AddFigure(pdfa.Document, alt, [4]int{from(x), from(a4 - y - side), to(x + side), to(a4 - y)}))
}
