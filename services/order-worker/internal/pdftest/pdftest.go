// Package pdftest reads PDFs back in tests, with poppler-utils and qpdf.
package pdftest

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"testing"
)

// Text returns the text of a document as poppler lays it out. Pages end in a form feed.
func Text(t testing.TB, document []byte) string {
	t.Helper()
	return Run(t, "poppler-utils", document, "pdftotext", "-layout", "-", "-")
}

// Structure returns the elements of a tagged document with their texts, as they are read aloud.
func Structure(t testing.TB, document []byte) string {
	t.Helper()
	return Run(t, "poppler-utils", document, "pdfinfo", "-struct-text", "-")
}

// Word is a word of a document and its box, in points from the top left corner of its page.
type Word struct {
	XMin float64 `xml:"xMin,attr"`
	XMax float64 `xml:"xMax,attr"`
	YMin float64 `xml:"yMin,attr"`
	YMax float64 `xml:"yMax,attr"`
	Text string  `xml:",chardata"`
}

// Words returns the words of a document. Fewer than 50 fail the test.
func Words(t testing.TB, document []byte) []Word {
	t.Helper()
	var found struct {
		Words []Word `xml:"body>doc>page>word"`
	}
	if err := xml.Unmarshal([]byte(Run(t, "poppler-utils", document, "pdftotext", "-bbox", "-", "-")), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Words) < 50 {
		t.Fatalf("got %d words, want a whole document", len(found.Words))
	}
	return found.Words
}

// Run runs a tool of a Debian package and returns what it prints. Without the tool the test is
// skipped; in CI it fails.
func Run(t testing.TB, pkg string, input []byte, tool string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install %s", tool, pkg)
	}
	if err != nil {
		t.Skipf("%s is missing, so no PDF is read back: install %s", tool, pkg)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", tool, err, &stderr)
	}
	return string(out)
}
