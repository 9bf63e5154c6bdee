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
		// Rows that are few, found by an index. The planner expects many: it knows nothing of the argument.
		"rowid IN (SELECT l.rowid FROM json_each(?) AS pairs CROSS JOIN dead_letters l INDEXED BY dead_letters_record\n  WHERE",
		"rowid = ANY (ARRAY (SELECT l.rowid FROM json_array_elements(CAST(? AS json)) AS pairs(value) CROSS JOIN LATERAL (SELECT l.rowid FROM dead_letters l WHERE",
		"l.dlq_offset >= CAST(value ->> 2 AS BIGINT))", "l.dlq_offset >= CAST(value ->> 2 AS BIGINT) OFFSET 0) l))",
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
	text := hint.ReplaceAllString(spelling().Replace(merged(statement)), "$1")
	return parameter.ReplaceAllStringFunc(text, func(p string) string {
		if p != "?" {
			return "$" + p[1:]
		}
		n++
		return "$" + strconv.Itoa(n)
	})
}

// list begins a list of dead letters, and listEnd ends it or several that are merged.
const list = "SELECT rowid AS row, last_failed, id FROM dead_letters"

var listEnd = regexp.MustCompile(` ORDER BY last_failed (ASC|DESC), id (ASC|DESC) LIMIT \?`)

// merged gives each of several lists the sequence and the limit of all. SQLite merges lists as their indexes have them;
// without these, PostgreSQL reads all of each, and sorts them.
func merged(statement string) string {
	from, end := strings.Index(statement, list), listEnd.FindStringIndex(statement)
	if from < 0 || end == nil {
		return statement
	}
	lists := strings.Split(statement[from:end[0]], " UNION ALL ")
	if len(lists) < 2 {
		return statement
	}
	limit := strings.Count(statement[:end[1]], "?") // the number of its parameter
	each := statement[end[0]:end[1]] + strconv.Itoa(limit)
	for i := range lists {
		lists[i] = "(" + lists[i] + each + ")"
	}
	return statement[:from] + strings.Join(lists, " UNION ALL ") + each + statement[end[1]:]
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
