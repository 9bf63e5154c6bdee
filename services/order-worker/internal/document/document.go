// Package document renders documents of the kind of an invoice as PDF: page layout, fonts and PDF
// writing. It knows no orders: a Content holds texts, and a Design says how the documents of a
// sender look.
//
// A document is a hybrid (Factur-X, ZUGFeRD): a PDF/A-3b with the same figures attached as XML. The
// same content gives the same bytes. It is tagged (PDF/UA-1): programs read it aloud in the order of
// Content, with the rows and columns of the table, and the footer once.
//
// # Text
//
// Text is put into Unicode's composed form (NFC) and set in Noto Sans, in regular and bold for the
// Latin, Greek and Cyrillic scripts. Other scripts have a font of one weight each: Noto Sans CJK for
// East Asia, and the fonts of scripts.go. A document embeds the glyphs that it uses. A font is read
// when a document first needs it.
//
// The East Asian font has the characters of GB 2312, of JIS X 0208 with the additions of Windows,
// of the first level of Big5 and of KS X 1001, and all syllables of Korean. A character that
// countries draw differently has the form of mainland China if GB 2312 lists it. Reading the font
// takes 50 ms and 7 MB. Lines of Chinese and Japanese break between any two characters, but no line
// begins with a comma.
//
// Texts of the scripts of scripts.go are shaped by a port of HarfBuzz: letters are joined and
// reordered, and marks are at the anchors of the font. Latin, Greek and Cyrillic letters are shaped
// only if marks are on them that do not compose. Runs of right-to-left text are reordered within
// their line. The line itself runs from left to right. A character that the fonts lack is printed as
// a box (□), and the document then explains the box. docs/invoices.md lists them. No text makes
// rendering fail.
package document

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jung-kurt/gofpdf"

	"example.com/orders/shared/pdfa"
)

// Design is how the documents of a sender look. Both fields may be empty: no logo, black.
type Design struct {
	Logo   string // an SVG path of the commands M, L, C and Z (absolute), in a square of 24 units
	Colour string // of the logo, the headings and the total: six hex digits
}

// Check returns what is wrong with the logo and with the colour.
func (d Design) Check() (logo, colour error) {
	_, logo = drawing(d.Logo)
	_, colour = parseColour(d.Colour)
	return logo, colour
}

// NewRenderer reads the embedded fonts and returns a renderer. An error means that the design does
// not pass Check or that a font is damaged.
func (d Design) NewRenderer() (*Renderer, error) {
	logo, err := drawing(d.Logo)
	if err != nil {
		return nil, fmt.Errorf("reading logo: %w", err)
	}
	accent, err := parseColour(d.Colour)
	if err != nil {
		return nil, fmt.Errorf("reading colour: %w", err)
	}
	f, err := loadFonts()
	if err != nil {
		return nil, fmt.Errorf("reading fonts: %w", err)
	}
	return &Renderer{fonts: f, logo: logo, accent: accent, sealer: pdfa.NewSealer()}, nil
}

// Renderer renders documents of one design. It is safe for concurrent use.
type Renderer struct {
	fonts  *fonts
	logo   string // as PDF operators
	accent colour
	sealer *pdfa.Sealer
	idle   sync.Pool // of *buffers
	blank  sync.Map  // documents of pages by their number
}

// Content is the texts of a document, in the order of the page. Empty texts are left out. Names,
// addresses, descriptions and other free text may hold any character. Headings, labels, numbers and
// amounts are printed unchanged and must use characters of the fonts only.
type Content struct {
	Title  string // the kind of document
	Number string
	Issued time.Time // the PDF's creation date

	Language string // of headings and labels, as in BCP 47; PDF/UA-1 requires it

	Sender    []string // name, then the lines of the address
	Website   string
	Recipient []string    // name and address
	Facts     [][2]string // label and value
	Delivery  string      // paragraph above the subject
	Subject   []string    // paragraphs above the table, the first in bold

	Columns  [6]string             // headings: position, description, quantity, price, VAT, net
	Subtotal func(rows int) string // net amount of that many first rows
	Forward  string                // label of the subtotal at the end of a page
	Brought  string                // label of the subtotal at the beginning of a page

	Totals  [][2]string // label and amount; the last one is emphasised
	Terms   string      // of payment
	Account [][2]string // label and value; empty: no payment box, only the terms
	Code    [][]bool    // QR code in the payment box, by rows, true for a dark module; or nil
	CodeAlt string      // says what the code is to people who do not see it
	Notes   []string
	BoxNote string // printed when a character was replaced by a box

	Footer [3][]string // columns at the foot of each page
	Page   func(page, pages int) string

	Attachment []byte // the document as XML

	rows []row
}

type row struct {
	cells [6]string
	note  string
}

// AddRow adds a row to the table, with a cell for each of Columns. The note is printed below the
// description. Render needs at least one row, one total and one line of Sender.
func (c *Content) AddRow(cells [6]string, note string) { c.rows = append(c.rows, row{cells, note}) }

// Render returns the document as PDF/A-3b and PDF/UA-1 with its attachment. The same content gives the same
// bytes. missing are the characters that are printed as boxes, each once, in the order of Unicode.
func (r *Renderer) Render(c *Content) (document []byte, missing []rune, err error) {
	// gofpdf panics on input that it does not expect, and loadEastern when the font is damaged.
	defer func() {
		if v := recover(); v != nil {
			document, missing, err = nil, nil, fmt.Errorf("panic: %v", v)
		}
	}()
	l := newLayout(r, c)
	l.draw()
	contents, fonts := l.output()
	pages, err := r.pages(len(contents))
	if err != nil {
		return nil, nil, err
	}
	info := pdfa.Info{Title: c.Title + " " + c.Number, Author: c.Sender[0], At: c.Issued, Language: c.Language}
	slices.Sort(l.missing)
	document, err = r.sealer.Seal(pages, contents, info, &l.tags, c.Attachment, fonts...)
	r.idle.Put(l.buffers)
	return document, slices.Compact(l.missing), err
}

// pages returns a document of gofpdf with a number of pages that have no content. It is the same for all documents of
// that length.
func (r *Renderer) pages(number int) ([]byte, error) {
	if known, ok := r.blank.Load(number); ok {
		return known.([]byte), nil //nolint:forcetypeassert // only pages stores there
	}
	pdf := gofpdf.New("P", "mm", "A4", "")
	pdf.SetCompression(false) // Seal reads the pages
	for range number {
		pdf.AddPage()
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		return nil, err
	}
	r.blank.Store(number, out.Bytes())
	return out.Bytes(), nil
}

// Densest returns the n East Asian characters with the largest outlines, for the largest document
// that n characters can cause.
func (r *Renderer) Densest(n int) []rune {
	glyphs := slices.Clone(r.fonts.face(eastern).glyphs)
	slices.SortFunc(glyphs, func(a, b glyph) int { return len(b.outline) - len(a.outline) })
	chars := make([]rune, n)
	for i := range chars {
		chars[i] = glyphs[i].char
	}
	return chars
}
