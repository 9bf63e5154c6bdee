package document

import (
	"slices"
	"unicode"
)

// The faces of single scripts follow the eastern one. marked is Noto Sans with what places marks on
// its letters.
const (
	marked = eastern + 1 + iota
	armenian
	hebrew
	arabic
	thaana
	devanagari
	bengali
	gurmukhi
	gujarati
	oriya
	tamil
	telugu
	kannada
	malayalam
	sinhala
	thai
	lao
	tibetan
	myanmar
	georgian
	ethiopic
	cherokee
	canadian
	khmer
	olChiki
	tifinagh
	meetei
	faces
)

// scriptFiles are the files of the faces from marked on, without their ending.
var scriptFiles = [faces - marked]string{
	"NotoSans", "NotoSansArmenian", "NotoSansHebrew", "NotoSansArabic", "NotoSansThaana", "NotoSansDevanagari",
	"NotoSansBengali", "NotoSansGurmukhi", "NotoSansGujarati", "NotoSansOriya", "NotoSansTamil", "NotoSansTelugu", "NotoSansKannada",
	"NotoSansMalayalam", "NotoSansSinhala", "NotoSansThai", "NotoSansLao", "NotoSerifTibetan", "NotoSansMyanmar", "NotoSansGeorgian",
	"NotoSansEthiopic", "NotoSansCherokee", "NotoSansCanadianAboriginal", "NotoSansKhmer", "NotoSansOlChiki", "NotoSansTifinagh",
	"NotoSansMeeteiMayek",
}

// block is a range of characters that one face has.
type block struct {
	first, last rune
	face        weight
}

// blocks are in the order of Unicode. cut.py has the same.
var blocks = [...]block{
	{0x530, 0x58F, armenian},
	{0x590, 0x5FF, hebrew},
	{0x600, 0x6FF, arabic},
	{0x750, 0x77F, arabic},
	{0x780, 0x7BF, thaana},
	{0x8A0, 0x8FF, arabic},
	{0x900, 0x97F, devanagari},
	{0x980, 0x9FF, bengali},
	{0xA00, 0xA7F, gurmukhi},
	{0xA80, 0xAFF, gujarati},
	{0xB00, 0xB7F, oriya},
	{0xB80, 0xBFF, tamil},
	{0xC00, 0xC7F, telugu},
	{0xC80, 0xCFF, kannada},
	{0xD00, 0xD7F, malayalam},
	{0xD80, 0xDFF, sinhala},
	{0xE00, 0xE7F, thai},
	{0xE80, 0xEFF, lao},
	{0xF00, 0xFFF, tibetan},
	{0x1000, 0x109F, myanmar},
	{0x10A0, 0x10FF, georgian},
	{0x1200, 0x139F, ethiopic},
	{0x13A0, 0x13FF, cherokee},
	{0x1400, 0x167F, canadian},
	{0x1780, 0x17FF, khmer},
	{0x18B0, 0x18FF, canadian},
	{0x19E0, 0x19FF, khmer},
	{0x1C50, 0x1C7F, olChiki},
	{0x1C90, 0x1CBF, georgian},
	{0x2D00, 0x2D2F, georgian},
	{0x2D30, 0x2D7F, tifinagh},
	{0x2D80, 0x2DDF, ethiopic},
	{0xA8E0, 0xA8FF, devanagari},
	{0xAAE0, 0xAAFF, meetei},
	{0xAB00, 0xAB2F, ethiopic},
	{0xAB70, 0xABBF, cherokee},
	{0xABC0, 0xABFF, meetei},
	{0xFB13, 0xFB17, armenian},
	{0xFB1D, 0xFB4F, hebrew},
	{0xFB50, 0xFDFF, arabic},
	{0xFE70, 0xFEFC, arabic},
}

// scriptOf returns the face of a character's block. Regular means that the character is of no block.
func scriptOf(r rune) weight {
	if r < blocks[0].first {
		return regular
	}
	i, _ := slices.BinarySearchFunc(blocks[:], r, func(b block, r rune) int { return int(b.last - r) })
	if i < len(blocks) && blocks[i].first <= r {
		return blocks[i].face
	}
	return regular
}

// needsShaping reports whether a character is of a script that is shaped, or a mark on a letter. It
// is false at once for most characters of texts that need no shaping.
func needsShaping(r rune) bool {
	switch {
	case r < firstMark:
		return false
	case r < 0x530:
		return isMark(r)
	case 0x1E00 <= r && r < 0x2D00, 0x2E00 <= r && r < 0xA800, 0xAC00 <= r && r < 0xFB00:
		return false
	default:
		return scriptOf(r) != regular
	}
}

// firstMark is the first character that needs shaping.
const firstMark = 0x300

// isMark reports whether a character is a mark that is placed on Latin, Greek and Cyrillic letters.
func isMark(r rune) bool { return firstMark <= r && r < 0x370 || 0x483 <= r && r <= 0x489 }

// isJoiner reports whether a character decides whether its neighbours join.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// attached reports whether a character belongs to the letter before it.
func attached(r rune) bool { return unicode.In(r, unicode.M) || isJoiner(r) }
