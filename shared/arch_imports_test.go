package shared_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rings. A package imports from its own ring or from one further in.
const (
	domain = iota
	mechanism
	program
)

type arrow struct {
	ring    int
	pkg     string
	imports string // short names
	reason  string // why it may know them
}

// arrows is the import table: every package of the workspace has one row. Add a row, or a name to one, with its reason, before
// adding an import.
func arrows() []arrow {
	return []arrow{
		{domain, "failure", "", "a class and a reason: everybody marks errors with them"},
		{domain, "order", "", "the words that every other package speaks"},

		{mechanism, "topic", "", "one table of names and settings"},
		{mechanism, "telemetry", "", "how programs log"},
		{mechanism, "config", "", "how programs read their settings"},
		{mechanism, "serve", "config", "lets in whom the settings allow"},
		{mechanism, "wire", "order topic", "records are made of the domain, and fit into their topics"},
		{mechanism, "status", "wire", "folds the headers of status records"},
		{mechanism, "kafka", "telemetry topic", "creates, checks and watches the topics of the table, and logs what has changed"},
		{mechanism, "dlq", "failure order wire", "a dead letter is an order's record with the failure in its headers"},
		{mechanism, "pdfa", "", "seals documents in the worker, opens them in the API: it knows no orders"},
		{mechanism, "broker", "config serve telemetry", "listens as its settings allow, logs what the broker says"},
		{mechanism, "inbox", "config serve telemetry", "a mail server knows no orders; its page is behind the same door as the API"},
		{mechanism, "kafkatest", "dlq kafka order status topic wire", "reads in tests what the programs wrote"},

		{mechanism, "rates", "config failure order", "a rate card is a file: the worker ships by it, the API quotes by it"},
		{mechanism, "shipping", "failure order rates", "a step"},
		{mechanism, "einvoice", "order", "an invoice for programs: amounts and VAT are the domain's"},
		{mechanism, "locale", "order", "what a language needs beside words: invoice and mail agree on amounts"},
		{mechanism, "document", "pdfa", "lays out texts as PDF: it knows no orders"},
		{mechanism, "invoice", "config document einvoice failure locale order", "a step: its seller is a file, its document a hybrid"},
		{mechanism, "pdftest", "", "reads PDFs back in tests"},
		{mechanism, "email", "config failure locale order", "a step"},
		{mechanism, "retry", "failure telemetry topic", "how soon, and where until then, depends on the class"},
		{mechanism, "lease", "", "hears what the group's client hears"},
		{mechanism, "metrics", "failure order", "counts by outcome, step and class"},
		{mechanism, "ledger", "dlq failure kafka lease metrics order status telemetry topic wire", "writes all that the worker writes"},
		{mechanism, "pipeline", "dlq email failure invoice kafka lease ledger metrics order retry shipping telemetry topic wire", "the one list of steps, and what becomes of a record"},
		{mechanism, "partition", "metrics telemetry", "logs and counts each change of a partition's state"},
		{mechanism, "scheduler", "partition", "begins orders of running partitions only; it has no Kafka client"},
		{mechanism, "group", "kafka lease ledger metrics partition retry scheduler status telemetry topic wire", "owns partitions, and their ledgers"},
		{program, "worker", "config email group invoice kafka ledger metrics order partition pipeline rates retry serve shipping topic", "wires the worker"},
		{program, "order-worker", "config kafka telemetry topic worker", "settings for the worker"},

		{mechanism, "catalogue", "config order", "prices the lines of an order"},
		{mechanism, "batch", "client", "reads files of orders, as the client places them"},
		{mechanism, "view", "dlq failure kafka order status telemetry topic wire", "folds the topics into tables"},
		{mechanism, "intake", "kafka order view wire", "appends what the view does not know yet"},
		{mechanism, "desk", "dlq kafka order topic view wire", "finds dead letters and orders in the view, asks for replays and cancels"},
		{mechanism, "client", "", "calls the API: for adopters too, so it knows nothing of ours"},
		{mechanism, "httpapi", "catalogue client config desk failure intake order pdfa rates serve telemetry view wire", "the door: its JSON is what the client reads"},
		{program, "api", "catalogue config desk httpapi intake kafka rates serve telemetry topic view", "wires the API"},
		{program, "order-api", "api config kafka telemetry topic", "settings for the API"},
		{mechanism, "audit", "dlq failure kafka order status topic wire", "holds all topics against each other"},
		{mechanism, "ctl", "audit batch client config kafka order topic wire", "the commands of ordersctl; skip writes records"},
		{program, "ordersctl", "config ctl", "settings for the commands"},
		{program, "chaos", "audit client config inbox kafka order status topic wire", "breaks the application from outside, and holds what all sides say against each other"},
		{program, "all-in-one", "api broker config ctl inbox kafka serve telemetry topic worker", "settings for all parts, and the order in which they end"},
	}
}

