package httpapi

import (
	"bytes"
	"encoding/json"
)

// scanner splits valid JSON in UTF-8 into the tokens of json.Decoder, with numbers as json.Number. It takes a fifth of
// the time: the JSON is checked before, and is in memory.
type scanner struct {
	body []byte
	at   int // of the next token, or of what separates it from the last one
}

// space skips what separates tokens.
func (s *scanner) space() {
	for s.at < len(s.body) && bytes.IndexByte([]byte(" \t\r\n,:"), s.body[s.at]) >= 0 {
		s.at++
	}
}

// more reports whether the object or array that is read has another element.
func (s *scanner) more() bool {
	s.space()
	return s.body[s.at] != '}' && s.body[s.at] != ']'
}

// token returns the next token. The caller knows that there is one, because the JSON is valid.
func (s *scanner) token() json.Token {
	s.space()
	switch c := s.body[s.at]; c {
	case '{', '}', '[', ']':
		s.at++
		return json.Delim(c)
	case '"':
		return s.text()
	}
	switch word := s.word(); string(word) {
	case "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	default:
		return json.Number(word)
	}
}

// text reads a string.
func (s *scanner) text() (text string) {
	from, escaped := s.at, false
	for s.at++; s.body[s.at] != '"'; s.at++ {
		if s.body[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	if quoted := s.body[from:s.at]; !escaped {
		text = string(quoted[1 : len(quoted)-1])
	} else if err := json.Unmarshal(quoted, &text); err != nil {
		panic("httpapi: " + err.Error())
	}
	return text
}

// word reads a number or a literal.
func (s *scanner) word() []byte {
	from := s.at
	for s.at < len(s.body) && bytes.IndexByte([]byte(" \t\r\n,:]}"), s.body[s.at]) < 0 {
		s.at++
	}
	return s.body[from:s.at]
}
