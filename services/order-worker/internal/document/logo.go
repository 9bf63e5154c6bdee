package document

import (
	"fmt"
	"strconv"
	"strings"
)

// A logo is a path in a square of logoSide units. Its size is limited as PDF operators, where a
// number may be longer than in the path: a document must fit into a Kafka record.
const (
	logoSide = 24
	maxLogo  = 64 << 10
)

// operands are the number of operands of each path command, and its PDF operator.
var operands = map[string]struct {
	count    int
	operator string
}{"M": {2, "m"}, "L": {2, "l"}, "C": {6, "c"}, "Z": {0, "h"}}

// drawing converts an SVG path with the absolute commands M, L, C and Z to PDF operators. It is
// filled by the even-odd rule.
func drawing(path string) (string, error) {
	for command := range operands {
		path = strings.ReplaceAll(path, command, " "+command+" ")
	}
	var out strings.Builder
	words := strings.Fields(strings.ReplaceAll(path, ",", " "))
	for len(words) > 0 {
		command, known := operands[words[0]]
		if !known || len(words) <= command.count || out.Len() == 0 && words[0] != "M" {
			return "", fmt.Errorf("%q is not a path command, or lacks numbers", words[0])
		}
		for _, word := range words[1 : 1+command.count] {
			n, err := strconv.ParseFloat(word, 64)
			if err != nil || !(n >= 0 && n <= logoSide) {
				return "", fmt.Errorf("%q is not a number from 0 to %d", word, logoSide)
			}
			out.WriteString(strconv.FormatFloat(n, 'f', -1, 64) + " ")
		}
		out.WriteString(command.operator + " ")
		if out.Len() > maxLogo {
			return "", fmt.Errorf("it must draw at most %d KiB", maxLogo>>10)
		}
		words = words[1+command.count:]
	}
	return out.String(), nil
}

func (l *layout) drawLogo(x, y, side float64) {
	scale := side / dot / logoSide
	l.content = append(l.content, "q\n"...)
	l.fill(accent)
	l.op("cm", scale, 0, 0, -scale, x/dot, (a4-y)/dot)
	l.content = append(append(l.content, l.logo...), "f* Q\n"...)
	l.ink = unset // Q restored the colour from before q
}

// parseColour parses six hex digits. An empty text is black.
func parseColour(text string) (colour, error) {
	if text == "" {
		return black, nil
	}
	n, err := strconv.ParseUint(text, 16, 24)
	if len(text) != 6 {
		err = strconv.ErrSyntax
	}
	return colour(n), err
}
