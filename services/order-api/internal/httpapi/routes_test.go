package httpapi_test

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
)

// TestEveryRouteSaysWhatItRequires has all routes of echo. The name of one that was added without
// api.route is that of its handler.
func TestEveryRouteSaysWhatItRequires(t *testing.T) {
	t.Parallel()
	handler := httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler)}, nil, nil, nil, nil, nil)
	public := regexp.MustCompile(`^/$|^/docs(/:file)?$|^/openapi\.yaml$|^/healthz/(live|ready)$|^/metrics$|^/sign-(in(/callback)?|out)$`)
	for _, r := range handler.(*echo.Echo).Routes() {
		if known := identity.Admin.Has(identity.Permission(r.Name)); !known && (r.Name != "public" || !public.MatchString(r.Path)) {
			t.Errorf("%s %s requires %q, want a permission", r.Method, r.Path, r.Name)
		}
	}
}

func TestContractListsEveryRoute(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(contract(t))
	must(t, err)
	var want, got []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	handler := httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler)}, nil, nil, nil, nil, nil)
	for _, r := range handler.(*echo.Echo).Routes() {
		// The contract has a sentence on HEAD, and does not describe its own documentation.
		if r.Method != "HEAD" && r.Path != "/" && r.Path != "/openapi.yaml" && !strings.HasPrefix(r.Path, "/docs") {
			got = append(got, r.Method+" "+regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-openapi.yaml +httpapi):\n%s", diff)
	}
}
