package invoice

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hint "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"pgregory.net/rapid"
)

// names are texts that must be printed as they are, in their own script.
var names = []string{
	"Łukasiewicz", "Παπαδόπουλος", "Иванов", "Zoë", "Őszi", "Đặng Thị Hương", "Ștefănescu", "Ħal Qormi", "Şişli, Iğdır", "Əhmədov",
	"Šiauliai, Žemaitija", "Łódź, ulica Świętokrzyska 3/4", "Þórður Æsir", "Ĉapelo Ŝanĝo", "Қабанбай батыр", "Ґалаґан, Їжак",
	"Ђорђевић", "Œuvre à l’île d’Aÿ", "Großstraße", "Llŷr ap Dŵr", "Nguyễn Ỷ", "Adébáyọ Ṣọlá", "Ģirts Ķēniņš",
	"Søren Ångström (née O'Brien) {nb}",
	"Țară, STRAẞE, Ǹjẹ, Ѐва, Ѝ", // characters without a name of their own
}

// parse unpacks a cut font and reads it by other means than gofpdf's.
func parse(t testing.TB, f font) *sfnt.Font {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(f.data))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := sfnt.Parse(data)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return parsed
}

// advance is the width of a character in thousandths of the font size, as the font itself has it. A character without
// a glyph of its own is an error: readers would show an empty box and still copy the right text.
func advance(t testing.TB, f *sfnt.Font, r rune) int {
	t.Helper()
	var buffer sfnt.Buffer
	index, err := f.GlyphIndex(&buffer, r)
	if err != nil || index == 0 {
		t.Errorf("no glyph for %q (%v)", r, err)
		return 0
	}
	width, err := f.GlyphAdvance(&buffer, index, fixed.I(1000), hint.HintingNone)
	if err != nil {
		t.Error(err)
	}
	return width.Round()
}

func TestEveryCharacterOfAPageIsInItsFontAsWideAsTheLayoutThinks(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	for p, faces := range fonts.pages {
		for w, face := range faces {
			t.Run(face.name, func(t *testing.T) {
				t.Parallel()
				cut, count := parse(t, face), 0
				for r, g := range fonts.glyphs {
					if g.pages&(1<<p) == 0 || r == noBreak {
						continue
					}
					count++
					if want := advance(t, cut, r); g.width[w] != want || face.widths[g.code[p]] != want {
						t.Errorf("%q: layout has %d, gofpdf has %d, want %d", r, g.width[w], face.widths[g.code[p]], want)
					}
				}
				if count < 190 || count > 224 {
					t.Errorf("got a page of %d characters, want 190 to 224", count)
				}
			})
		}
	}
}

func TestNamesArePrintedWithGlyphsOfTheirOwn(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	for _, name := range names {
		rest := []rune(name)
		for _, r := range fonts.runs(fonts.clean(name), regular) {
			cut, width := parse(t, fonts.pages[r.page][regular]), 0
			for _, c := range rest[:len(r.codes)] {
				width += advance(t, cut, c)
			}
			if r.width != width {
				t.Errorf("%q in %q: got width %d, want %d", string(rest[:len(r.codes)]), name, r.width, width)
			}
			rest = rest[len(r.codes):]
		}
		if len(rest) > 0 {
			t.Errorf("%q: %q is not printed", name, string(rest))
		}
	}
}

func TestTextIsSetInAsFewRunsAsThereCanBe(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	for text, want := range map[string]string{
		"":                          "",
		"Main Street 1":             "cp1252",
		"Zoë Łukasiewicz":           "cp1250",
		"Łódź, ulica Świętokrzyska": "cp1250",
		"Σοφία Παπαδόπουλος":        "cp1253",
		"Иванов":                    "cp1251",
		"Đặng Thị Hương":            "vietnamese",
		"Қабанбай батыр":            "cyrillic",
		"Παπαδόπουλος & Иванов, Kyiv": "cp1253 cp1251",
		"王 & Co": "cp1252",
	} {
		var pages []string
		for _, r := range fonts.runs(fonts.clean(text), bold) {
			pages = append(pages, strings.TrimSuffix(fonts.pages[r.page][bold].name, "-bold"))
		}
		if got := strings.Join(pages, " "); got != want {
			t.Errorf("%q: got pages %q, want %q", text, got, want)
		}
	}
}

