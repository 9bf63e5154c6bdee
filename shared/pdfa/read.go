package pdfa

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// ErrNone means that a document has no attachment written by Seal.
var ErrNone = errors.New("no attached invoice")

// file matches the head of the attachment: its length compressed and uncompressed.
var file = regexp.MustCompile(`^<< /Type /EmbeddedFile /Subtype /text#2Fxml /Filter /FlateDecode /Length (\d{1,8})` +
	` /Params << /Size (\d{1,8}) /ModDate \(D:\d{14}Z\) >> >>\nstream\n`)

// Extract returns the XML that Seal attached to a document. A missing or damaged attachment is
// ErrNone.
func Extract(document []byte) ([]byte, error) {
	t, err := readTable(document)
	if err != nil || len(t.offsets) < ownObjects || !bytes.HasPrefix(document, []byte(header)) {
		return nil, ErrNone
	}
	object := document[t.offsets[len(t.offsets)-1]:t.start]
	object, ok := bytes.CutPrefix(object, fmt.Appendf(nil, "%d 0 obj\n", len(t.offsets)))
	head := file.FindSubmatch(object)
	if !ok || head == nil {
		return nil, ErrNone
	}
	packed, ok := bytes.CutSuffix(object[len(head[0]):], []byte("\nendstream\nendobj\n"))
	if !ok || strconv.Itoa(len(packed)) != string(head[1]) {
		return nil, ErrNone
	}
	size, _ := strconv.ParseInt(string(head[2]), 10, 64) // eight digits fit
	invoice, err := inflate(packed, size)
	if err != nil {
		return nil, fmt.Errorf("%w that is whole", ErrNone)
	}
	return invoice, nil
}

// inflate decompresses data to exactly size bytes. It uses no more memory than that.
func inflate(packed []byte, size int64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(z, size+1))
	if err == nil && int64(len(data)) != size {
		err = fmt.Errorf("is not %d bytes long", size)
	}
	return data, err
}

// table is the cross-reference table of a document.
type table struct {
	start   int   // its offset
	end     int   // the offset of the trailer
	offsets []int // of the objects, from number 1 on
}

// readTable reads a table with one section, as gofpdf and Seal write it. Every offset is less than
// that of the table.
func readTable(document []byte) (table, error) {
	none := fmt.Errorf("%w: no cross-reference table", ErrNotGofpdf)
	var t table
	const last, eof = "startxref\n", "\n%%EOF\n"
	i := bytes.LastIndex(document, []byte(last))
	number, ok := bytes.CutSuffix(document[max(i, 0):], []byte(eof))
	if i < 0 || !ok {
		return t, none
	}
	var err error
	if t.start, err = strconv.Atoi(string(number[len(last):])); err != nil || t.start < 0 || t.start > i {
		return t, none
	}
	const head, entry = "0000000000 65535 f \n", 20
	section, ok := bytes.CutPrefix(document[t.start:], []byte("xref\n0 "))
	count, rows, _ := bytes.Cut(section, []byte("\n"))
	n, err := strconv.Atoi(string(count))
	if !ok || err != nil || n < 1 || n > len(rows)/entry || string(rows[:entry]) != head {
		return t, none
	}
	t.end = t.start + len("xref\n0 ") + len(count) + 1 + n*entry
	for i := 1; i < n; i++ {
		row := rows[i*entry : (i+1)*entry]
		offset, err := strconv.Atoi(string(row[:10]))
		if err != nil || offset < 0 || offset > t.start || string(row[10:]) != " 00000 n \n" {
			return t, none
		}
		t.offsets = append(t.offsets, offset)
	}
	return t, nil
}

// parsed is a document of gofpdf without the objects that Seal replaces.
type parsed struct {
	// The kept objects, from number 1 on: the page tree, nothing in place of the resources, and in turn
	// pages and their contents.
	objects [][]byte
}

const (
	resourcesObject = 2
	// The resources of a document without fonts and images, as gofpdf writes them before the document
	// information.
	noResources = "2 0 obj\n<<\n/ProcSet [/PDF /Text /ImageB /ImageC /ImageI]\n/Font <<\n>>\n/XObject <<\n>>\n/ColorSpace <<\n>>\n>>\nendobj\n"
	pageHead    = "<</Type /Page\n"
)

// parse parses a document of gofpdf, which has its pages, the page tree, the resources, the document
// information and the catalog in this sequence.
func parse(document []byte) (parsed, error) {
	t, err := readTable(document)
	if err != nil {
		return parsed{}, err
	}
	n := len(t.offsets)
	trailer := fmt.Sprintf("trailer\n<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n>>\nstartxref\n%d\n%%%%EOF\n", n+1, n, n-1, t.start)
	if n < resourcesObject+2 || string(document[t.end:]) != trailer {
		return parsed{}, fmt.Errorf("%w: another trailer", ErrNotGofpdf)
	}
	tree, resources, info := t.offsets[0], t.offsets[resourcesObject-1], t.offsets[n-2]
	if !bytes.HasPrefix(document, []byte("%PDF-1.")) || tree > resources {
		return parsed{}, fmt.Errorf("%w: another sequence of objects", ErrNotGofpdf)
	}
	if info < resources || string(document[resources:info]) != noResources {
		return parsed{}, fmt.Errorf("%w: fonts or images", ErrNotGofpdf)
	}
	p := parsed{make([][]byte, n-2)}
	p.objects[0] = document[tree:resources]
	for i, end := n-3, tree; i >= resourcesObject; i-- {
		if t.offsets[i] > end {
			return parsed{}, fmt.Errorf("%w: another sequence of objects", ErrNotGofpdf)
		}
		p.objects[i], end = document[t.offsets[i]:end], t.offsets[i]
	}
	return p, nil
}