type allowed struct {
	module string
	pkgs   string // short names
	reason string
}

// modules lists which modules of others are used, by whom, and what they save us.
func modules() []allowed {
	const franz = "the Kafka client; kept away from the domain and the steps"
	return []allowed{
		{"github.com/labstack/echo/v4", "httpapi", "HTTP routes: echo's types stay where v5 will change them"},
		{"github.com/jung-kurt/gofpdf", "document", "writes the PDF; archived, so one package knows it"},
		{"github.com/sony/gobreaker/v2", "retry", "one state machine that is easily got wrong; small, and kept by Sony"},
		{"github.com/wneessen/go-mail", "email", "builds and sends mail"},
		{"github.com/emersion/go-smtp", "inbox", "the SMTP server of the inbox"},
		{"github.com/twmb/franz-go/pkg/kfake", "broker kafkatest", "a Kafka in the process: for trying and testing"},
		{"github.com/twmb/franz-go", "api audit broker chaos ctl desk dlq group intake kafka kafkatest lease ledger pipeline scheduler status view wire", franz},
		{"github.com/prometheus/client_golang", "httpapi metrics", "counters and histograms as Prometheus scrapes them"},
		{"github.com/alecthomas/kong", "all-in-one config ctl order-worker", "flags, variables and help from one struct"},
		{"gopkg.in/yaml.v3", "config", "files that people write, with the line of a mistake"},
		{"modernc.org/sqlite", "view", "the read model, without cgo"},
		{"golang.org/x/time", "intake", "token buckets"},
		{"golang.org/x/sync", "all-in-one api audit chaos ctl inbox serve view worker", "errgroup: who starts a goroutine waits for it"},
		{"golang.org/x/text", "document locale", "names and languages of countries, plurals, composed letters, and the forms of Arabic ones"},
	}
}

func importsInTable(h *house) (complaints []string) {
	rows := map[string]arrow{}
	for _, a := range arrows() {
		rows[a.pkg] = a
	}
	for _, u := range h.units {
		if len(u.production()) == 0 {
			continue
		}
		row, ok := rows[u.short]
		if !ok {
			complaints = append(complaints, fmt.Sprintf("%s has no row; it imports %q", u.path, strings.Join(u.ours(), " ")))
			continue
		}
		if got := strings.Join(sorted(u.ours()), " "); got != row.imports {
			complaints = append(complaints, fmt.Sprintf("%s imports %q, its row says %q", u.short, got, row.imports))
		}
		delete(rows, u.short)
	}
	for _, name := range keys(rows) {
		complaints = append(complaints, "the table has a row for "+name+", which does not exist")
	}
	return complaints
}

func modulesInTable(h *house) (complaints []string) {
	used := map[string][]string{}
	for _, u := range h.units {
		for _, name := range u.others() {
			i := slices.IndexFunc(modules(), func(m allowed) bool { return name == m.module || strings.HasPrefix(name, m.module+"/") })
			if i < 0 {
				complaints = append(complaints, fmt.Sprintf("%s imports %s, whose module has no row", u.path, name))
				continue
			}
			module := modules()[i].module
			used[module] = append(used[module], u.short)
		}
	}
	for _, m := range modules() {
		if got := strings.Join(sorted(used[m.module]), " "); got != m.pkgs {
			complaints = append(complaints, fmt.Sprintf("%s is imported by %q, its row says %q", m.module, got, m.pkgs))
		}
	}
	return complaints
}

