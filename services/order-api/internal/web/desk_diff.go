package web

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// places are the lines of a JSON text on which the values of JSON pointers begin.
type places map[string]int

// lineOf finds the lines of all values as far as a text is JSON.
func lineOf(text string) places {
	w := walker{json.NewDecoder(strings.NewReader(text)), text, places{}}
	w.UseNumber()
	w.value("")
	return w.found
}

// at is the line of a pointer, or of the value around it.
func (p places) at(pointer string) int {
	for ; ; pointer = pointer[:strings.LastIndexByte(pointer, '/')] {
		if line, ok := p[pointer]; ok || !strings.Contains(pointer, "/") {
			return line
		}
	}
}

type walker struct {
	*json.Decoder
	text  string
	found places
}

// value reads a value, and reports false at the first fault. No token of JSON has a line break, so a
// token ends on the line on which it begins.
func (w *walker) value(at string) bool {
	t, err := w.Token()
	if err != nil {
		return false
	}
	if _, known := w.found[at]; !known {
		w.found[at] = 1 + strings.Count(w.text[:w.InputOffset()], "\n")
	}
	for i := 0; (t == json.Delim('{') || t == json.Delim('[')) && w.More(); i++ {
		name := strconv.Itoa(i)
		if t == json.Delim('{') {
			key, err := w.Token()
			if err != nil {
				return false
			}
			name, _ = key.(string)
		}
		if !w.value(at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)) {
			return false
		}
	}
	if t == json.Delim('{') || t == json.Delim('[') {
		_, err = w.Token()
	}
	return err == nil
}

// withFaults are the lines of a draft with what is wrong with them.
func withFaults(draft string, faults []spot) []line {
	lines, _ := numbered(draft, false)
	for _, f := range faults {
		if i := f.Line - 1; i >= 0 && i < len(lines) {
			lines[i].Mark = "del"
			lines[i].Fault = strings.TrimSpace(f.Pointer + " " + f.Detail)
		}
	}
	return lines
}

// maxCompared is how many lines are compared; of longer texts the whole changed part is shown.
const maxCompared = 1_000

// difference is how a text differs from the one before, line by line, and which lines are locked.
func difference(before, after string, locked []string) []line {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	first := 0
	for first < min(len(was), len(is)) && was[first] == is[first] {
		first++
	}
	last := 0
	for last < min(len(was), len(is))-first && was[len(was)-1-last] == is[len(is)-1-last] {
		last++
	}
	var all []line
	for i, text := range is[:first] {
		all = append(all, line{Number: i + 1, Before: text})
	}
	all = append(all, compared(was[first:len(was)-last], is[first:len(is)-last], first)...)
	for i := len(is) - last; i < len(is); i++ {
		all = append(all, line{Number: i + 1, Before: is[i]})
	}
	lockLines(all, lineOf(after), locked)
	return all[:min(len(all), 2*maxLines)]
}

// compared are the removed and the added lines, in the sequence of a longest common subsequence. Both
// begin after so many lines.
func compared(was, is []string, first int) (all []line) {
	common := subsequence(was, is)
	i, j := 0, 0
	for i < len(was) || j < len(is) {
		begin := len(all)
		removed, added := i, j
		for i < len(was) && !slices.ContainsFunc(common, func(c [2]int) bool { return c[0] == i }) {
			all = append(all, line{Number: first + i + 1, Mark: "del", Before: was[i]})
			i++
		}
		for j < len(is) && !slices.ContainsFunc(common, func(c [2]int) bool { return c[1] == j }) {
			all = append(all, line{Number: first + j + 1, Mark: "ins", Before: is[j]})
			j++
		}
		for k := range min(i-removed, j-added) {
			underline(&all[begin+k], &all[begin+i-removed+k])
		}
		if i < len(was) && j < len(is) {
			all = append(all, line{Number: first + j + 1, Before: is[j]})
			i, j = i+1, j+1
		}
	}
	return all
}

// subsequence returns the pairs of a longest common subsequence; none of long texts.
func subsequence(was, is []string) (pairs [][2]int) {
	if len(was)*len(is) > maxCompared*maxCompared {
		return nil
	}
	length := make([][]int, len(was)+1)
	for i := range length {
		length[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if length[i][j] = max(length[i+1][j], length[i][j+1]); was[i] == is[j] {
				length[i][j] = 1 + length[i+1][j+1]
			}
		}
	}
	for i, j := 0, 0; i < len(was) && j < len(is); {
		switch {
		case was[i] == is[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// underline marks what differs between two lines.
func underline(a, b *line) {
	x, y := a.Before, b.Before
	first := 0
	for first < min(len(x), len(y)) && x[first] == y[first] {
		first++
	}
	for first > 0 && !(utf8.RuneStart(x[min(first, len(x)-1)]) && utf8.RuneStart(y[min(first, len(y)-1)])) {
		first--
	}
	last := 0
	for last < min(len(x), len(y))-first && x[len(x)-1-last] == y[len(y)-1-last] {
		last++
	}
	for last > 0 && !(utf8.RuneStart(x[len(x)-last]) && utf8.RuneStart(y[len(y)-last])) {
		last--
	}
	a.Before, a.Middle, a.After = x[:first], x[first:len(x)-last], x[len(x)-last:]
	b.Before, b.Middle, b.After = y[:first], y[first:len(y)-last], y[len(y)-last:]
}

// lockLines marks the lines whose values are locked.
func lockLines(all []line, at places, locked []string) {
	lines := map[int]bool{}
	for pointer, line := range at {
		for _, l := range locked {
			lines[line] = lines[line] || pointer == l || strings.HasPrefix(pointer, l+"/")
		}
	}
	for i := range all {
		if all[i].Mark == "" && lines[all[i].Number] {
			all[i].Mark = "lock"
		}
	}
}
