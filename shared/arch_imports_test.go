package shared_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The rings. A package imports packages of its own ring or of one further in.
const (
	domain = iota
	mechanism
	program
)

type arrow struct {
	ring    int
	pkg     string
	imports string // short names
	reason  string // of the imports
}

// arrows is the import table: each package of the workspace has one row. Before you add an import,
// add a row or a name to a row, with the reason.
func arrows() []arrow { return slices.Concat(shared(), ofWorker(), ofAPI(), measuring()) }

func shared() []arrow {
	return []arrow{
		{domain, "failure", "", "class and reason of an error: every package may mark errors"},
		{domain, "order", "", "the domain"},
		{mechanism, "topic", "", "one table of names and settings"},
		{mechanism, "tracing", "failure", "spans of orders, whose status is a class and a reason"},
		{mechanism, "tracetest", "", "a collector of traces, for tests"},
		{mechanism, "telemetry", "tracing", "how programs log: lines have the IDs of their trace"},
		{mechanism, "config", "", "how programs read their settings"},
		{mechanism, "serve", "config telemetry", "applies the access settings to each request"},
		{mechanism, "otlp", "config telemetry tracing", "sends traces to a collector, with the version of the program, and logs that it is away"},
		{mechanism, "wire", "order topic", "encodes the domain as records of topics"},
		{mechanism, "status", "wire", "folds the headers of status records"},
		{mechanism, "kafka", "config telemetry topic tracing", "reads certificates and passwords from files; creates, checks and watches the topics, and logs changes; appending is a span"},
		{mechanism, "meter", "", "counts what Kafka clients do: for the metrics of both services"},
		{mechanism, "dlq", "failure order wire", "a dead letter is the record of an order with the failure in its headers"},
		{mechanism, "pdfa", "", "the worker makes PDF/A, the API reads it: no orders"},
		{mechanism, "filelock", "", "locks files between processes: no orders"},
		{mechanism, "broker", "config filelock serve telemetry", "one process uses its directory; applies the access settings, and logs the messages of the broker"},
		{mechanism, "look", "", "the stylesheet of all pages, and how they write numbers"},
		{mechanism, "inbox", "config filelock look serve telemetry", "a mail server: no orders; one process uses its directory; its page is served by serve, as the API is"},
		{mechanism, "cputime", "", "measures CPU time in tests: the clock says little on a busy machine"},
		{mechanism, "golden", "", "compares with files in tests, and writes them again"},
		{mechanism, "securetest", "kafka topic", "a broker with TLS, sign-in and ACLs, for tests: it creates the topics as its administrator"},
		{mechanism, "kafkatest", "dlq kafka order status topic wire", "reads in tests what the programs wrote"},
		{mechanism, "address", "order", "checks and writes the address of an order: the API places with it, the pages ask for it, the worker prints it"},
		{mechanism, "place", "address config order", "finds what a file lists an address under, by country and postal code"},
		{mechanism, "rates", "address config failure order place", "reads the rate card, and finds the zone of an address: the worker prices with it, the API quotes with it"},
		{mechanism, "vat", "config order place", "reads the VAT table, and finds the territory of an address: the worker invoices with it, the API shows prices with it"},
	}
}

