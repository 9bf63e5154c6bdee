package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/harfbuzz"
	"golang.org/x/text/unicode/norm"
)

// shaper shapes the texts of a face. It is safe for concurrent use.
type shaper struct {
	font *font.Font
	idle sync.Pool // of *shaping
}

// shaping is the state of one call at a time.
type shaping struct {
	font   *harfbuzz.Font
	buffer *harfbuzz.Buffer
}

// placed is a glyph of a shaped text. Lengths are in thousandths of the font size.
type placed struct {
	glyph   int    // its index in the face
	text    string // to search and copy, or empty
	advance int    // to the next glyph
	x, y    int    // by how much the glyph is moved right and up
}

// readShaped reads a file of cut.py that has a TrueType font.
func readShaped(name string, packed []byte) (*face, error) {
	data, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	loader, err := opentype.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	parsed, err := font.NewFont(loader)
	if err != nil {
		return nil, err
	}
	f := &face{shaper: &shaper{font: parsed}}
	f.shaper.idle.New = func() any {
		return &shaping{harfbuzz.NewFont(font.NewFace(parsed)), harfbuzz.NewBuffer()}
	}
	return f, f.readTables(name, loader)
}

// readTables reads metrics and glyphs.
func (f *face) readTables(name string, loader *opentype.Loader) (err error) {
	var raw [6][]byte
	for i, table := range []string{"head", "hhea", "maxp", "hmtx", "loca", "glyf"} {
		if raw[i], err = loader.RawTable(opentype.MustNewTag(table)); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	f.tables = [3][]byte(raw[:3])
	head, hhea, maxp, hmtx, loca, glyf := raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]
	if len(head) < 54 || len(hhea) < 36 || len(maxp) < 6 {
		return errors.New("cut short")
	}
	f.Name, f.Ascent, f.Descent, f.CapHeight, f.Stem = name+"-Regular", signed(hhea, 4), signed(hhea, 6), 714, 70
	for i := range f.Box {
		f.Box[i] = signed(head, 36+2*i)
	}
	metrics, long := number(hhea, 34), head[51] == 1
	for i := range number(maxp, 4) {
		m := 4 * min(i, metrics-1)
		bearing := m + 2
		if i >= metrics {
			bearing = 4*metrics + 2*(i-metrics)
		}
		begin, end := offset(loca, i, long), offset(loca, i+1, long)
		if bearing+2 > len(hmtx) || begin > end || end > len(glyf) {
			return errors.New("cut short")
		}
		outline := slices.Clip(glyf[begin:end])
		outline = append(outline, "\x00\x00\x00"[:(4-len(outline)%4)%4]...)
		f.glyphs = append(f.glyphs, glyph{0, number(hmtx, m), signed(hmtx, bearing), outline})
	}
	return nil
}

func number(table []byte, at int) int { return int(binary.BigEndian.Uint16(table[at:])) }
func signed(table []byte, at int) int { return int(int16(number(table, at))) }

// offset returns an entry of a loca table, whose entries have two or four bytes.
func offset(loca []byte, i int, long bool) int {
	if long {
		return int(binary.BigEndian.Uint32(loca[4*i:]))
	}
	return 2 * number(loca, 2*i)
}

// shape returns the glyphs of a text from left to right.
func (s *shaper) shape(text []rune, rtl bool) []placed {
	state := s.idle.Get().(*shaping)
	defer s.idle.Put(state)
	b := state.buffer
	b.Clear()
	b.AddRunes(text, 0, len(text))
	b.Props = harfbuzz.SegmentProperties{Direction: harfbuzz.LeftToRight}
	if rtl {
		b.Props.Direction = harfbuzz.RightToLeft
	}
	b.GuessSegmentProperties()
	b.Flags = harfbuzz.RemoveDefaultIgnorables
	b.Shape(state.font, nil)
	glyphs := make([]placed, len(b.Info))
	for i, p := range b.Pos {
		glyphs[i] = placed{glyph: int(b.Info[i].Glyph), advance: int(p.XAdvance), x: int(p.XOffset), y: int(p.YOffset)}
	}
	for i := 0; i < len(glyphs); {
		end := i + 1
		for end < len(glyphs) && b.Info[end].Cluster == b.Info[i].Cluster {
			end++
		}
		from, to := b.Info[i].Cluster, len(text)
		if !rtl && end < len(glyphs) {
			to = b.Info[end].Cluster
		}
		if rtl && i > 0 {
			to = b.Info[i-1].Cluster
		}
		spell(glyphs[i:end], text[from:to], rtl)
		i = end
	}
	return glyphs
}

// spell distributes a text over its glyphs that are not marks, so that programs that read the glyphs
// from left to right read the text. Marks have none: such programs sort glyphs by place, and would
// read some marks at the wrong one. A vowel in two parts is spelled as two characters.
func spell(glyphs []placed, text []rune, rtl bool) {
	var letters []*placed
	for i := range glyphs {
		if glyphs[i].advance > 0 {
			letters = append(letters, &glyphs[i])
		}
	}
	switch {
	case len(letters) == 0:
		letters = append(letters, &glyphs[0])
	case rtl:
		slices.Reverse(letters)
	}
	if len(letters) > len(text) {
		text = []rune(norm.NFD.String(string(text)))
	}
	for i, l := range letters {
		n := min(1, len(text))
		if i == len(letters)-1 {
			n = len(text)
		}
		l.text, text = string(text[:n]), text[n:]
	}
}

func (s *shaper) has(r rune) bool {
	_, known := s.font.NominalGlyph(r)
	return known
}
