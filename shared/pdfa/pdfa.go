// Package pdfa makes hybrid invoices (Factur-X, ZUGFeRD): a PDF/A-3b for people, with the invoice
// attached as XML for programs. It also extracts the XML. The PDF is tagged (PDF/UA-1), for people who
// do not see it.
//
// Seal reads documents of gofpdf only. It keeps their pages, adds content to them, and replaces the catalog, the
// document information and the resources. The pages have no fonts and images of gofpdf, which takes as long to
// read a font as for everything else: they name the fonts that Seal embeds. The caller meets the other
// requirements: no transparency, no encryption, and all content is marked as an element of Tags or as an
// artifact. Extract reads documents of Seal only; it does
// not search or repair.
//
// The same input gives the same bytes. The file ID is derived from title, author, time and the
// checksum of the XML.
package pdfa

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/adler32"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// icc is the colour profile. It is too small to compress.
//
//go:embed icc/sRGB-v2-nano.icc
var icc []byte

// xmp is a format of the metadata, with verbs for title, author and time.
//
//go:embed xmp.xml
var xmp string

// ErrNotGofpdf means that Seal cannot read a document.
var ErrNotGofpdf = errors.New("not a PDF as gofpdf writes it")

// Info is the document information that PDF viewers show.
type Info struct {
	Title  string
	Author string
	At     time.Time // of creation, to the second

	Language string // of the text, as in BCP 47: de, en; PDF/UA requires it
}

// Sealer makes hybrid documents. It is safe for concurrent use.
type Sealer struct {
	// idle holds unused writers: creating one takes six times as long as using it. A sync.Pool
	// would lose them to the garbage collector every few invoices.
	idle chan *zlib.Writer
}

// NewSealer returns a Sealer. It keeps up to 1.2 MB for each processor.
func NewSealer() *Sealer { return &Sealer{make(chan *zlib.Writer, runtime.GOMAXPROCS(0))} }

// The objects that Seal writes: two in place of those of gofpdf, and five more.
const (
	infoObject = iota
	catalogObject
	metadataObject
	intentObject
	profileObject
	specObject
	fileObject // last, so that Extract finds it
	ownObjects
)

// header declares PDF 1.7, on which PDF/A-3 is based. Its second line marks the file as binary.
const header = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

// Seal returns the document as PDF/A-3b and PDF/UA-1, with its fonts embedded and the XML as its
// attachment factur-x.xml, in the profile EN 16931. contents are operators by page, which follow what gofpdf has
// drawn there; or nil.
func (s *Sealer) Seal(document []byte, contents [][]byte, i Info, tags *Tags, invoice []byte, fonts ...Font) ([]byte, error) {
	p, err := parse(document)
	if err != nil {
		return nil, err
	}
	drawn := 0
	for _, content := range contents {
		drawn += len(content)
	}
	size := len(document) + drawn + 128*len(tags.elements)
	for _, f := range fonts {
		size += len(f.Program) + 24*len(f.Widths) + 1500
	}
	packed := s.pack(invoice)
	w := &writer{Sealer: s, out: make([]byte, 0, size+len(packed)+len(xmp)+len(icc)+4096)}
	if err := w.keep(p, contents, drawn > large, tags, len(fonts)); err != nil {
		return nil, err
	}
	w.resources(fonts)
	for _, f := range fonts {
		w.embed(f)
	}
	w.structure(tags)
	w.first = len(w.offsets) + 1
	w.objects(i, len(invoice), packed)
	w.trailer(i.id(packed))
	return w.out, nil
}

// id identifies the document (ISO 32000-1, 14.4). The XML ends with its checksum.
func (i Info) id(packed []byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%x", i.Title, i.Author, i.At.Unix(), packed[len(packed)-4:]))
}

// small is the size up to which data is stored uncompressed: compressing it would take as long as
// drawing a short invoice.
const small = 8 << 10