func ofWorker() []arrow {
	return []arrow{
		{mechanism, "shipping", "failure order rates", "a step"},
		{mechanism, "einvoice", "order", "an invoice as XML: amounts and VAT are from the domain"},
		{mechanism, "locale", "order", "formats amounts and dates: the same in invoice and mail"},
		{mechanism, "document", "pdfa", "lays out texts as PDF: no orders"},
		{mechanism, "invoice", "address config document einvoice failure locale order telemetry vat", "a step: reads the seller file, makes a PDF with XML, and logs which characters the fonts lack"},
		{mechanism, "pdftest", "", "reads PDFs back in tests"},
		{mechanism, "email", "address config failure locale order", "a step"},
		{mechanism, "retry", "failure telemetry topic", "how soon, and where until then, depends on the class"},
		{mechanism, "lease", "", "hears what the group's client hears"},
		{mechanism, "metrics", "failure meter order", "counts by outcome, step and class"},
		{mechanism, "ledger", "dlq failure kafka lease metrics order status telemetry topic wire", "writes all that the worker writes"},
		{mechanism, "pipeline", "dlq failure kafka lease ledger metrics order retry telemetry topic tracing wire", "takes orders through steps, which it knows as an interface"},
		{mechanism, "partition", "metrics telemetry", "logs and counts each change of a partition's state"},
		{mechanism, "scheduler", "partition", "begins orders of running partitions only; it has no Kafka client"},
		{mechanism, "group", "kafka lease ledger metrics partition retry scheduler status telemetry topic wire", "owns partitions, and their ledgers"},
		{mechanism, "presence", "kafka telemetry wire", "writes what the worker tells of itself"},
		{program, "worker", "config email group invoice kafka ledger metrics partition pipeline presence rates retry serve shipping topic tracing vat wire", "wires the worker"},
		{program, "order-worker", "config kafka otlp telemetry topic worker", "settings for the worker"},
	}
}

func ofAPI() []arrow {
	return []arrow{
		{mechanism, "identity", "order tracing", "who sends a request, and what they may do; records name the actor, and the trace"},
		{mechanism, "apikey", "config filelock identity telemetry", "reads the file of keys, which programs change in turn, and logs when a changed one has faults"},
		{mechanism, "session", "identity serve", "keeps who has signed in; cookies are secure where requests are"},
		{mechanism, "oidc", "config identity serve session telemetry", "signs in with an issuer: principals and roles are those of identity"},
		{mechanism, "oidctest", "", "an OpenID provider for tests, in a process of its own"},
		{mechanism, "catalogue", "config order", "prices the lines of an order"},
		{mechanism, "batch", "client", "reads files of orders, as the client places them"},
		{mechanism, "cause", "", "normalises messages, and groups dead letters by them"},
		{mechanism, "view", "cause dlq failure foreign kafka order status telemetry topic wire", "projects the topics into tables, and knows no SQL"},
		{mechanism, "tables", "failure foreign kafka order view wire", "the tables of the view, and their SQL"},
		{mechanism, "sqlite", "kafka order tables view", "keeps the tables in a file"},
		{mechanism, "postgres", "kafka tables telemetry view", "keeps the tables in a database that instances share"},
		{mechanism, "storetest", "dlq failure kafka order view wire", "tests the stores of the view"},
		{mechanism, "vies", "order telemetry", "asks an authority about VAT IDs, whose forms the domain knows"},
		{mechanism, "intake", "identity kafka order tracing view wire", "appends what the view does not know yet"},
		{mechanism, "mask", "order wire", "hides personal data of orders and of their records"},
		{mechanism, "jsondiff", "", "JSON without losses: knows no orders"},
		{mechanism, "edit", "client jsondiff order wire", "what is edited is the JSON of a new order, as the client places it; the record is that of wire"},
		{mechanism, "contrast", "order", "finds what sets some orders apart from others"},
		{mechanism, "foreign", "dlq", "reads the dead letters of other programs; texts are cut as in ours"},
		{mechanism, "sender", "foreign kafka telemetry topic wire", "makes the records that replay them, and reads their topics"},
		{mechanism, "expiry", "kafka telemetry", "asks for the retention of their topics"},
		{mechanism, "desk", "dlq edit identity jsondiff kafka order topic tracing view wire", "finds dead letters and orders in the view, asks for replays and cancels; writes decisions"},
		{mechanism, "jobs", "desk edit foreign identity kafka order sender telemetry topic view wire", "replays many dead letters: the desk makes each request, the view counts the results"},
		{mechanism, "trail", "identity kafka order telemetry topic tracing wire", "writes acts of principals to the topic of the desk"},
		{mechanism, "stats", "failure kafka order status system telemetry topic view wire", "sums up what workers, topics and the view tell"},
		{mechanism, "system", "", "the JSON of GET /v1/stats: for the client and the API"},
		{mechanism, "client", "system", "calls the API: for adopters too, so it knows nothing of ours"},
		{mechanism, "httpapi", "apikey catalogue client config contrast desk edit expiry failure identity intake jobs jsondiff mask meter oidc order pdfa rates sender serve session stats system telemetry tracing trail view wire", "the door: its JSON is what the client reads"},
		{mechanism, "web", "address catalogue client config failure httpapi identity intake look order rates serve session stats system view", "pages over the same services as the JSON API, which it reaches through httpapi; its errors are problems"},
		{program, "api", "address apikey catalogue config desk edit expiry httpapi identity intake jobs kafka meter oidc order postgres rates sender serve session sqlite stats telemetry topic tracing trail vies view web wire", "wires the API"},
		{program, "order-api", "api config kafka otlp telemetry topic", "settings for the API"},
		{mechanism, "audit", "dlq failure kafka order status topic wire", "holds all topics against each other"},
		{mechanism, "ctl", "apikey audit batch client config identity kafka oidc order system topic wire", "the commands of ordersctl; skip writes records"},
		{program, "ordersctl", "config ctl", "settings of the commands"},
		{program, "all-in-one", "api broker client config ctl filelock inbox kafka otlp serve telemetry topic tracing worker", "settings of all parts, the order in which they stop, and what breaks them on purpose"},
	}
}