func ringsPointInward(*house) (complaints []string) {
	ring := map[string]int{}
	for _, a := range arrows() {
		ring[a.pkg] = a.ring
	}
	for _, a := range arrows() {
		for to := range strings.FieldsSeq(a.imports) {
			if ring[to] > a.ring {
				complaints = append(complaints, a.pkg+" imports "+to+", which is further out")
			}
		}
	}
	return complaints
}

func domainAlone(h *house) (complaints []string) {
	for _, u := range h.units {
		if u.short != "order" && u.short != "failure" {
			continue
		}
		for _, name := range slices.Concat(u.ours(), u.others()) {
			complaints = append(complaints, u.short+" is the domain, and imports "+name)
		}
	}
	return complaints
}

// stepsWithoutKafka: a step is tested, and could be used, without a broker. Only pipeline joins the two, and worker wires them.
func stepsWithoutKafka(h *house) (complaints []string) {
	steps := []string{"shipping", "invoice", "email"}
	for _, u := range h.units {
		for _, name := range u.ours() {
			if slices.Contains(steps, name) && u.short != "pipeline" && u.short != "worker" {
				complaints = append(complaints, u.short+" imports the step "+name)
			}
		}
		if !slices.Contains(steps, u.short) {
			continue
		}
		for _, name := range h.reach(u) {
			if slices.Contains([]string{"kafka", "wire", "topic"}, name) || strings.HasPrefix(name, "github.com/twmb/franz-go") {
				complaints = append(complaints, "the step "+u.short+" reaches "+name)
			}
		}
	}
	return complaints
}

// reach returns all that a package imports, directly or through packages of the workspace.
func (h *house) reach(u *unit) []string {
	all := u.others()
	for _, name := range u.ours() {
		all = append(all, name)
		for _, next := range h.units {
			if next.short == name {
				all = append(all, h.reach(next)...)
			}
		}
	}
	return sorted(all)
}

// oneDoor: hosts, origins and bodies that never come are package serve's business, for every listener.
func oneDoor(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, f := range u.production() {
			if u.short != "serve" && regexp.MustCompile(`http\.(Server\{|Serve\(|ListenAndServe)`).MatchString(f.text) {
				complaints = append(complaints, f.path+" serves HTTP past package serve")
			}
		}
	}
	return complaints
}

func embeddedApart(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, name := range u.imports() {
			rest := strings.TrimPrefix(name, home)
			embedded := strings.HasPrefix(rest, "shared/embedded/") || rest == "shared/kafkatest"
			worker := strings.HasPrefix(rest, "services/order-worker") && !strings.HasPrefix(u.path, "services/order-worker")
			// chaos is a test that is a program: its mail server misbehaves on command. The workers it runs are processes.
			if (embedded || worker) && u.short != "all-in-one" && (worker || u.short != "chaos") {
				complaints = append(complaints, u.short+" imports "+rest+", which is for all-in-one and tests")
			}
		}
	}
	return complaints
}

// TestServicesCarryWhatTheyNeed: what a service is built from goes to production and is patched there.
func TestServicesCarryWhatTheyNeed(t *testing.T) {
	t.Parallel()
	workspace(t)
	unwanted := []string{
		"github.com/twmb/franz-go/pkg/kfake", "github.com/google/go-cmp", "pgregory.net/rapid", "github.com/getkin/kin-openapi",
		"github.com/chromedp", "github.com/rogpeppe/go-internal", "github.com/compose-spec", "testing", home + "shared/kafkatest", home + "shared/embedded",
	}
	other := map[string]string{"order-api": "order-worker", "order-worker": "order-api"}
	for service, foreign := range other {
		out, err := exec.Command("go", "list", "-deps", home+"services/"+service).CombinedOutput()
		if err != nil {
			t.Errorf("go list -deps %s: %v\n%s", service, err, out)
			continue
		}
		for name := range strings.Lines(string(out)) {
			for _, prefix := range append(unwanted, home+"services/"+foreign) {
				if name = strings.TrimSpace(name); name == prefix || strings.HasPrefix(name, prefix+"/") {
					t.Errorf("%s is built with %s", service, name)
				}
			}
		}
	}
}