func TestWhatNoPageHasBecomesABox(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"decomposed letters are composed", "Zoe\u0308 A\u030angstro\u0308m", "Zoë Ångström"},
		{"a mark that composes with nothing", "x\u0301", "x□"},
		{"East Asian", "王小明 Lee", "□□□ Lee"},
		{"right to left", "שלום 123", "□□□□ 123"},
		{"above the first plane", "Ann 😀 𝒜", "Ann □ □"},
		{"an emoji of three with joiner and selector", "👩‍🚀️ ❤️", "□□ □"},
		{"invisible ones are no loss", "a\u200bb\u00adc\ufeff\u2060d", "abcd"},
		{"all kinds of space", "a\tb\nc\u3000d\u2009e", "a b c d e"},
		{"a space that does not break", "10\u00a0kg", "10\u00a0kg"},
		{"control characters", "a\x00b\x1b\x7fc", "a□b□□c"},
		{"broken UTF-8", "a\xff\xfeb", "a□□b"},
		{"what PDF strings escape", `a (b) \c) ((`, `a (b) \c) ((`},
		{"signs of a catalogue", "−10 °C Ø 9.8 mm × 60 m – “2⅓″” €™", "−10 °C Ø 9.8 mm × 60 m – “2⅓″” €™"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fonts.clean(tt.text)
			if got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
			}
			if again := fonts.clean(got); again != got {
				t.Errorf("%q cleaned again: got %q", got, again)
			}
		})
	}
}

func TestWrappingKeepsEveryCharacterWithinTheWidth(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	rapid.Check(t, func(t *rapid.T) {
		text := fonts.clean(rapid.StringOfN(rapid.SampledFrom([]rune("aW Łα 王.")), 0, 200, -1).Draw(t, "text"))
		limit := rapid.IntRange(1500, 20_000).Draw(t, "limit")
		lines := fonts.wrap(text, regular, limit)
		for _, line := range lines {
			if got := fonts.width(line, regular); got > limit {
				t.Fatalf("%q is %d wide, want at most %d", line, got, limit)
			}
		}
		strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if diff := cmp.Diff(strip(text), strip(strings.Join(lines, ""))); diff != "" {
			t.Fatalf("text (-want +got):\n%s", diff)
		}
	})
}

func TestWordsAreBrokenOnlyWhereTheyMustBe(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	em := fonts.width("W", regular)
	for text, want := range map[string][]string{
		"":             {""},
		"WW WW":        {"WW", "WW"},
		"W W WWWW":     {"W W", "WWW", "W"},
		"WWWWWWW W":    {"WWW", "WWW", "W W"},
		"W\u00a0WWW W": {"W\u00a0WW", "W W"},
		"WWWWWW":       {"WWW", "WWW"},
	} {
		if diff := cmp.Diff(want, fonts.wrap(text, regular, 3*em+em/2)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Each code of each page is printed and read back: readers know characters by the names of their glyphs, and a few by what is said beside them.
func TestEveryCharacterOfEveryPageIsReadBack(t *testing.T) {
	t.Parallel()
	fonts := setup(t).fonts
	sheet, want := newSheet(fonts), []string{}
	sheet.addPage()
	for p := range fonts.pages {
		var codes [256]rune
		for r, g := range fonts.glyphs {
			if g.pages&(1<<p) != 0 && r != noBreak {
				codes[g.code[p]] = r
			}
		}
		for i := 32; i < 256; i += 32 {
			line := strings.TrimSpace(strings.ReplaceAll(string(codes[i:i+32]), "\x00", ""))
			for w := range weights {
				sheet.use(fonts.pages[p][w], 7)
				sheet.spoken(run{text: line}, func() { sheet.pdf.Text(5+100*float64(w), float64(8+i/8+p*32), fonts.encode(line, p)) })
				want = append(want, line)
			}
		}
	}
	sheet.pdf.SetCreationDate(time.Unix(1, 0))
	var out bytes.Buffer
	if err := sheet.pdf.Output(&out); err != nil {
		t.Fatal(err)
	}
	got := poppler(t, out.Bytes(), "pdftotext", "-layout", "-", "-")
	for _, line := range want {
		if strings.Count(got, line) < 2 {
			t.Errorf("%q is not read back in both weights", line)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