// pack returns data in zlib format (RFC 1950). Extract verifies its checksum.
func (s *Sealer) pack(data []byte) []byte {
	if len(data) <= small {
		return stored(data)
	}
	var z *zlib.Writer
	select {
	case z = <-s.idle:
	default:
		z, _ = zlib.NewWriterLevel(nil, zlib.BestSpeed) // its only error is an unknown level
	}
	var out bytes.Buffer // returns no error
	z.Reset(&out)
	_, _ = z.Write(data)
	_ = z.Close()
	select {
	case s.idle <- z:
	default:
	}
	return out.Bytes()
}

// stored returns data in one uncompressed block (RFC 1951, 3.2.4).
func stored(data []byte) []byte {
	size := uint16(len(data))
	out := append(make([]byte, 0, len(data)+11), 0x78, 0x01, 1)
	out = binary.LittleEndian.AppendUint16(out, size)
	out = binary.LittleEndian.AppendUint16(out, ^size)
	return binary.BigEndian.AppendUint32(append(out, data...), adler32.Checksum(data))
}

// writer appends objects to a document.
type writer struct {
	*Sealer
	out     []byte
	first   int   // number of the first of Seal's own objects
	offsets []int // of all objects, from number 1 on
}

// keep copies the kept objects, with more content for the pages. Tagged pages name their entry in the parent tree.
func (w *writer) keep(p parsed, contents [][]byte, compress bool, tags *Tags, fonts int) error {
	w.out = append(w.out, header...)
	w.offsets = make([]int, len(p.objects), len(p.objects)+fontObjects*fonts+len(tags.elements)+3+ownObjects)
	for i, object := range p.objects[resourcesObject:] {
		w.offsets[resourcesObject+i] = len(w.out)
		switch page := i / 2; {
		case i%2 == 1 && page < len(contents):
			if !w.content(object, contents[page], compress) {
				return fmt.Errorf("%w: content of page %d", ErrNotGofpdf, page+1)
			}
			continue
		case i%2 == 0 && page < len(tags.pages):
			head, rest, found := bytes.Cut(object, []byte(pageHead))
			if !found {
				return fmt.Errorf("%w: page %d", ErrNotGofpdf, page+1)
			}
			w.out = append(append(w.out, head...), pageHead+"/Tabs /S\n/StructParents "...)
			w.out, object = append(strconv.AppendInt(w.out, int64(page), 10), '\n'), rest
		}
		w.out = append(w.out, object...)
	}
	w.offsets[0] = len(w.out)
	w.out = append(w.out, p.objects[0]...)
	return nil
}

// content writes the content of a page: what gofpdf has drawn there, and more. False means that gofpdf wrote no plain
// stream.
func (w *writer) content(object, more []byte, compress bool) bool {
	const begin, end = "\nstream\n", "\nendstream\nendobj\n"
	head, drawn, found := bytes.Cut(object, []byte(begin))
	drawn, whole := bytes.CutSuffix(drawn, []byte(end))
	number, _, plain := bytes.Cut(head, []byte("\n<</Length "))
	if !found || !whole || !plain {
		return false
	}
	w.out = append(w.out, number...)
	if compress {
		packed := w.pack(append(slices.Concat(drawn, more), '\n'))
		w.out = append(fmt.Appendf(w.out, "\n<</Filter /FlateDecode /Length %d>>"+begin, len(packed)), packed...)
	} else {
		w.out = fmt.Appendf(w.out, "\n<</Length %d>>"+begin, len(drawn)+len(more)+1)
		w.out = append(append(append(w.out, drawn...), more...), '\n')
	}
	w.out = append(w.out, end...)
	return true
}

func (w *writer) number(object int) int { return w.first + object }

// begin begins the next object.
func (w *writer) begin() {
	w.offsets = append(w.offsets, len(w.out))
	w.out = append(strconv.AppendInt(w.out, int64(len(w.offsets)), 10), " 0 obj\n"...)
}

