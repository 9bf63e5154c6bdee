package document

import "strings"

// part is a part of a line that is printed in one face.
type part struct {
	face   weight
	text   string   // from left to right, if it is not shaped
	glyphs []placed // if it is shaped
	width  int      // in thousandths of the font size
}

// isComplex reports whether a part of a text needs shaping, or runs from right to left.
func isComplex(text string) bool { return strings.ContainsFunc(text, needsShaping) }

// parts returns the parts of a clean complex line, from left to right.
func (f *fonts) parts(line string, w weight) (parts []part) {
	for _, s := range visual([]rune(line)) {
		faces := f.facesOf(s.text, w)
		first := len(parts)
		for begin := 0; begin < len(faces); {
			end := begin + 1
			for end < len(faces) && faces[end] == faces[begin] {
				end++
			}
			parts = append(parts, f.part(s.text[begin:end], faces[begin], s.rtl))
			begin = end
		}
		if s.rtl {
			for i, j := first, len(parts)-1; i < j; i, j = i+1, j-1 {
				parts[i], parts[j] = parts[j], parts[i]
			}
		}
	}
	return parts
}

// facesOf returns the face of each character of a text. A letter and the marks on it have the same.
func (f *fonts) facesOf(text []rune, w weight) []weight {
	faces := make([]weight, len(text))
	for i, r := range text {
		faces[i] = f.weightOf(r, w)
		switch {
		case i == 0:
		case isJoiner(r):
			faces[i] = faces[i-1]
		case isMark(r) && (faces[i-1] == marked || faces[i-1] == w && f.face(marked).has(text[i-1])):
			faces[i-1], faces[i] = marked, marked
		}
	}
	return faces
}

// part returns a text in one face and one direction.
func (f *fonts) part(text []rune, in weight, rtl bool) part {
	p := part{face: in}
	if s := f.face(in).shaper; s != nil {
		p.glyphs = s.shape(text, rtl)
		for _, g := range p.glyphs {
			p.width += g.advance
		}
		return p
	}
	p.text = string(text)
	if rtl {
		p.text = mirrored(text)
	}
	for _, r := range p.text {
		p.width += f.face(in).advance(r)
	}
	return p
}
