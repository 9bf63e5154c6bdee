package pdfa_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/pdfa"
)

var info = pdfa.Info{Title: "Invoice 7", Author: "Żółw & Söhne <GmbH> 😀", At: time.Date(2026, 9, 29, 10, 15, 43, 0, time.FixedZone("", 7200)), Language: "de"}

// page returns a document of one empty page.
func page() []byte {
	return drawn("<</Type /Pages /Kids [3 0 R] /Count 1>>", "<</Type /Page\n/Parent 1 0 R /MediaBox [0 0 595 842] /Resources 2 0 R>>")
}

// drawn returns a document as gofpdf writes it, with its pages as object 1, objects from number 3 on,
// empty resources, information and catalog.
func drawn(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.3\n")
	table := "0000000000 65535 f \n"
	const resources = "<<\n/ProcSet [/PDF /Text /ImageB /ImageC /ImageI]\n/Font <<\n>>\n/XObject <<\n>>\n/ColorSpace <<\n>>\n>>"
	n := len(objects) + 3
	offsets := make([]int, n+1)
	add := func(number int, object string) {
		offsets[number] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", number, object)
	}
	for i, o := range objects[1:] {
		add(i+3, o)
	}
	add(1, objects[0])
	add(2, resources)
	add(n-1, "<< /Producer (x) >>")
	add(n, "<< /Type /Catalog >>")
	for _, offset := range offsets[1:] {
		table += fmt.Sprintf("%010d 00000 n \n", offset)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n%strailer\n<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n>>\nstartxref\n%d\n%%%%EOF\n", n+1, table, n+1, n, n-1, start)
	return b.Bytes()
}

func seal(t testing.TB, invoice string) []byte {
	t.Helper()
	s := pdfa.NewSealer()
	hybrid, err := s.Seal(page(), nil, info, &pdfa.Tags{}, []byte(invoice))
	if err != nil {
		t.Fatal(err)
	}
	return hybrid
}

func ExampleExtract() {
	s := pdfa.NewSealer()
	hybrid, err := s.Seal(page(), nil, pdfa.Info{Title: "Invoice 7", Author: "Shop"}, &pdfa.Tags{}, []byte("<invoice/>"))
	if err != nil {
		fmt.Println(err)
	}
	attached, err := pdfa.Extract(hybrid)
	fmt.Println(string(attached), err)
	_, err = pdfa.Extract(page())
	fmt.Println(err)
	// Output:
	// <invoice/> <nil>
	// no attached invoice
}

func TestHybridMatchesGoldenFile(t *testing.T) {
	t.Parallel()
	golden.Compare(t, "testdata/hybrid.pdf", seal(t, "<invoice>7</invoice>"))
}

func TestCrossReferenceTableHasTheOffsetsOfObjects(t *testing.T) {
	t.Parallel()
	hybrid := seal(t, "<invoice/>")
	rows := regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllSubmatch(hybrid, -1)
	if len(rows) != 13 {
		t.Fatalf("got %d objects, want the 3 that are drawn and 10", len(rows))
	}
	for i, row := range rows {
		offset := 0
		fmt.Sscanf(string(row[1]), "%d", &offset)
		if want := fmt.Sprintf("%d 0 obj\n", i+1); !bytes.HasPrefix(hybrid[offset:], []byte(want)) {
			t.Errorf("object %d: got %.20q at %d", i+1, hybrid[offset:], offset)
		}
	}
}

func TestInfoIsInDictionaryAndMetadata(t *testing.T) {
	t.Parallel()
	hybrid := string(seal(t, "<invoice/>"))
	for _, want := range []string{
		"/Title <FEFF0049006E0076006F00690063006500200037>", "D83DDE00> /CreationDate (D:20260929081543Z)",
		"/Lang <FEFF00640065> /MarkInfo << /Marked true >> /StructTreeRoot 6 0 R /ViewerPreferences << /DisplayDocTitle true >>", ">Invoice 7</rdf:li>", "<rdf:li>Żółw &amp; Söhne &lt;GmbH&gt; 😀</rdf:li>", "<xmp:CreateDate>2026-09-29T08:15:43Z</xmp:CreateDate>",
		"/AFRelationship /Alternative", "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
	} {
		if !strings.Contains(hybrid, want) {
			t.Errorf("%q is not in the document", want)
		}
	}
}

func TestExtractReturnsTheAttachment(t *testing.T) {
	t.Parallel()
	s := pdfa.NewSealer()
	rapid.Check(t, func(t *rapid.T) {
		invoice := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 2000), rapid.Just(bytes.Repeat([]byte("<line/>"), 1500))).Draw(t, "invoice")
		title := rapid.String().Draw(t, "title")
		hybrid, err := s.Seal(page(), nil, pdfa.Info{Title: title, At: info.At}, &pdfa.Tags{}, invoice)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pdfa.Extract(hybrid); err != nil || !bytes.Equal(got, invoice) {
			t.Fatalf("got %q, %v; want %q", got, err, invoice)
		}
	})
}

