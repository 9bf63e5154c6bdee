package batch

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
)

// sheet reads the rows of a CSV file as spreadsheets write it. A row that cannot be read does not
// affect those below it, which encoding/csv alone cannot do: an open quote would end the file.
type sheet struct {
	rest  []byte // what follows the last row
	line  int    // of rest, from 1
	comma rune
}

// maxRow is the maximum length of a row over several lines.
const maxRow = 64 << 10

// openSheet finds out what separates the cells: a first line such as "sep=;" tells, or that by which
// most columns of the header are known.
func openSheet(text []byte) *sheet {
	s := &sheet{rest: text, line: 1, comma: ','}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	told := strings.Trim(strings.ToLower(string(first)), "\"")
	if sep, found := strings.CutPrefix(told, "sep="); found && sep != "" && strings.ContainsRune(",;\t|", rune(sep[0])) {
		s.comma = rune(sep[0])
		s.advance(min(len(first)+1, len(text)))
		return s
	}
	header, most := bytes.TrimLeft(text, "\n,;\t "), 0
	header, _, _ = bytes.Cut(header, []byte("\n"))
	for _, comma := range ",;\t|" {
		cells, _ := cellsOf(header, comma)
		known := 0
		for _, name := range cells {
			if slices.Contains(columns, folded(name)) {
				known++
			}
		}
		if known > most {
			s.comma, most = comma, known
		}
	}
	return s
}

func (s *sheet) advance(n int) {
	s.line += bytes.Count(s.rest[:n], []byte("\n"))
	s.rest = s.rest[n:]
}

// next returns the cells of the next row that is not blank, and its line. An error is about that row
// alone; its cells are what can be read of it. Without cells, the file has ended.
func (s *sheet) next(columns int) (cells []string, line int, err error) {
	for len(s.rest) > 0 {
		line := s.line
		one, _, ended := bytes.Cut(s.rest, []byte("\n"))
		cells, closed := cellsOf(one, s.comma)
		if !closed {
			if several, size := s.several(columns); several != nil {
				s.advance(size)
				return several, line, nil
			}
			err = errors.New(`a cell begins with a quotation mark (") and none ends it: complete or remove it`)
		}
		s.advance(min(len(one)+1, len(s.rest)))
		if err == nil && !slices.ContainsFunc(cells, func(c string) bool { return trimmed(c) != "" }) {
			continue // spreadsheets write the rows that have only a format
		}
		if err == nil && !ended && len(cells) < columns {
			err = errors.New("the file ends within this row: save it again")
		}
		return cells, line, err
	}
	return nil, s.line, nil
}

// several reads a row over several lines, or nothing: if one of these lines is a row itself, it was
// not meant to be the text of a cell.
func (s *sheet) several(columns int) (cells []string, size int) {
	window := s.rest[:min(maxRow, len(s.rest))]
	r := csv.NewReader(bytes.NewReader(window))
	r.Comma, r.FieldsPerRecord = s.comma, -1
	cells, err := r.Read()
	size = int(r.InputOffset())
	if err != nil || columns == 0 || len(withoutEmptyEnd(cells, columns)) > columns {
		return nil, 0
	}
	lines := bytes.Split(bytes.TrimRight(window[:size], "\n"), []byte("\n"))
	for _, line := range lines[1:] {
		if inner, _ := cellsOf(line, s.comma); len(inner) >= columns {
			return nil, 0
		}
	}
	return cells, size
}

// cellsOf reads one line. A quotation mark within a cell is one of its characters. closed is false if
// a cell goes on behind the line.
func cellsOf(line []byte, comma rune) (cells []string, closed bool) {
	r := csv.NewReader(bytes.NewReader(append(slices.Clone(line), "\n."...)))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, true
	cells, _ = r.Read()
	if len(bytes.TrimSpace(line)) == 0 && comma != '\t' {
		return []string{""}, true
	}
	return cells, r.InputOffset() <= int64(len(line)+1)
}

// withoutEmptyEnd drops the empty cells behind the last column, which spreadsheets write.
func withoutEmptyEnd(cells []string, columns int) []string {
	for len(cells) > columns && trimmed(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}