// object writes the next object.
func (w *writer) object(format string, args ...any) {
	w.begin()
	w.out = fmt.Appendf(w.out, format, args...)
	w.out = append(w.out, "\nendobj\n"...)
}

// stream writes the next object, a stream. dictionary is the beginning of its dictionary.
func (w *writer) stream(dictionary string, data []byte) {
	w.begin()
	w.out = fmt.Appendf(w.out, "<<%s /Length %d >>\nstream\n", dictionary, len(data))
	w.out = append(append(w.out, data...), "\nendstream\nendobj\n"...)
}

// objects writes Seal's own objects, in the order of their numbers.
func (w *writer) objects(i Info, size int, packed []byte) {
	at := i.At.UTC().Format("20060102150405")
	w.object("<< /Title %s /Author %s /CreationDate (D:%sZ) /ModDate (D:%[3]sZ) >>", text(i.Title), text(i.Author), at)
	language := ""
	if i.Language != "" {
		language = " /Lang " + text(i.Language)
	}
	w.object("<< /Type /Catalog /Pages 1 0 R%s /MarkInfo << /Marked true >> /StructTreeRoot %d 0 R /ViewerPreferences << /DisplayDocTitle true >>"+
		" /Metadata %d 0 R /OutputIntents [%d 0 R] /AF [%d 0 R] /Names << /EmbeddedFiles << /Names [(factur-x.xml) %[5]d 0 R] >> >> >>",
		language, w.first-1, w.number(metadataObject), w.number(intentObject), w.number(specObject))
	w.stream(" /Type /Metadata /Subtype /XML", fmt.Appendf(nil, xmp, escape(i.Title), escape(i.Author), i.At.UTC().Format(time.RFC3339)))
	w.object("<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB) /DestOutputProfile %d 0 R >>", w.number(profileObject))
	w.stream(" /N 3", icc)
	// Alternative: XML and pages have the same content.
	w.object("<< /Type /Filespec /F (factur-x.xml) /UF (factur-x.xml) /AFRelationship /Alternative /Desc (The invoice as XML) /EF << /F %d 0 R /UF %[1]d 0 R >> >>",
		w.number(fileObject))
	w.object("<< /Type /EmbeddedFile /Subtype /text#2Fxml /Filter /FlateDecode /Length %d"+
		" /Params << /Size %d /ModDate (D:%sZ) >> >>\nstream\n%s\nendstream", len(packed), size, at, packed)
}

func (w *writer) trailer(digest [sha256.Size]byte) {
	start, size := len(w.out), len(w.offsets)+1
	w.out = fmt.Appendf(w.out, "xref\n0 %d\n0000000000 65535 f \n", size)
	const padded = 10_000_000_000 // and an offset have a digit before the ten of the offset
	var digits [11]byte
	for _, offset := range w.offsets {
		w.out = append(append(w.out, strconv.AppendInt(digits[:0], padded+int64(offset), 10)[1:]...), " 00000 n \n"...)
	}
	w.out = fmt.Appendf(w.out, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%x> <%[4]x>] >>\nstartxref\n%d\n%%%%EOF\n",
		size, w.number(catalogObject), w.number(infoObject), digest[:16], start)
}

// numbers writes an array.
func numbers(values []int) []byte {
	out := append(make([]byte, 0, 2+4*len(values)), '[')
	for _, v := range values {
		out = append(strconv.AppendInt(out, int64(v), 10), ' ')
	}
	return append(out, ']')
}

// text returns a PDF string in UTF-16, which can hold any text, as hex, which needs no escapes.
func text(s string) string {
	out := append(make([]byte, 0, 6+4*len(s)), "<FEFF"...)
	for _, unit := range utf16.Encode([]rune(s)) {
		out = hex(out, unit)
	}
	return string(append(out, '>'))
}

// escape escapes a text for XML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder returns no error
	return b.String()
}
