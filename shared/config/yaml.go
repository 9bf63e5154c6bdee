package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxYAML bounds a YAML file, of which yaml.v3 makes many times as much in memory. A catalogue of 4,000 products fits.
const maxYAML = 1 << 20

// LoadYAML reads the file at path, or embedded when path is empty, into a pointer to a struct, and then calls check
// (or nil), which says by Place.Wrong what else is wrong with it. The error has a line for each thing that is wrong.
// The version, "sha256:" and 12 hex digits, is another one whenever a byte of the file is.
func LoadYAML(path string, embedded []byte, into any, check func(root Place)) (version string, err error) {
	name, text := "embedded default", embedded
	if path != "" {
		name = path
		if text, err = ReadFile(path, maxYAML); err != nil {
			return "", err
		}
	}
	f := &file{name: name}
	root, err := f.decode(text, into)
	if err != nil {
		return "", fmt.Errorf("%s:%w", name, err)
	}
	// yaml.v3 leaves out a whole mapping that has a key twice: the check would complain about all that stands in it.
	if check != nil && !slices.ContainsFunc(f.found, func(w wrong) bool { return w.unread }) {
		check(Place{f, root, root.Line})
	}
	return fmt.Sprintf("sha256:%.6x", sha256.Sum256(text)), f.err()
}

// Place is a place in a YAML file.
type Place struct {
	file *file
	node *yaml.Node // or nil: the file has no such place
	line int
}

// At is the place below p that keys of mappings (strings) and positions in lists (ints, from 0) lead to. Where the file
// has nothing there, it is the nearest place above.
func (p Place) At(path ...any) Place {
	for _, key := range path {
		p.node, p.line = below(p.node, key, p.line)
	}
	return p
}

// Wrong says what is wrong at p. It adds nothing on a line whose keys or kinds are wrong already: that is the cause.
func (p Place) Wrong(format string, args ...any) {
	if !slices.ContainsFunc(p.file.found, func(w wrong) bool { return w.structural && w.line == p.line }) {
		p.file.found = append(p.file.found, wrong{line: p.line, detail: fmt.Sprintf(format, args...)})
	}
}

// below is one step down a path. The line of a key is where people look; its value may begin lines later.
func below(n *yaml.Node, key any, line int) (*yaml.Node, int) {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch key := key.(type) {
	case int:
		if n != nil && n.Kind == yaml.SequenceNode && key < len(n.Content) {
			return n.Content[key], n.Content[key].Line
		}
	case string:
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	}
	return nil, line
}

// file collects what is wrong with one file.
type file struct {
	name  string
	found []wrong
}

// wrong is one thing that is wrong.
type wrong struct {
	line       int
	detail     string
	structural bool // a key or a kind, found before the check
	unread     bool // the mapping that it stands in
}

// err is all that was found in the order of the file, or nil. yaml.v3 reports a key given twice in two ways: one is enough.
func (f *file) err() error {
	slices.SortStableFunc(f.found, func(a, b wrong) int { return cmp.Compare(a.line, b.line) })
	var all []error
	for _, w := range slices.Compact(f.found) {
		all = append(all, fmt.Errorf("%s:%d: %s", f.name, w.line, w.detail))
	}
	return errors.Join(all...)
}

// decode reads the one document of a file twice: strictly into the struct, and as nodes, which know their lines. Its
// error begins with the line: nothing can be read then. What can be read around goes to found.
func (f *file) decode(text []byte, into any) (*yaml.Node, error) {
	var doc yaml.Node
	if err := fault(text, func(text []byte) error { return yaml.Unmarshal(text, &doc) }); err != nil {
		return nil, err
	}
	if doc.Content == nil || doc.Content[0].Tag == "!!null" {
		return nil, errors.New("1: is empty")
	}
	if err := fault(text, alone); err != nil {
		return nil, err
	}
	var misfits *yaml.TypeError
	err := fault(text, func(text []byte) error {
		strict := yaml.NewDecoder(bytes.NewReader(text))
		strict.KnownFields(true)
		err := strict.Decode(into)
		if errors.Is(err, io.EOF) || errors.As(err, &misfits) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if misfits != nil {
		for _, text := range misfits.Errors {
			f.found = append(f.found, structural(text))
		}
	}
	return doc.Content[0], nil
}

// alone refuses a second document.
func alone(text []byte) error {
	documents := yaml.NewDecoder(bytes.NewReader(text))
	_ = documents.Decode(new(yaml.Node)) // which was read before
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("must be a single YAML document")
	}
	return nil
}

// What yaml.v3 says; its errors have no other form than text.
var (
	atLine   = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)`)
	unknown  = regexp.MustCompile(`^field (.*) not found in type`)
	repeated = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)|^field (.*) already set in type`)
	misfit   = regexp.MustCompile(`^cannot unmarshal .* into (\S+)$`)
)

// syntax is what an error of yaml.v3 says, without the line.
func syntax(err error) string {
	if m := atLine.FindStringSubmatch(err.Error()); m != nil {
		return m[2]
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// fault is what keeps a text from being read, behind the first line that cannot be read with those before it, whatever
// follows; nil if nothing does. yaml.v3 names where the list or mapping around it begins, or the line before that, or none.
func fault(text []byte, read func([]byte) error) error {
	err := read(text)
	if err == nil {
		return nil
	}
	// A text that goes on behind the fault has the same error: half of what is left is tried, not each line.
	ends := lineEnds(text)
	same := sort.Search(len(ends), func(i int) bool {
		other := read(text[:ends[i]])
		return other != nil && other.Error() == err.Error()
	})
	for text = text[:ends[min(same, len(ends)-1)]]; read(text) != nil; {
		text = text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
	}
	return fmt.Errorf("%d: %s", bytes.Count(text, []byte("\n"))+1, syntax(err))
}

// lineEnds are the places behind each line, the last of which may lack a line break.
func lineEnds(text []byte) (ends []int) {
	end := 0
	for line := range bytes.Lines(text) {
		end += len(line)
		ends = append(ends, end)
	}
	return ends
}

// structural says in words for people what yaml.v3 says about Go types.
func structural(text string) wrong {
	w := wrong{detail: text, structural: true}
	if m := atLine.FindStringSubmatch(text); m != nil {
		w.line, _ = strconv.Atoi(m[1])
		w.detail = m[2]
	}
	if m := unknown.FindStringSubmatch(w.detail); m != nil {
		w.detail = fmt.Sprintf("unknown key %q", m[1])
	} else if m := repeated.FindStringSubmatch(w.detail); m != nil {
		w.detail, w.unread = fmt.Sprintf("key %q appears twice", m[1]+m[3]), true
	} else if m := misfit.FindStringSubmatch(w.detail); m != nil {
		w.detail = "must be " + kind(m[1])
	}
	return w
}

// kind is what a Go type is in a YAML file. The name of a type does not say what it is made of.
func kind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "["):
		return "a list"
	case strings.HasPrefix(goType, "map["):
		return "a mapping of keys to values"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	default:
		return "of another kind"
	}
}
