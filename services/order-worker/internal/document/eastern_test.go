package document

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"pgregory.net/rapid"
)

// easternNames are East Asian texts that must be printed unchanged.
var easternNames = []string{
	"王小明", "北京市朝阳区建国门外大街1号国贸大厦A座", "臺北市中正區重慶南路一段122號", "香港九龍彌敦道100號", "鄺麗貞", "喆堃",
	"株式会社 山田商店", "髙橋 﨑子", "東京都千代田区丸の内１丁目９−１", "㈱サンプル ｻﾝﾌﾟﾙ", "ステンレスボトル「真空断熱」、７５０ｍｌ",
	"김민수", "서울특별시 종로구 세종대로 175", "뷁똠", "★ 〒 ① → ℃ ㎡ Ⅳ ♪",
	"王 Łukasz Їжак Ω 김",
}

// listed returns the letters of an encoding whose two bytes are a lead and a trail of these ranges.
func listed(e encoding.Encoding, firstLead, lastLead, firstTrail int) []rune {
	var found []rune
	decoder := e.NewDecoder()
	for lead := firstLead; lead <= lastLead; lead++ {
		for trail := firstTrail; trail <= 0xFE; trail++ {
			text, err := decoder.Bytes([]byte{byte(lead), byte(trail)})
			if runes := []rune(string(text)); err == nil && len(runes) == 1 && unicode.Is(unicode.Lo, runes[0]) {
				found = append(found, runes[0])
			}
		}
	}
	return found
}

// The standards come from golang.org/x/text, those of cut.py from Python.
func TestFontHasCharactersOfEastAsianStandards(t *testing.T) {
	t.Parallel()
	fonts, err := loadFonts()
	if err != nil {
		t.Fatal(err)
	}
	hangul := make([]rune, 0, 11_172)
	for r := '가'; r <= '힣'; r++ {
		hangul = append(hangul, r)
	}
	for _, tt := range []struct {
		name  string
		chars []rune
		least int
	}{
		{"GB 2312", listed(simplifiedchinese.GBK, 0xB0, 0xF7, 0xA1), 6763},
		{"JIS X 0208", listed(japanese.ShiftJIS, 0x81, 0xEA, 0x40), 6355},
		{"Big5, first level but its last row", listed(traditionalchinese.Big5, 0xA4, 0xC5, 0x40), 5338},
		{"KS X 1001", listed(korean.EUCKR, 0xB0, 0xC8, 0xA1), 2350},
		{"Hangul", hangul, 11_172},
	} {
		if len(tt.chars) < tt.least {
			t.Errorf("%s: got %d characters to look for, want %d or more", tt.name, len(tt.chars), tt.least)
		}
		if got := fonts.clean(string(tt.chars)); strings.ContainsRune(got, box) {
			t.Errorf("%s: %d of %d characters are not printed", tt.name, strings.Count(got, string(box)), len(tt.chars))
		}
	}
}

func TestEasternFaceHasOnlyCharactersThatOthersLack(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for _, g := range fonts.face(eastern).glyphs[1:] {
		if !isEastern(g.char) || fonts.faces[regular].has(g.char) {
			t.Errorf("%q: in its ranges: %t, in the other faces: %t; want it there, and in no other", g.char, isEastern(g.char), fonts.faces[regular].has(g.char))
		}
	}
	for r := rune(0); r < unicode.MaxRune; r++ {
		if isIdeograph(r) && !isEastern(r) {
			t.Errorf("%q is an ideograph outside the ranges of the face", r)
		}
	}
}

// Every part of every text is printed in a face that has it, and is as wide as it says.
func TestEachPartIsInAFaceThatHasIt(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	some := rapid.StringOfN(rapid.SampledFrom([]rune("aW Łα 王小、ガ김。□→م😀𠮷\u0301\u3099\u200dשع1(ქक्षิ")), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		text := fonts.clean(rapid.OneOf(some, rapid.String()).Draw(t, "text"))
		w := rapid.SampledFrom([]weight{regular, bold}).Draw(t, "weight")
		width := 0
		plain := func(in weight, run string) {
			for _, r := range run {
				if !fonts.face(in).has(r) || in != w && in != eastern {
					t.Fatalf("%q of %q is printed in face %d, which lacks it", r, text, in)
				}
				width += fonts.face(in).advance(r)
			}
		}
		parts := fonts.parts(text, w)
		if !isComplex(text) {
			parts = nil
			for in, run := range fonts.runs(text, w) {
				plain(in, run)
			}
		}
		for _, p := range parts {
			plain(p.face, p.text)
			for _, g := range p.glyphs {
				if width += g.advance; g.glyph == 0 {
					t.Fatalf("a part of %q has a glyph for a missing character in face %d", text, p.face)
				}
			}
		}
		if got := fonts.width(text, w); got != width {
			t.Fatalf("%q is %d wide, want %d", text, got, width)
		}
	})
}

func TestEastAsianLineBreaks(t *testing.T) {
	t.Parallel()
	fonts := renderer(t).fonts
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"between any two characters", "一二三四五", []string{"一二三四", "五"}},
		{"no comma begins a line", "一二三四，五", []string{"一二三", "四，五"}},
		{"no bracket ends a line", "一二三「四五」", []string{"一二三", "「四五」"}},
		{"no small kana begins a line", "カメラショップ", []string{"カメラ", "ショップ"}},
		{"a space that does not break", "一二三\u00a0四五", []string{"一二", "三\u00a0四五"}},
		{"words of Korean are whole", "가나다 라마바", []string{"가나다", "라마바"}},
		{"but not when they are too long", "가나다라마", []string{"가나다라", "마"}},
		{"words of others, too", "一二三Lee", []string{"一二三", "Lee"}},
		{"with what stands behind them", "Lee王小明", []string{"Lee王小", "明"}},
		{"a space is room to break, and is left out there", "一二三四 五六 七八", []string{"一二三四", "五六 七", "八"}},
		{"nothing but commas", "、、、、、", []string{"、、、、", "、"}},
	} {
		if diff := cmp.Diff(tt.want, fonts.wrap(tt.text, regular, 4200)); diff != "" {
			t.Errorf("%s: %q (-want +got):\n%s", tt.name, tt.text, diff)
		}
	}
}
