package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/url"
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
	public := regexp.MustCompile(`^/$|^/docs(/:file)?$|^/openapi\.yaml$|^/healthz/(live|ready)$|^/metrics$|^/sign-in/(issuer|callback)$`)
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

// TestParametersAreAsLongAsTheContractSays sends each text parameter of a GET with one character more than
// the contract allows.
func TestParametersAreAsLongAsTheContractSays(t *testing.T) {
	t.Parallel()
	s := setup(t)
	doc, err := openapi3.NewLoader().LoadFromData(contract(t))
	must(t, err)
	tried := 0
	for path, item := range doc.Paths.Map() {
		if item.Get == nil || path == "/sign-in/issuer" { // its route needs an OIDC issuer
			continue
		}
		for _, p := range item.Get.Parameters {
			if p.Value.In != openapi3.ParameterInQuery || p.Value.Schema.Value.MaxLength == nil {
				continue
			}
			tried++
			long := strings.Repeat("a", int(*p.Value.Schema.Value.MaxLength)+1)
			at := s.url + strings.NewReplacer("{id}", "ord_1_1").Replace(path) + "?" + url.Values{p.Value.Name: {long}}.Encode()
			res, err := s.raw.Get(at)
			must(t, err)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with a %s of %d characters answers %d, want 400", path, p.Value.Name, len(long), res.StatusCode)
			}
		}
	}
	if tried < 10 {
		t.Errorf("tried %d parameters, want those of all lists", tried)
	}
}