// measuring are the rows of programs that measure the others, or try to break them.
func measuring() []arrow {
	return []arrow{
		{program, "bareloop", "config email invoice kafka order rates shipping topic vat wire", "a floor of bench: consumes orders and takes the steps, without a worker"},
		{program, "bareapi", "client config kafka serve telemetry topic", "a floor of bench: a handler that appends what it gets"},
		{program, "bareview", "config", "a floor of bench: the rows of a read model, and SQLite alone"},
		{program, "fillview", "config dlq failure kafka order sqlite telemetry topic view wire", "fills a read model for bench with records that are in no topic"},
		{program, "bench", "client config kafka order topic wire", "measures programs and their floors, on orders that it appends"},
		{program, "chaos", "audit client config inbox kafka order status topic wire", "injects faults, and compares independent sources"},
	}
}

type allowed struct {
	module string
	pkgs   string // short names
	reason string
}

// modules is the table of other modules: which packages use them, and what for.
func modules() []allowed {
	const franz = "the Kafka client; not in the domain and the steps"
	return []allowed{
		{"github.com/google/go-cmp", "golden", "shows in tests where two values differ"},
		{"github.com/labstack/echo/v4", "bareapi httpapi web", "HTTP routes; few packages, because v5 changes its types"},
		{"github.com/jung-kurt/gofpdf", "document", "writes PDF; archived, so only one package uses it"},
		{"github.com/go-text/typesetting", "document", "shapes texts: HarfBuzz in Go, of the authors of Gio and Fyne"},
		{"rsc.io/qr", "invoice", "QR codes (ISO/IEC 18004), by Russ Cox: 100 times as fast as libraries that compare all masks"},
		{"github.com/sony/gobreaker/v2", "retry vies", "circuit breaker: small, maintained by Sony"},
		{"github.com/wneessen/go-mail", "email", "builds and sends mail"},
		{"github.com/emersion/go-smtp", "inbox", "the SMTP server of the inbox"},
		{"github.com/emersion/go-sasl", "inbox", "the login of that server, of the same author"},
		{"github.com/twmb/franz-go/pkg/kfake", "broker kafkatest securetest", "a Kafka in the process: for trying and testing"},
		{"github.com/evanphx/json-patch/v5", "edit", "JSON Patch (RFC 6902); the library that Kubernetes uses, maintained by Evan Phoenix"},
		{"github.com/twmb/franz-go", "all-in-one api audit bareapi bareloop bench broker chaos ctl desk dlq edit expiry fillview foreign group intake jobs kafka kafkatest lease ledger mask meter pipeline postgres presence scheduler securetest sender sqlite stats status storetest tables trail view wire worker", franz},
		{"github.com/prometheus/client_golang", "httpapi meter metrics", "counters and histograms as Prometheus scrapes them"},
		{"go.opentelemetry.io/otel", "otlp tracing", "traces: the API in tracing, the SDK and its exporter in otlp; maintained by the OpenTelemetry project of the CNCF"},
		{"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", "tracing", "spans of HTTP requests by its semantic conventions, of the same project"},
		{"go.opentelemetry.io/proto/otlp", "tracetest", "what a collector receives, for tests"},
		{"google.golang.org/protobuf", "tracetest", "decodes it; maintained by Google"},
		{"github.com/alecthomas/kong", "all-in-one config ctl order-worker", "flags, variables and help from one struct"},
		{"github.com/go-json-experiment/json", "wire", "decodes JSON in half the time of encoding/json, whose next version it is; of the Go team"},
		{"gopkg.in/yaml.v3", "config", "files that people write, with the line of a mistake"},
		{"github.com/coreos/go-oidc/v3", "oidc", "OpenID Connect discovery and ID tokens; maintained by Eric Chiang for Kubernetes and Dex"},
		{"golang.org/x/oauth2", "oidc", "the authorization code flow with PKCE; maintained by the Go team"},
		{"github.com/go-jose/go-jose/v4", "oidc oidctest", "signatures of JWTs; go-oidc is built on it, and its parser is used to choose keys"},
		{"github.com/zitadel/oidc/v3", "oidctest", "a certified OpenID provider, for tests"},
		{"github.com/jackc/pgx/v5", "postgres storetest", "the PostgreSQL driver with batches, LISTEN and a pool; maintained by Jack Christensen"},
		{"modernc.org/sqlite", "bareview sqlite", "the read model, without cgo"},
		{"golang.org/x/time", "httpapi intake jobs", "token buckets"},
		{"golang.org/x/sync", "all-in-one api audit bareloop bench chaos ctl inbox jobs serve view worker", "errgroup: who starts a goroutine waits for it"},
		{"golang.org/x/term", "ctl", "whether stdout is a terminal, and its width; maintained by the Go team"},
		{"github.com/mattn/go-runewidth", "ctl", "the width of texts in columns of a terminal: CJK and emoji take two, marks none"},
		{"golang.org/x/text", "address batch cause document locale", "names and languages of countries, plurals, Unicode normalisation"},
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

// stepsWithoutKafka: a step is tested, and could be used, without a broker. Only worker knows both, and a floor of bench. The reason of a step in the import table begins with "a step".
func stepsWithoutKafka(h *house) (complaints []string) {
	var steps []string
	for _, a := range arrows() {
		if strings.HasPrefix(a.reason, "a step") {
			steps = append(steps, a.pkg)
		}
	}
	for _, u := range h.units {
		for _, name := range u.ours() {
			if slices.Contains(steps, name) && u.short != "worker" && u.short != "bareloop" {
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

// onlyServeListens: package serve protects all HTTP listeners against foreign hosts and slow
// clients.
func onlyServeListens(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, f := range u.production() {
			if u.short != "serve" && regexp.MustCompile(`http\.(Server\{|Serve\(|ListenAndServe)`).MatchString(f.text) {
				complaints = append(complaints, f.path+" serves HTTP without package serve")
			}
		}
	}
	return complaints
}

func embeddedApart(h *house) (complaints []string) {
	for _, u := range h.units {
		for _, name := range u.imports() {
			rest := strings.TrimPrefix(name, home)
			embedded := strings.HasPrefix(rest, "shared/embedded/") || slices.Contains([]string{"shared/kafkatest", "shared/golden", "shared/cputime"}, rest)
			worker := strings.HasPrefix(rest, "services/order-worker") && !strings.HasPrefix(u.path, "services/order-worker")
			// chaos is a test in the form of a program: it injects faults into its mail server. Its
			// workers are processes.
			if (embedded || worker) && u.short != "all-in-one" && (worker || u.short != "chaos") {
				complaints = append(complaints, u.short+" imports "+rest+", which is for all-in-one and tests")
			}
		}
	}
	return complaints
}
