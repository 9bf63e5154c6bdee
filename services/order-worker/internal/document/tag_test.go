package document

import (
	"bytes"
	"strings"
	"testing"

	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/golden"
)

// The rows of a table that is continued on a second page are one table. Headings and footer are read
// once, and labels are apart from their values.
func TestADocumentIsReadInOrder(t *testing.T) {
	t.Parallel()
	c := example(26)
	c.rows[24].cells[1] = strings.Repeat("Trekking tent for two ", 4)
	c.Code, c.CodeAlt = [][]bool{{true}}, "QR code for the bank transfer"
	golden.Compare(t, "testdata/structure.txt", []byte(pdftest.Structure(t, pdf(t, renderer(t), c))))
}

// What is drawn is marked once: every text and area is in a marked-content sequence, and none is within
// another.
func TestAllContentIsMarked(t *testing.T) {
	t.Parallel()
	r, c := renderer(t), example(40)
	c.Recipient[0], c.Code = "王小明 שלום Ẹ̀kọ́", [][]bool{{true}}
	l := newLayout(r, c)
	l.draw()
	contents, _ := l.output()
	drawn := bytes.Join(append(contents, nil), []byte("endstream\n"))
	open, sequences := false, 0
	for line := range strings.Lines(string(drawn)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasSuffix(line, "BDC"), strings.HasSuffix(line, "BMC"):
			if open {
				t.Fatalf("%q begins within another sequence", line)
			}
			open, sequences = true, sequences+1
		case line == "EMC":
			open = false
		case !open && (strings.HasPrefix(line, "BT") || strings.HasSuffix(line, "f* Q") || strings.HasSuffix(line, " S") || strings.HasSuffix(line, " f") || line == "f Q"):
			t.Errorf("%q is not marked", line)
		case line == "endstream" && open:
			t.Error("a sequence does not end on its page")
		}
	}
	if sequences < 300 {
		t.Errorf("got %d marked-content sequences, want those of 40 rows", sequences)
	}
}
