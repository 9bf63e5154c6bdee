package document

import (
	"bytes"
	"compress/zlib"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	hint "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/pdfa"
)

// names are texts that must be printed unchanged, in their own script.
var names = []string{
	"Łukasiewicz", "Παπαδόπουλος", "Иванов", "Zoë", "Őszi", "Đặng Thị Hương", "Ștefănescu", "Ħal Qormi", "Şişli, Iğdır", "Əhmədov",
	"Šiauliai, Žemaitija", "Łódź, ulica Świętokrzyska 3/4", "Þórður Æsir", "Ĉapelo Ŝanĝo", "Қабанбай батыр", "Ґалаґан, Їжак",
	"Ђорђевић", "Œuvre à l’île d’Aÿ", "Großstraße", "Llŷr ap Dŵr", "Nguyễn Ỷ", "Adébáyọ Ṣọlá", "Ģirts Ķēniņš",
	"Søren Ångström (née O'Brien) {nb}",
	"Țară, STRAẞE, Ǹjẹ, Ѐва, Ѝ", "Σωκράτης ὁ Ἀθηναῖος",
}

// shapedNames are texts of scripts that are shaped, or with marks on their letters.
var shapedNames = map[weight][]string{
	marked:     {"Ẹ̀kọ́ Ọ̀ṣun", "Ńdị́ Ị̀gbò", "Ɛ̀wɔ̀", "Ʉ̀ʉ̄", "Ю́рій"},
	armenian:   {"Արամ Խաչատրյան", "Երևան, Մաշտոցի պողոտա 1"},
	hebrew:     {"דוד בן־גוריון", "שָׁלוֹם"},
	arabic:     {"محمد علي", "ئارام ڕەسووڵ", "هەولێر شەقامی گوڵان ۆ ڵ ێ", "محمد فیض ٹھاکر ں ے", "ښار پېښور څ ځ ډ ړ", "ئۇيغۇر ۋ ۇ ۈ", "فاطمة الزهراء"},
	thaana:     {"މާލެ"},
	devanagari: {"काठमाडौँ", "क्षेत्री लक्ष्मी", "शर्मा हिन्दी"},
	bengali:    {"ঢাকা", "রহমান চৌধুরী"},
	gurmukhi:   {"ਅੰਮ੍ਰਿਤਸਰ ਸਿੰਘ"},
	gujarati:   {"અમદાવાદ ક્ષિતિજ"},
	oriya:      {"ଭୁବନେଶ୍ୱର"},
	tamil:      {"கொழும்பு", "யாழ்ப்பாணம்"},
	telugu:     {"హైదరాబాద్ శ్రీ"},
	kannada:    {"ಬೆಂಗಳೂರು ಕ್ಷ"},
	malayalam:  {"തിരുവനന്തപുരം കൊല്ലം"},
	sinhala:    {"ශ්\u200dරී ලංකාව කොළඹ"},
	thai:       {"กรุงเทพมหานคร ที่"},
	lao:        {"ວຽງຈັນ ສົມ"},
	tibetan:    {"ཐིམ་ཕུ རྒྱལ"},
	myanmar:    {"ရန်ကုန် မြန်မာ"},
	georgian:   {"გიორგი ბერიძე", "თბილისი, რუსთაველის გამზირი 1", "ᲗᲑᲘᲚᲘᲡᲘ"},
	ethiopic:   {"አዲስ አበባ"},
	cherokee:   {"ᏣᎳᎩ"},
	canadian:   {"ᐃᖃᓗᐃᑦ"},
	khmer:      {"ភ្នំពេញ ស្រី"},
	olChiki:    {"ᱥᱟᱱᱛᱟᱲᱤ"},
	tifinagh:   {"ⵜⴰⵎⴰⵣⵉⵖⵜ"},
	meetei:     {"ꯏꯝꯐꯥꯜ"},
}

// Every glyph of a subset is read back with golang.org/x/image.
func TestSubsetHasTheGlyphsOfItsText(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for w := range faces {
		face := fonts.face(w)
		c := newSubset(face)
		for _, name := range map[weight][]string{regular: names, bold: names, eastern: easternNames}[w] {
			c.encode(nil, name)
		}
		for _, name := range shapedNames[w] {
			for _, p := range fonts.parts(name, regular) {
				for _, g := range p.glyphs {
					if p.face == w {
						c.code(g.glyph, g.text)
					}
				}
			}
		}
		font := c.font(regular)
		parsed, err := sfnt.Parse(font.Program)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.NumGlyphs(); got != len(c.used) || got != len(font.Widths) || got != len(font.Texts) {
			t.Errorf("%s: got %d glyphs, %d widths, %d texts, want %d", font.Name, got, len(font.Widths), len(font.Texts), len(c.used))
		}
		var buffer sfnt.Buffer
		for code, i := range c.used {
			g := face.glyphs[i]
			width, err := parsed.GlyphAdvance(&buffer, sfnt.GlyphIndex(code), fixed.I(1000), hint.HintingNone)
			if err != nil || width.Round() != g.advance || font.Widths[code] != g.advance {
				t.Errorf("%q: got advance %v, %v, want %d", g.char, width, err, g.advance)
			}
			outline, err := parsed.LoadGlyph(&buffer, sfnt.GlyphIndex(code), fixed.I(1000), nil)
			if err != nil || w < marked && (len(outline) == 0) != (g.char == ' ') {
				t.Errorf("%q: got %d segments, %v", g.char, len(outline), err)
			}
		}
		if got := len(font.Program); got > 30_000 {
			t.Errorf("got %d bytes for %d glyphs, want 30,000 at most", got, len(c.used))
		}
		// The checksum of the whole file.
		if got := checksum(font.Program); got != 0xB1B0AFBA {
			t.Errorf("%s: got checksum %X, want B1B0AFBA", font.Name, got)
		}
	}
}

