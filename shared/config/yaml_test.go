package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
)

type shop struct {
	Name   string            `yaml:"name"`
	Opens  int               `yaml:"opens"`
	Always bool              `yaml:"always"`
	Prices map[string]string `yaml:"prices"`
	Desks  []desk            `yaml:"desks"`
	Size   [2]int            `yaml:"size"`
}

type desk struct {
	Clerk string `yaml:"clerk"`
}

func ExampleLoadYAML() {
	var s shop
	_, err := config.LoadYAML("", []byte("name: \"\"\nopen: 9\ndesks:\n  - clerk: Zoë\n  - {}\n"), &s, func(root config.Place) {
		if s.Name == "" {
			root.At("name").Wrong("must not be empty")
		}
		for i, d := range s.Desks {
			if d.Clerk == "" {
				root.At("desks", i, "clerk").Wrong("desk %d has no clerk", i+1)
			}
		}
	})
	fmt.Println(err)
	// Output:
	// embedded default:1: must not be empty
	// embedded default:2: unknown key "open"
	// embedded default:5: desk 2 has no clerk
}

func TestInvalidFilesAreRefusedWithTheirLines(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"empty", "", "1: is empty"},
		{"only a comment", "# nothing yet\n", "1: is empty"},
		{"null", "~", "1: is empty"},
		{"two documents", "name: a\n---\nname: b\n", "2: must be a single YAML document"},
		{"a broken second document", "name: a\n---\n{{{\n", "2: must be a single YAML document"},
		{"bad syntax", "name: a\nopens: [1\n", "2: did not find expected ',' or ']'"},
		{"a line too far to the left", "desks:\n  - clerk: a\n  - clerk: b\n - clerk: c\n", "4: did not find expected key"},
		{"a line too far to the right", "name: a\nopens: 1\n  always: true\n", "3: mapping values are not allowed in this context"},
		{"a key too far to the right", "desks:\n  - clerk: a\n      boss: b\nname: c\n", "3: mapping values are not allowed in this context"},
		{"a quote that does not end", "opens: 1\nname: \"a\nalways: true\nprices: {}\n", "2: found unexpected end of stream"},
		{"a tab", "name: a\n\topens: 1\n", "2: found a tab character that violates indentation"},
		{"no UTF-8", "opens: 1\nname: \xff\n", "2: invalid leading UTF-8 octet"},
		{"unknown alias", "opens: 1\nname: *missing\n", "2: unknown anchor 'missing' referenced"},
		{"a tag that lies", "name: a\nopens: !!int \"x\"\nalways: true\n", "2: cannot decode !!str `x` as a !!int"},
		{"a merge of no mapping", "name: a\n<<: 5\nalways: true\n", "2: map merge requires map or sequence of maps as the value"},
		{"unknown key", "name: a\nnmae: b\n", `2: unknown key "nmae"`},
		{"unknown key within", "desks:\n  - clerk: a\n    boss: b\n", `3: unknown key "boss"`},
		{"key given twice", "name: a\nname: b\n", `2: key "name" appears twice`},
		{"key given twice within", "name: a\ndesks:\n  - clerk: a\n    clerk: b\n", `4: key "clerk" appears twice`},
		{"no whole number", "opens: nine\n", "1: must be a whole number"},
		{"no list", "desks: 3\n", "1: must be a list"},
		{"no mapping", "prices:\n  - 3\n", "2: must be a mapping of keys to values"},
		{"no struct", "desks:\n  - x\n", "2: must be of another kind"},
		{"no text", "name: [a]\n", "1: must be text"},
		{"no boolean", "always: 7\n", "1: must be true or false"},
		{"a list at the top", "- name: a\n", "1: must be of another kind"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shop.yaml")
			if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var s shop
			_, err := config.LoadYAML(path, nil, &s, func(root config.Place) {
				if strings.Contains(row.want, "twice") {
					root.Wrong("never said: what has a key twice is not read")
				}
			})
			if err == nil {
				t.Fatal("got no error")
			}
			if diff := cmp.Diff(path+":"+row.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllFaultsAreReportedInFileOrder(t *testing.T) {
	t.Parallel()
	text := "name: \"\"\nopens: nine\nprices:\n  bread: x\nextra: 1\ndesks:\n  - &one {clerk: a}\n  - *one\n"
	var s shop
	_, err := config.LoadYAML("", []byte(text), &s, func(root config.Place) {
		root.At("desks", 1, "clerk").Wrong("clerk %s has two desks", s.Desks[1].Clerk)
		root.At("prices", "bread").Wrong("no price")
		root.At("opens").Wrong("never said: its kind is wrong already")
		root.At("desks", 7).Wrong("no third desk")
		root.At("name", "first").Wrong("must not be empty")
	})
	want := `embedded default:1: must not be empty
embedded default:2: must be a whole number
embedded default:4: no price
embedded default:5: unknown key "extra"
embedded default:6: no third desk
embedded default:7: clerk a has two desks`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestVersionDependsOnTheBytes(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, text := range []string{"name: a\n", "name: a", "name: b\n", "# new\nname: a\n"} {
		version, err := config.LoadYAML("", []byte(text), new(shop), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(version) != len("sha256:0123456789ab") || !strings.HasPrefix(version, "sha256:") {
			t.Errorf("got version %q, want sha256: and 12 hex digits", version)
		}
		if other, twice := seen[version]; twice {
			t.Errorf("%q and %q have one version", text, other)
		}
		seen[version] = text
	}
}

func TestPathReplacesTheDefaultFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte("name: given\nprices: {NO: 07}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got shop
	if _, err := config.LoadYAML(path, []byte("name: default"), &got, nil); err != nil {
		t.Fatal(err)
	}
	// Text stays as written: NO is Norway, not false, and 07 a postal code, not 7.
	if diff := cmp.Diff(shop{Name: "given", Prices: map[string]string{"NO": "07"}}, got); diff != "" {
		t.Errorf("shop (-want +got):\n%s", diff)
	}
	if _, err := config.LoadYAML(path+".missing", []byte("name: default"), &got, nil); !os.IsNotExist(err) {
		t.Errorf("got %v, want an error that says that the file does not exist", err)
	}
}

func FuzzLoadYAML(f *testing.F) {
	f.Add([]byte("name: a\nopens: 9\nalways: true\nprices: {bread: \"1\"}\ndesks: [{clerk: b}]\nsize: [1, 2]\n"))
	f.Add([]byte("a: &a [*a]\n? [b]\n: c\n--- !!set {d}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s shop
		_, err := config.LoadYAML("", text, &s, func(root config.Place) { root.At("desks", 0, "clerk").Wrong("seen") })
		if err == nil || strings.Contains(err.Error(), "reflect") || strings.Contains(err.Error(), "config_test") {
			t.Errorf("got %v, want an error in words for people", err)
		}
	})
}
