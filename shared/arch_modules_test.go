package shared_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kfake is a module that only tests and all-in-one need.
const kfake = "github.com/twmb/franz-go/pkg/kfake"

// service is a service and the modules and packages that belong to the other one.
type service struct {
	name    string
	foreign []string
}

func services() []service {
	return []service{
		{"order-api", []string{
			home + "services/order-worker", "github.com/jung-kurt/gofpdf", "github.com/wneessen/go-mail", "github.com/emersion/go-smtp",
		}},
		{"order-worker", []string{
			home + "services/order-api", "github.com/labstack/echo", "modernc.org/sqlite", "github.com/jackc/pgx", "golang.org/x/time",
		}},
	}
}

// tests are modules and packages for tests.
func tests() []string {
	return []string{
		kfake, "github.com/google/go-cmp", "pgregory.net/rapid", "github.com/getkin/kin-openapi", "github.com/chromedp",
		"github.com/rogpeppe/go-internal", "github.com/zitadel", "github.com/compose-spec", "sigs.k8s.io/kustomize", "golang.org/x/image/font", "testing",
		home + "shared/kafkatest", home + "shared/golden", home + "shared/cputime", home + "shared/embedded",
	}
}

// belongs reports whether a package or module is one of these, or inside one.
func belongs(name string, to []string) bool {
	return slices.ContainsFunc(to, func(prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") })
}

// TestServicesAreBuiltWithWhatTheyNeed: all that a service links runs in production and needs
// security updates there.
func TestServicesAreBuiltWithWhatTheyNeed(t *testing.T) {
	t.Parallel()
	workspace(t)
	for _, s := range services() {
		out, err := exec.Command("go", "list", "-deps", home+"services/"+s.name).CombinedOutput()
		if err != nil {
			t.Errorf("go list -deps %s: %v\n%s", s.name, err, out)
			continue
		}
		for name := range strings.Lines(string(out)) {
			if name = strings.TrimSpace(name); belongs(name, slices.Concat(tests(), s.foreign)) {
				t.Errorf("%s is built with %s", s.name, name)
			}
		}
	}
}

// TestRingsHoldInTheBuild: what go list reports for the two services agrees with the import table.
func TestRingsHoldInTheBuild(t *testing.T) {
	t.Parallel()
	h := workspace(t)
	for _, s := range services() {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}", home+"services/"+s.name).Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name := range strings.Lines(string(out)) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(name), home); ok && rest != "services/"+s.name {
				got = append(got, filepath.Base(rest))
			}
		}
		i := slices.IndexFunc(h.units, func(u *unit) bool { return u.path == "services/"+s.name })
		want := slices.DeleteFunc(h.reach(h.units[i]), func(name string) bool { return strings.Contains(name, "/") })
		if !slices.Equal(sorted(got), want) {
			t.Errorf("%s is built from %q, the table says %q", s.name, sorted(got), want)
		}
	}
}

// requirements: the direct requirements of a service have no module of another service. Tests use
// kfake through kafkatest only, so it is an indirect requirement.
func requirements(*house) (complaints []string) {
	for _, s := range services() {
		text, err := os.ReadFile(filepath.Join("..", "services", s.name, "go.mod"))
		if err != nil {
			return []string{err.Error()}
		}
		for line := range strings.Lines(string(text)) {
			module, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if belongs(module, append(s.foreign, kfake)) && !strings.Contains(line, "// indirect") {
				complaints = append(complaints, "the go.mod of "+s.name+" requires "+module)
			}
		}
	}
	return complaints
}

// modulesBuilt: a build with go.work needs the go.mod of each module, also in an image. The lint job
// and scripts/check have lists of their own.
func modulesBuilt(h *house) (complaints []string) {
	files := []string{"deploy/docker/Dockerfile", ".github/workflows/ci.yaml", "scripts/check"}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			return []string{err.Error()}
		}
		for _, module := range h.modules {
			want := module
			if path.Base(file) == "Dockerfile" {
				want += "/go.mod"
			}
			if !strings.Contains(string(text), want) {
				complaints = append(complaints, file+" does not name the module "+module)
			}
		}
	}
	return complaints
}