func TestBothFacesHaveTheSameCharacters(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for w, f := range fonts.faces {
		for _, g := range f.glyphs {
			if _, known := fonts.faces[1-w].index[g.char]; !known {
				t.Errorf("%q is in %s only", g.char, f.Name)
			}
		}
	}
}

func TestDamagedFacesAreErrors(t *testing.T) {
	t.Parallel()
	packed, err := fontFiles.ReadFile("font/bold.z")
	if err != nil {
		t.Fatal(err)
	}
	pack := func(data string) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write([]byte(data))
		z.Close()
		return b.Bytes()
	}
	for _, row := range []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"cut short", packed[:len(packed)/2]},
		{"no description", pack("x\n\x00\x00")},
		{"a table that is none", pack(`{"head":"x"}` + "\n\x00\x00")},
		{"no glyphs", pack("{}\n")},
		{"too few glyphs", pack("{}\n\x00\x01")},
		{"too short an outline", pack("{}\n\x00\x01\x00A\x00A\x00\x00\x00\x09")},
	} {
		if _, err := readFace(row.data); err == nil {
			t.Errorf("%s: got no error", row.name)
		}
	}
}

func TestShapedTextKeepsItsJoinersAndAFewMarks(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for _, tt := range []struct{ name, text, want string }{
		{"Arabic letters", "محمد ـهـ لا", "محمد ـهـ لا"},
		{"a pile of marks", "x" + strings.Repeat("\u0301", 200) + "y\u0301", "x" + strings.Repeat("\u0301", 8) + "ý"},
	} {
		if got := fonts.clean(tt.text); got != tt.want || fonts.clean(got) != got {
			t.Errorf("%s: %q: got %q, want %q", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestMissingCharactersBecomeBoxes(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"decomposed letters are composed", "Zoe\u0308 A\u030angstro\u0308m", "Zoë Ångström"},
		{"a mark that composes with nothing", "x\u0301", "x\u0301"},
		{"East Asian", "王小明 Lee, 山田 ガス, 김민수", "王小明 Lee, 山田 ガス, 김민수"},
		{"Korean in parts", "\u1100\u1161\u11a8 \u1112\u1161", "각 하"},
		{"forms of compatibility", "\ufa19 \uf900 ﾊﾞ （Ａ）￥", "神 豈 ﾊﾞ （Ａ）￥"},
		{"kana with a mark, and a mark alone", "か\u3099 \u3099", "が □"},
		{"rare ideographs", "𠮷野 㐀 鿿", "□野 □ □"},
		{"right to left", "שלום 123", "שלום 123"},
		{"joiners of letters that are shaped", "می\u200cخواهم ශ්\u200dරී a\u200cb", "می\u200cخواهم ශ්\u200dරී ab"},
		{"scripts without a font", "ᠮᠣᠩ ܐ ꦗ", "□□□ □ □"},
		{"above the first plane", "Ann 😀 𝒜", "Ann □ □"},
		{"an emoji of three with joiner and selector", "👩\u200d🚀️ ❤️", "□□ □"},
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
	fonts := renderer(t).fonts
	rapid.Check(t, func(t *rapid.T) {
		text := fonts.clean(rapid.StringOfN(rapid.SampledFrom([]rune("aW Łα 王、「가.")), 0, 200, -1).Draw(t, "text"))
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

func TestWordsBreakOnlyIfWiderThanALine(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	em := fonts.faces[regular].advance('W')
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

// Each character of each face is printed and read back.
func TestEveryCharacterIsReadBack(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	sheet, want := newSheet(fonts, black, &buffers{}), map[string]int{}
	for w := range marked {
		y := a4
		for _, line := range lines(fonts.face(w)) {
			if y > a4-20 {
				sheet.addPage()
				y = 10
			}
			sheet.text(10, y, style{w % weights, 4, black}, line) // eastern is for texts of any weight
			want[line], y = want[line]+1, y+5
		}
	}
	contents, used := sheet.output()
	pages, err := renderer(t).pages(len(contents))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := pdfa.NewSealer().Seal(pages, contents, pdfa.Info{}, &sheet.tags, nil, used...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for line := range strings.Lines(strings.ReplaceAll(pdftest.Text(t, sealed), "\f", "")) {
		got[strings.TrimSpace(line)]++
	}
	delete(got, "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines that are read back (-want +got):\n%s", diff)
	}
}

// lines returns the characters of a face in lines, without those that are reordered or combined.
func lines(f *face) (lines []string) {
	var chars []rune
	for _, g := range f.glyphs[1:] {
		if !isRTL(g.char) && !unicode.IsSpace(g.char) && !unicode.In(g.char, unicode.Nd, unicode.Mn, unicode.Sk, unicode.Lm) {
			chars = append(chars, g.char)
		}
	}
	for part := range slices.Chunk(chars, 100) {
		lines = append(lines, string(part))
	}
	return lines
}

func TestRightToLeftTextIsReordered(t *testing.T) {
	t.Parallel()
	for logical, want := range map[string]string{
		"":                    "",
		"Main Street 1":       "Main Street 1",
		"שלום Cohen":          "םולש Cohen",
		"Ann שלום":            "Ann םולש",
		"הרצל 12, תל אביב":    "ביבא לת ,12 לצרה",
		"רחוב 3/4 (קומה 2) x": "(2 המוק) 3/4 בוחר x",
		"Tel אב 12":           "Tel 12 בא",
		"«אב» (x)":            "«בא» (x)",
	} {
		got := ""
		for _, s := range visual([]rune(logical)) {
			if s.rtl {
				got += mirrored(s.text)
			} else {
				got += string(s.text)
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", logical, got, want)
		}
	}
}
