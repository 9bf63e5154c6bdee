package batch

import (
	"bytes"
	"regexp"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decoded returns a file in UTF-8 with \n as the only line end, and a sentence about its encoding if
// that was guessed. UTF-16 is found by its byte order mark, or by the zero bytes of its first
// characters, which are those of a header or of JSON.
func decoded(text []byte) (utf []byte, said string, err error) {
	if order, wide := utf16(text); wide {
		if text, err = unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(text); err != nil {
			return nil, "", &wrong{1, "is not UTF-16, although it begins so: " + save}
		}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if i := firstInvalid(text); i >= 0 {
		latin, err := charmap.Windows1252.NewDecoder().Bytes(text)
		if err != nil || bytes.ContainsRune(latin, utf8.RuneError) || garbled.Match(latin) {
			return nil, "", &wrong{1 + bytes.Count(text[:i], []byte("\n")), "is neither UTF-8 nor Windows-1252: " + save}
		}
		text, said = latin, "is not UTF-8, and was read as Windows-1252 (Western Europe): check the accents in names and streets"
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), said, nil
}

const save = "save the file as \"CSV UTF-8\""

// garbled are letters of the encodings for Eastern Europe and of the Macintosh, read as Windows-1252:
// "Paweł" is "Pawe³" then.
var garbled = regexp.MustCompile(`\pL[¹³¿£¥¯¼¾¶†‡‰ŸŽ]|[£¯Ÿ]\p{Ll}`)

func utf16(text []byte) (unicode.Endianness, bool) {
	switch {
	case len(text) < 2:
	case text[0] == 0xff && text[1] == 0xfe || text[0] != 0 && text[1] == 0:
		return unicode.LittleEndian, true
	case text[0] == 0xfe && text[1] == 0xff || text[0] == 0 && text[1] != 0:
		return unicode.BigEndian, true
	}
	return unicode.BigEndian, false
}
