package shared_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRulesBite gives each rule a few lines that break it.
func TestRulesBite(t *testing.T) {
	t.Parallel()
	const (
		order   = "shared/order/order.go"
		invoice = "services/order-worker/internal/invoice/invoice.go"
		retry   = "services/order-worker/internal/retry/retry.go"
		ledger  = "services/order-worker/internal/ledger/fence.go"
		topic   = "shared/topic/topic.go"
		doc     = "// Package order is the domain.\npackage order\n"
	)
	long := strings.Repeat("\n", 100)
	tests := []struct{ name, rule, file, text, want string }{
		{"arrow", "imports are in the table", order, "package order; import _ \"example.com/orders/shared/wire\"", `order imports "wire", its row says ""`},
		{"no row", "imports are in the table", "shared/util/util.go", "package util", `shared/util has no row`},
		{"stale row", "imports are in the table", order, "package order", "the table has a row for wire, which does not exist"},
		{"new module", "other modules are in the table", retry, "package retry; import _ \"example.org/left-pad\"", "retry imports example.org/left-pad, whose module has no row"},
		{"module elsewhere", "other modules are in the table", retry, "package retry; import _ \"github.com/jung-kurt/gofpdf\"", `gofpdf is imported by "retry", its row says "document"`},
		{"domain", "the domain needs the standard library only", order, "package order; import _ \"golang.org/x/text\"", "order is the domain, and imports golang.org/x/text"},
		{"step reaches Kafka", "steps and Kafka do not know each other", invoice, "package invoice; import _ \"example.com/orders/shared/wire\"", "the step invoice reaches wire"},
		{"Kafka knows a step", "steps and Kafka do not know each other", retry, "package retry; import _ \"" + home + "x/invoice\"", "retry imports the step invoice"},
		{"embedded", "embedded servers are for trying and testing", retry, "package retry; import _ \"" + home + "shared/embedded/inbox\"", "retry imports shared/embedded/inbox"},
		{"worker", "embedded servers are for trying and testing", order, "package order; import _ \"" + home + "services/order-worker/worker\"", "order imports services/order-worker/worker"},
		{"another server", "only serve serves HTTP", retry, "package retry; import \"net/http\"; var s = http.Server{}", "retry.go serves HTTP without package serve"},
		{"no comment", "a package has one comment", order, "package order", `package comments in [], want one in order.go`},
		{"comment elsewhere", "a package has one comment", "shared/order/money.go", doc, `package comments in ["money.go"], want one in order.go`},
		{"no sentence", "exported names are explained", order, doc + "func Total() {}", "Total has no sentence"},
		{"other sentence", "exported names are explained", order, doc + "// Returns the total.\nfunc Total() {}", "Total has no sentence"},
		{"method", "exported names are explained", order, doc + "type m int\n// M is money.\ntype M[T any] int\nfunc (m *M[T]) Total() {}", "Total has no sentence"},
		{"failed to", "errors are paths of actions", order, doc + "const e = \"failed to add\"", "order.go:3: an error says failed to"},
		{"long function", "files and functions are small", order, doc + "func total() {" + long + "}", "total has 101 lines"},
		{"long file", "files and functions are small", order, doc + strings.Repeat(long, 5), "order.go has 502 lines"},
		{"broad package", "packages are small", retry, "package retry\n" + exported(14), "nine of ten packages export 14"},
		{"broad domain", "packages are small", order, doc + exported(exportOfOrder+1), "order exports 42"},
		{"init", "nothing runs before main", order, doc + "func init() {}", "order.go:3: an init function"},
		{"state", "packages hold no state", order, doc + "var rates map[string]int", "the variable rates"},
		{"lock", "packages hold no state", order, doc + "import \"sync\"\nvar pool = sync.Pool{}", "the variable pool"},
		{"files call back", "files of a package have an order", ledger, "package ledger; func a() { b(); d() }", "fence.go calls restore.go (b), which calls back"},
		{"one file in three", "files of a package are more than one file", ledger, "package ledger; func a() { b(); d() }", "ledger: 3 files call each other in 3 of 3 pairs"},
		{"image without a module", "images and CI know all modules", order, doc, "deploy/docker/Dockerfile does not name the module services/billing"},
		{"other phrase", "one word for one idea", topic, "// Package topic.\npackage topic\n" + "// The orders in\n// hand.", `topic.go:3: "in hand", write "in flight"`},
		{"odd phrase", "one word for one idea", topic, "package topic\n" + "// Nobody knows.", `topic.go:2: "nobody"`},
		{"missing entry", "one word for one idea", order, doc, `the glossary has no entry "read model"`},
		{"unused entry", "one word for one idea", order, doc, `the glossary explains "saga", which no code uses`},
		{"dead link", "links lead somewhere", order, doc, "README.md links to plan.md, which does not exist"},
		{"no test", "tests that documents name exist", order, doc, "README.md names the test TestPlan, which does not exist"},
		{"no command", "the README begins with a command", order, doc, "no command to paste"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &house{folders: []string{"shared/order"}, modules: []string{"services/billing"}, docs: map[string]string{
				"README.md":       "The job: [plan](plan.md#now), by `TestPlan`.",
				"ARCHITECTURE.md": "\n## Glossary\n\n| our word | the field's term |\n| --- | --- |\n| saga, order | saga |\n\n## Decisions\n",
			}}
			if strings.HasPrefix(tt.rule, "files of a package") {
				for file, text := range map[string]string{"restore.go": "package ledger; func b() { a() }", "memory.go": "package ledger; func d() { b() }"} {
					if err := h.add("services/order-worker/internal/ledger/"+file, text); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := h.add(tt.file, tt.text); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(rules(), func(r rule) bool { return r.name == tt.rule })
			if i < 0 {
				t.Fatalf("no rule %q", tt.rule)
			}
			if got := strings.Join(rules()[i].check(h), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("complaints:\n%s\nwant one with %s", got, tt.want)
			}
		})
	}
}

// exported writes n exported functions.
func exported(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "func F%d() {}\n", i)
	}
	return b.String()
}

// TestRulesAllow gives rules what they must allow.
func TestRulesAllow(t *testing.T) {
	t.Parallel()
	h := &house{
		folders: []string{"shared", "shared/order", "shared/order/testdata", "scripts", "services"},
		docs:    map[string]string{"README.md": "# [Orders](shared) on [Kafka](https://kafka.apache.org)\n\n```sh\nscripts/demo\n```\n\n```\nREADME.md\nscripts/       demo test\nservices/\nshared/\n  order/       the domain\n```\n"},
	}
	text := `// Package order is the domain.
package order

// Every status.
const (
	Accepted = "accepted"
)

// ErrUnknown is returned for an unknown ID.
var ErrUnknown = new(int)

var rates = map[string]int{"DE": 19}

//go:embed rates.yaml
var card []byte
`
	if err := h.add("shared/order/order.go", text); err != nil {
		t.Fatal(err)
	}
	for _, check := range []func(*house) []string{onePackageComment, namesExplained, noGlobals, domainAlone, errorsAreActions, sizes, linksLead, readmeCommand} {
		for _, complaint := range check(h) {
			t.Error(complaint)
		}
	}
}