// A changed byte in the attachment, or in the objects that lead to it, means that it is not
// extracted.
func TestDamagedAttachmentIsNotExtracted(t *testing.T) {
	t.Parallel()
	hybrid := seal(t, "<invoice>7</invoice>")
	begin := bytes.Index(hybrid, []byte("/Type /EmbeddedFile"))
	end := bytes.LastIndex(hybrid, []byte("trailer"))
	for i := begin; i < end; i++ {
		damaged := bytes.Clone(hybrid)
		damaged[i] ^= 1
		// Offsets of other objects and the date do not matter.
		if got, err := pdfa.Extract(damaged); err == nil && string(got) != "<invoice>7</invoice>" {
			t.Errorf("byte %d: got %q, want none", i, got)
		}
	}
	if _, err := pdfa.Extract(hybrid[:len(hybrid)-1]); !errors.Is(err, pdfa.ErrNone) {
		t.Errorf("cut short: got %v, want none", err)
	}
}

func TestSealRefusesDocumentsOfOtherWriters(t *testing.T) {
	t.Parallel()
	whole := string(page())
	for _, row := range []struct{ name, document string }{
		{"nothing", ""},
		{"text", "startxref\n"},
		{"no PDF", strings.Replace(whole, "%PDF-1", "%XDF-1", 1)},
		{"a hybrid already", string(seal(t, "<invoice/>"))},
		{"cut short", whole[:len(whole)-1]},
		{"more behind it", whole + "x"},
		{"another root", strings.Replace(whole, "/Root 5", "/Root 4", 1)},
		{"a table elsewhere", strings.Replace(whole, "startxref\n", "startxref\n9", 1)},
		{"a negative table", strings.Replace(whole, "startxref\n", "startxref\n-", 1)},
		{"an offset that is none", strings.Replace(whole, "0000000009 00000 n", "000000000x 00000 n", 1)},
		{"an object behind the resources", strings.Replace(whole, "0000000009 00000 n", "0000000280 00000 n", 1)},
		{"a freed object", strings.Replace(whole, "0000000009 00000 n", "0000000009 00000 f", 1)},
		{"a font of gofpdf", strings.Replace(whole, "/Font <<\n>>", "/Font <<1>>", 1)},
	} {
		s := pdfa.NewSealer()
		if got, err := s.Seal([]byte(row.document), nil, info, &pdfa.Tags{}, nil); !errors.Is(err, pdfa.ErrNotGofpdf) || got != nil {
			t.Errorf("%s: got %d bytes, %v; want it refused", row.name, len(got), err)
		}
	}
}

func TestTagsAreTheStructureTree(t *testing.T) {
	t.Parallel()
	const onePage = "<</Type /Page\n/Parent 1 0 R /Resources 2 0 R>>"
	document := drawn("<</Type /Pages /Kids [3 0 R 5 0 R] /Count 2>>", onePage, "<<>>", onePage, "<<>>")
	tags := &pdfa.Tags{}
	row := tags.Add(tags.Add(pdfa.Document, pdfa.Table), pdfa.TR)
	heading := tags.Add(row, pdfa.TH)
	logo := tags.AddFigure(pdfa.Document, "Ł", [4]int{1, 2, 3, 4})
	content := tags.Mark(tags.Mark(tags.Mark(nil, logo, 0), heading, 0), heading, 1)
	if want := "/Figure<</MCID 0>>BDC\n/TH<</MCID 1>>BDC\n/TH<</MCID 0>>BDC\n"; string(content) != want {
		t.Errorf("got %q in the content, want %q", content, want)
	}
	s := pdfa.NewSealer()
	hybrid, err := s.Seal(document, nil, info, tags, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 0 obj\n<</Type /Page\n/Tabs /S\n/StructParents 0\n/Parent", "5 0 obj\n<</Type /Page\n/Tabs /S\n/StructParents 1\n/Parent",
		"7 0 obj\n<</S/Document/P 13 0 R /K[8 0 R 11 0 R ]>>\n", "8 0 obj\n<</S/Table/P 7 0 R /K[9 0 R ]>>\n", "9 0 obj\n<</S/TR/P 8 0 R /K[10 0 R ]>>\n",
		"10 0 obj\n<</S/TH/P 9 0 R /Pg 3 0 R /K[1 <</Type/MCR/Pg 5 0 R /MCID 0>>]/A<</O/Table/Scope/Column>>>>\n",
		"11 0 obj\n<</S/Figure/P 7 0 R /Pg 3 0 R /K[0 ]/A<</O/Layout/BBox[1 2 3 4 ]>>/Alt<FEFF0141>>>\n",
		"12 0 obj\n<</Nums[0[11 0 R 10 0 R ]1[10 0 R ]]>>\n", "13 0 obj\n<< /Type /StructTreeRoot /K 7 0 R /ParentTree 12 0 R ", "/StructTreeRoot 13 0 R",
	} {
		if !strings.Contains(string(hybrid), want) {
			t.Errorf("%q is not in\n%s", want, hybrid)
		}
	}
	if _, err := s.Seal(drawn("<<>>", "<</Type /Font>>"), nil, info, tags, nil); !errors.Is(err, pdfa.ErrNotGofpdf) {
		t.Errorf("another object in place of a page: got %v, want it refused", err)
	}
}

