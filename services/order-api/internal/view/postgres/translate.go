package postgres

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// spelling is how PostgreSQL spells what package tables writes for SQLite. The first that fits counts.
func spelling() *strings.Replacer {
	return strings.NewReplacer(
		"json_each(?) AS texts", "json_array_elements_text(CAST(? AS json)) AS texts(value)",
		"json_each(?) AS pairs", "json_array_elements(CAST(? AS json)) AS pairs(value)",
		"json_group_array(json_array(first, last))", "coalesce(json_agg(json_build_array(first, last)), '[]')",
		"group_concat(id, char(10))", "string_agg(id, chr(10))",
		"instr(", "strpos(",
	)
}

var (
	// hint is what tells SQLite which index to use. PostgreSQL decides by statistics.
	hint = regexp.MustCompile(` INDEXED BY \w+|\B\+(["a-z?])`)
	// parameter is ? or ?1.
	parameter = regexp.MustCompile(`\?(\d*)`)
)

// maxTranslations is how many texts are kept. Only a search for many words, which clients vary, has more.
const maxTranslations = 200

// translator translates statements of package tables. The zero value knows none.
type translator struct {
	mu    sync.Mutex
	known map[string]string
}

func (t *translator) translate(statement string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text, ok := t.known[statement]; ok {
		return text
	}
	text := translate(statement)
	if t.known == nil {
		t.known = map[string]string{}
	}
	if len(t.known) < maxTranslations {
		t.known[statement] = text
	}
	return text
}

func translate(statement string) string {
	n := 0
	text := hint.ReplaceAllString(spelling().Replace(statement), "$1")
	return parameter.ReplaceAllStringFunc(text, func(p string) string {
		if p != "?" {
			return "$" + p[1:]
		}
		n++
		return "$" + strconv.Itoa(n)
	})
}

// storable are arguments as PostgreSQL can store them: a text that is not UTF-8, or has a NUL, gets
// U+FFFD in its place. Texts of records may be anything.
func storable(args []any) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		if v := reflect.ValueOf(arg); v.Kind() == reflect.String {
			arg = strings.ReplaceAll(strings.ToValidUTF8(v.String(), "\ufffd"), "\x00", "\ufffd")
		}
		all[i] = arg
	}
	return all
}
