package oidc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
)

func load(t *testing.T, text string) (oidc.Roles, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roles.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	roles, err := oidc.LoadRoles(path)
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), path+":", ""))
	}
	return roles, err
}

func TestRolesFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	const roles = "customer, viewer, cashier, support, operator, editor or admin"
	for text, want := range map[string]string{
		"":                                  "1: is empty",
		"claims: groups\n":                  `1: unknown key "claims"`,
		"roles: [admin]\n":                  "1: must be a mapping of keys to values",
		"roles:\n  a: admin\n  b: god":      `3: "god" is no role: must be ` + roles,
		"roles:\n  a: Admin\n":              `2: "Admin" is no role: must be ` + roles,
		"roles:\n  a: none\n":               `2: "none" is no role: must be ` + roles,
		"roles:\n  a: admin\n  a: viewer\n": `3: key "a" appears twice`,
		"default: guest\n":                  `1: "guest" is no role: must be none, ` + roles,
		"scopes: [a, 'b c']\n":              `1: "b c" is no scope of OAuth 2.0`,
	} {
		if _, err := load(t, text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	got, err := oidc.LoadRoles("")
	if diff := cmp.Diff(oidc.Roles{Claim: "roles", Default: "customer"}, got); diff != "" || err != nil {
		t.Errorf("without a file: %v (-want +got):\n%s", err, diff)
	}
	if _, err := oidc.LoadRoles("/nowhere.yaml"); err == nil {
		t.Error("got nil, want an error: there is no file")
	}
}

func TestRoleOfAPrincipal(t *testing.T) {
	t.Parallel()
	r := start(t)
	const file = "claim: %s\ndefault: none\nroles:\n  ops: operator\n  boss: admin\n"
	for _, row := range []struct {
		claim   string
		changes []any
		want    identity.Role
	}{
		{"groups", []any{"groups", []string{"ops", "boss"}}, identity.Admin},
		{"groups", []any{"groups", "ops"}, identity.Operator},
		{"groups", []any{"groups", "ops boss"}, ""},
		{"groups", nil, ""},
		{"groups", []any{"groups", nil}, ""},
		{"realm_access.roles", []any{"realm_access", map[string]any{"roles": []string{"ops"}}}, identity.Operator},
		{"realm_access.roles", []any{"realm_access", []string{"ops"}}, ""},
		{"realm_access.roles", []any{"roles", []string{"ops"}}, ""},
		{"https://shop.example.com/roles", []any{"https://shop.example.com/roles", []string{"boss"}}, identity.Admin},
	} {
		roles, err := load(t, fmt.Sprintf(file, row.claim))
		must(t, err)
		r.Issuer.Roles = roles
		p, err := r.Verify(t.Context(), r.token(t, row.changes...))
		if p.Role != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s %v: got %q, %v; want %q", row.claim, row.changes, p.Role, err, row.want)
		}
	}
}

func TestPrincipalsOfTwoIssuersAndSubjectsDiffer(t *testing.T) {
	t.Parallel()
	r, other := start(t), start(t)
	seen := map[string]string{}
	for _, subject := range []string{
		"ada", "Ada", "ada ", " ada", "ada\n", "ädä", "a:b", "a/b", strings.Repeat("x", 103), strings.Repeat("x", 104), strings.Repeat("x", 255), "/0123", "ok_ada",
	} {
		for _, issuer := range []*relying{r, other} {
			p, err := issuer.Verify(t.Context(), issuer.token(t, "sub", subject))
			must(t, err)
			if len(p.ID) > 128 || strings.ContainsFunc(p.ID, func(c rune) bool { return c <= ' ' || c > '~' }) || !strings.HasPrefix(p.ID, "oidc:") {
				t.Errorf("%q: got ID %q, want printable ASCII of at most 128 bytes", subject, p.ID)
			}
			if before, taken := seen[p.ID]; taken {
				t.Errorf("%q and %q have the ID %s", before, subject, p.ID)
			}
			seen[p.ID] = subject
		}
	}
}