// PDF/UA requires a text for every code that is used, and takes an empty one.
func TestCodesWithoutTextHaveAnEmptyOne(t *testing.T) {
	t.Parallel()
	font := pdfa.Font{Resource: "plain", Name: "ABCDEF+Face", Widths: make([]int, 4), Texts: []string{"", "a", "", "b"}}
	s := pdfa.NewSealer()
	hybrid, err := s.Seal(page(), nil, info, &pdfa.Tags{}, nil, font)
	if want := "\n3 beginbfchar\n<0001> <0061>\n<0002> <>\n<0003> <0062>\nendbfchar\n"; err != nil || !strings.Contains(string(hybrid), want) {
		t.Errorf("got %v, want %q in\n%s", err, want, hybrid)
	}
}

func TestFontIsAResourceOfThePages(t *testing.T) {
	t.Parallel()
	font := pdfa.Font{
		Resource: "plain", Name: "ABCDEF+Face", Widths: make([]int, 102), Texts: make([]string, 102), Program: []byte("outlines"),
	}
	for code := range font.Texts[2:] {
		font.Texts[2+code] = "x"
	}
	font.Texts[1], font.Texts[101] = "A", "😀"
	s := pdfa.NewSealer()
	hybrid, err := s.Seal(page(), nil, info, &pdfa.Tags{}, []byte("<a/>"), font)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n2 0 obj\n<< /Font << /plain 4 0 R >> >>\n", "\n4 0 obj\n<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Face /Encoding /Identity-H /DescendantFonts [5 0 R] /ToUnicode 6 0 R >>",
		"100 beginbfchar\n<0001> <0041>\n", "endbfchar\n1 beginbfchar\n<0065> <D83DDE00>\nendbfchar\n", "/Length1 8 /Length 8 >>\nstream\noutlines\n",
	} {
		if !strings.Contains(string(hybrid), want) {
			t.Errorf("%q is not in\n%s", want, hybrid)
		}
	}
	if got, err := pdfa.Extract(hybrid); err != nil || string(got) != "<a/>" {
		t.Errorf("attached: got %q, %v", got, err)
	}
}

func TestSealerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s, invoice := pdfa.NewSealer(), strings.Repeat("<line>7</line>", 1000) // large enough to be compressed
	want := seal(t, invoice)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 20 {
				if got, err := s.Seal(page(), nil, info, &pdfa.Tags{}, []byte(invoice)); err != nil || !bytes.Equal(got, want) {
					return fmt.Errorf("got another document: %q, %w", got, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(seal(f, "<invoice/>"))
	f.Add(page())
	f.Add([]byte("xref\n0 1\n0000000000 65535 f \nstartxref\n0\n%%EOF\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		s := pdfa.NewSealer()
		if got, err := pdfa.Extract(document); (err == nil) != (got != nil) {
			t.Errorf("got %q, %v", got, err)
		}
		if hybrid, err := s.Seal(document, nil, info, &pdfa.Tags{}, []byte("<a/>")); err == nil {
			if got, err := pdfa.Extract(hybrid); err != nil || string(got) != "<a/>" {
				t.Errorf("sealed: got %q, %v", got, err)
			}
		}
	})
}
