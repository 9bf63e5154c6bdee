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

// maxYAML is the maximum size of a YAML file in bytes; yaml.v3 uses many times as much memory. A
// catalogue of 4,000 products fits.
const maxYAML = 1 << 20

// LoadYAML reads the file at path, or embedded if path is empty, into a pointer to a struct. It
// then calls check, if not nil, which reports faults with Place.Wrong. The error has a line for
// each fault. The version is "sha256:" and 12 hex digits of the hash of the file.
func LoadYAML(path string, embedded []byte, into any, check func(root Place)) (version string, err error) {
	name, text := "embedded default", embedded
	if path != "" {
		name = path
		if text, err = ReadFile(path, maxYAML); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("sha256:%.6x", sha256.Sum256(text)), ParseYAML(name, text, into, check)
}

// ParseYAML is LoadYAML for text that was read from the file with that name. The caller limits its
// size: yaml.v3 uses many times as much memory.
func ParseYAML(name string, text []byte, into any, check func(root Place)) error {
	f := &file{name: name}
	root, err := f.decode(text, into)
	if err != nil {
		return fmt.Errorf("%s:%w", name, err)
	}
	// yaml.v3 leaves out a mapping with a repeated key: check would report everything in it as
	// missing.
	if check != nil && !slices.ContainsFunc(f.found, func(w wrong) bool { return w.unread }) {
		check(Place{f, root, root.Line})
	}
	return f.err()
}

// Place is a place in a YAML file.
type Place struct {
	file *file
	node *yaml.Node // or nil: not in the file
	line int
}

// At is the place at a path below p: strings are keys of mappings, ints are positions in lists,
// from 0. If the file has nothing there, it is the nearest place above.
func (p Place) At(path ...any) Place {
	for _, key := range path {
		p.node, p.line = below(p.node, key, p.line)
	}
	return p
}

// Wrong reports a fault at p. It reports nothing on a line with a structural fault, which is likely
// the cause.
func (p Place) Wrong(format string, args ...any) {
	if !slices.ContainsFunc(p.file.found, func(w wrong) bool { return w.structural && w.line == p.line }) {
		p.file.found = append(p.file.found, wrong{line: p.line, detail: fmt.Sprintf(format, args...)})
	}
}

// below is one step down a path. The line is that of the key; the value may begin on a later line.
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

// file collects the faults of one file.
type file struct {
	name  string
	found []wrong
}

// wrong is one fault.
type wrong struct {
	line       int
	detail     string
	structural bool // an unknown or repeated key or a wrong type, found before the check
	unread     bool // the mapping around it was not read
}

// err is all faults in the order of the file, or nil. yaml.v3 reports a repeated key twice; Compact
// removes the copy.
func (f *file) err() error {
	slices.SortStableFunc(f.found, func(a, b wrong) int { return cmp.Compare(a.line, b.line) })
	var all []error
	for _, w := range slices.Compact(f.found) {
		all = append(all, fmt.Errorf("%s:%d: %s", f.name, w.line, w.detail))
	}
	return errors.Join(all...)
}

// decode reads the document of a file twice: strictly into the struct, and as nodes, which have
// line numbers. It returns an error that begins with the line if the file cannot be parsed;
// structural faults go to found.
func (f *file) decode(text []byte, into any) (*yaml.Node, error) {
	var doc yaml.Node
	var documents *yaml.Decoder
	err := fault(text, func(text []byte) error {
		documents = yaml.NewDecoder(bytes.NewReader(text))
		err := documents.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if doc.Content == nil || doc.Content[0].Tag == "!!null" {
		return nil, errors.New("1: is empty")
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fault(text, alone)
	}
	var misfits *yaml.TypeError
	err = fault(text, func(text []byte) error {
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
	_ = documents.Decode(new(yaml.Node)) // the first document
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("must be a single YAML document")
	}
	return nil
}

// The texts of yaml.v3's errors, which have no types.
var (
	atLine   = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)`)
	unknown  = regexp.MustCompile(`^field (.*) not found in type`)
	repeated = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)|^field (.*) already set in type`)
	misfit   = regexp.MustCompile(`^cannot unmarshal .* into (\S+)$`)
)

// syntax is the text of an error of yaml.v3 without the line number.
func syntax(err error) string {
	if m := atLine.FindStringSubmatch(err.Error()); m != nil {
		return m[2]
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// fault returns the error of read with the first line at which reading fails, or nil. It finds the
// line by reading shorter and shorter beginnings of the text, because yaml.v3 reports the line
// where the surrounding list or mapping begins, or the line before that, or none.
func fault(text []byte, read func([]byte) error) error {
	err := read(text)
	if err == nil {
		return nil
	}
	// Every beginning that includes the faulty line fails with the same error, so a binary search
	// finds it.
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

// lineEnds are the offsets after each line. The last line may have no line break.
func lineEnds(text []byte) (ends []int) {
	end := 0
	for line := range bytes.Lines(text) {
		end += len(line)
		ends = append(ends, end)
	}
	return ends
}

// structural translates an error of yaml.v3 about Go types for the authors of YAML files.
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

// kind is the YAML name of a Go type. For a named type it is unknown.
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
