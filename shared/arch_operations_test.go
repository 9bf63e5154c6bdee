package shared_test

import (
	"encoding/json"
	"go/ast"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const (
	alertsPath    = "../deploy/prometheus/alerts.yaml"
	dashboardPath = "../deploy/grafana/dashboards/orders.json"
)

// board is what is checked of a dashboard.
type board struct {
	SchemaVersion int
	Panels        []struct {
		Type, Title, Description string
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Datasource               struct{ UID string }
		Targets                  []struct{ Expr, LegendFormat string }
	}
}

func dashboard(t *testing.T) (b board) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, dashboardPath)), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// rulesFile is a file of alert rules.
type rulesFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name  string      `yaml:"name"`
	Rules []alertRule `yaml:"rules"`
}

type alertRule struct {
	Alert       string            `yaml:"alert,omitempty"`
	Record      string            `yaml:"record,omitempty"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

func alerts(t *testing.T) []alertRule {
	t.Helper()
	var f rulesFile
	if err := yaml.Unmarshal([]byte(read(t, alertsPath)), &f); err != nil || len(f.Groups) != 1 {
		t.Fatalf("%s: got %d groups, %v; want one", alertsPath, len(f.Groups), err)
	}
	return f.Groups[0].Rules
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// registered are the names of all metrics, from files that tests of the services write.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	const worker, api = "../services/order-worker/internal/metrics/testdata/scrape.golden", "../services/order-api/internal/httpapi/testdata/metrics.golden"
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:# HELP )?(orders_[a-z_]+)[ {]`).FindAllStringSubmatch(read(t, api), -1) {
		names[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# HELP (orders_[a-z_]+) `).FindAllStringSubmatch(read(t, worker), -1) {
		names[m[1]] = true
	}
	return names
}

// expressions are those of all alerts and panels, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, a := range alerts(t) {
		all[a.Alert] = a.Expr
	}
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			all[p.Title+": "+target.LegendFormat] = strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
		}
	}
	return all
}

func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	names := registered(t)
	part := regexp.MustCompile(`_(bucket|count|sum)$`)
	for where, expr := range expressions(t) {
		for _, name := range regexp.MustCompile(`orders_(?:api|worker|kafka)_[a-z_]+`).FindAllString(expr, -1) {
			if !names[name] && !names[part.ReplaceAllString(name, "")] {
				t.Errorf("%s: no program has the metric %s", where, name)
			}
		}
	}
}

// TestExpressionsParse asks promtool, whose path is in PROMTOOL: scripts/check sets it.
func TestExpressionsParse(t *testing.T) {
	t.Parallel()
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Skip("PROMTOOL is not set")
	}
	group := ruleGroup{Name: "all"}
	all := expressions(t)
	for _, where := range slices.Sorted(maps.Keys(all)) {
		group.Rules = append(group.Rules, alertRule{Record: "checked:expression", Expr: all[where], Labels: map[string]string{"where": where}})
	}
	text, err := yaml.Marshal(rulesFile{[]ruleGroup{group}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPanelsAreExplained(t *testing.T) {
	t.Parallel()
	b := dashboard(t)
	if b.SchemaVersion < 39 {
		t.Errorf("got schema version %d, want that of Grafana 11: 39", b.SchemaVersion)
	}
	for _, p := range b.Panels {
		if p.Type != "row" && (p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0) {
			t.Errorf("panel %q needs a title, a description, a unit, expressions and the variable datasource", p.Title)
		}
	}
}

func TestEachAlertHasARunbookSection(t *testing.T) {
	t.Parallel()
	tested := read(t, "../deploy/prometheus/alerts_test.yaml")
	runbook := read(t, "../docs/runbook.md")
	for _, a := range alerts(t) {
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || !slices.Contains([]string{"warning", "critical"}, a.Labels["severity"]) {
			t.Errorf("%s needs a severity, a summary and a description", a.Alert)
		}
		if _, section, _ := strings.Cut(a.Annotations["runbook_url"], "docs/runbook.md#"); section != strings.ToLower(a.Alert) {
			t.Errorf("%s: got the section %q of the runbook, want %q", a.Alert, section, strings.ToLower(a.Alert))
		}
		_, section, found := strings.Cut(runbook, "\n## "+a.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"**Meaning.**", "**Check.**", "**Act.**"} {
			if !found || !strings.Contains(section, part) {
				t.Errorf("docs/runbook.md, section %s: no %s", a.Alert, part)
			}
		}
		for _, result := range []string{"fires", "does not fire"} {
			if !strings.Contains(tested, "name: "+a.Alert+" "+result+"\n") {
				t.Errorf("alerts_test.yaml has no test %q", a.Alert+" "+result)
			}
		}
	}
}

// firstColumn are the names in the first column of the tables between two headings of docs/operations.md.
func firstColumn(t *testing.T, section string) (names []string) {
	t.Helper()
	_, text, _ := strings.Cut(read(t, "../docs/operations.md"), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			names = append(names, name[1])
		}
	}
	slices.Sort(names)
	return names
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(registered(t))), firstColumn(t, "Metrics")); diff != "" {
		t.Errorf("docs/operations.md (-registered +documented):\n%s", diff)
	}
}

// TestLogKeysAreDocumented: the keys are those of package telemetry, those of slog, and those of tracing.
func TestLogKeysAreDocumented(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{"time": true, "level": true, "msg": true, "trace_id": true, "span_id": true}
	for _, m := range regexp.MustCompile(`(?m)^\t[A-Z]\w* += "(\w+)"`).FindAllStringSubmatch(read(t, "telemetry/keys.go"), -1) {
		keys[m[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(keys)), firstColumn(t, "Logs")); diff != "" {
		t.Errorf("docs/operations.md (-in use +documented):\n%s", diff)
	}
}

// TestLogKeysAreThoseOfTelemetry finds attributes whose key is written where it is used.
func TestLogKeysAreThoseOfTelemetry(t *testing.T) {
	t.Parallel()
	h := workspace(t)
	for _, u := range h.units {
		for _, s := range u.production() {
			ast.Inspect(s.syntax, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if ok && slices.ContainsFunc(logKeys(call), func(key ast.Expr) bool { _, literal := key.(*ast.BasicLit); return literal }) {
					t.Errorf("%s: the key of an attribute must be a constant of package telemetry", h.places.Position(call.Pos()))
				}
				return true
			})
		}
	}
}

// logKeys are the keys in a call that makes an attribute, such as slog.String, or that logs: log.Warn(text, key, value).
func logKeys(call *ast.CallExpr) (keys []ast.Expr) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	of, _ := f.X.(*ast.Ident)
	if of != nil && of.Name == "http" { // http.Error
		return nil
	}
	if of != nil && of.Name == "slog" {
		if slices.Contains([]string{"String", "Int", "Int64", "Uint64", "Float64", "Bool", "Duration", "Time", "Any", "Group"}, f.Sel.Name) {
			return call.Args[:1]
		}
		return nil
	}
	if slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, f.Sel.Name) {
		for i := 1; i < len(call.Args); i += 2 {
			keys = append(keys, call.Args[i])
		}
	}
	return keys
}
