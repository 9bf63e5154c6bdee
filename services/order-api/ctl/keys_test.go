package ctl_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/ctl"
)

func TestKeysAreCreatedListedAndRevoked(t *testing.T) {
	t.Parallel()
	s := open(t)
	path := filepath.Join(t.TempDir(), "keys.yaml")
	run := func(args ...string) string {
		stdout, stderr, err := s.run(t, "", append(append([]string{"keys"}, args...), "--file", path)...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if strings.Contains(stderr, "ok_") {
			t.Errorf("stderr has the key: %s", stderr)
		}
		return stdout
	}
	for range 2 {
		if got := run("init") + run("list"); got != path+" is ready\n" {
			t.Errorf("got %q, want a file without keys", got)
		}
	}
	key := run("create", "--name", "ACME shop", "--role", "customer", "--id", "acme", "--expires", "90d")
	found := regexp.MustCompile(`^ok_([a-z2-7]{8})_[a-z2-7]{52}\n$`).FindStringSubmatch(key)
	if found == nil {
		t.Fatalf("got %q, want the key and nothing else", key)
	}
	var second struct {
		Key, ID, Principal, Role, State string
		Created                         time.Time
	}
	if err := json.Unmarshal([]byte(run("create", "--name", "CI", "--role", "viewer", "--json")), &second); err != nil {
		t.Fatal(err)
	}
	if second.Principal != second.ID || second.Role != "viewer" || second.State != "active" || !strings.HasPrefix(second.Key, "ok_"+second.ID+"_") || time.Since(second.Created) > time.Minute {
		t.Errorf("got %+v", second)
	}
	const at = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	want := `^` + found[1] + ` active  customer created ` + at + ` expires ` + at + ` acme \(ACME shop\)
` + second.ID + ` active  viewer   created ` + at + ` expires never                ` + second.ID + ` \(CI\)
$`
	if got := run("list"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got %s, want %s", got, want)
	}
	for range 2 {
		if got := run("revoke", found[1]); got != found[1]+" revoked\n" {
			t.Errorf("got %q", got)
		}
	}
	if got := run("list", "--json"); !strings.Contains(got, `"state":"revoked"`) || strings.Contains(got, `"key"`) || strings.Count(got, "\n") != 2 {
		t.Errorf("got %s, want two lines, one of a revoked key", got)
	}
}

func TestKeysWithoutAFileAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"id":"a","principal":"%s","role":"admin","state":"active","last_used":"2026-03-01T12:00:00Z"}]}`, strings.TrimPrefix(r.URL.Path, "/v1/"))
	}))
	defer server.Close()
	s := open(t)
	s.url = server.URL
	stdout, _, err := s.run(t, "", "keys", "list")
	want := "a        active  admin    created -                    expires never                keys last used 2026-03-01T12:00:00Z\n"
	if err != nil || stdout != want {
		t.Errorf("got %q, %v; want %q", stdout, err, want)
	}
	for _, args := range []string{"init", "create --name n --role viewer", "revoke a"} {
		_, _, err := s.run(t, "", append([]string{"keys"}, strings.Fields(args)...)...)
		if got := fmt.Sprint(err); got != "set the file of keys with --file or ORDERS_API_KEYS" {
			t.Errorf("%s: got %s, want it to ask for the file", args, got)
		}
	}
}

func TestInvalidKeysAreUsageErrors(t *testing.T) {
	t.Parallel()
	s := open(t)
	path := filepath.Join(t.TempDir(), "keys.yaml")
	for _, row := range []struct{ flag, value, want string }{
		{"--role", "root", "role must be one of [customer viewer cashier support operator editor admin]"},
		{"--name", "a\nb", "name must be at most 128 bytes, without control characters"},
		{"--id", "two words", "principal must be 1 to 128 visible ASCII characters"},
		{"--expires", "soon", "must be a time such as 90d or 12h, or a day such as 2027-01-31"},
		{"--expires", "2027-02-30", "must be a time such as 90d or 12h, or a day such as 2027-01-31"},
		{"--expires", "99999d", "must be a time such as 90d or 12h, or a day such as 2027-01-31"},
		{"--expires", "2020-01-31", "must be in the future"},
		{"--expires", "0d", "must be in the future"},
		{"--expires", "-1h", "must be in the future"},
	} {
		args := map[string]string{"--name": "n", "--role": "viewer", "--file": path, row.flag: row.value}
		all := []string{"keys", "create"}
		for flag, value := range args {
			all = append(all, flag+"="+value)
		}
		stdout, _, err := s.run(t, "", all...)
		if err == nil || !strings.Contains(err.Error(), row.want) || stdout != "" {
			t.Errorf("%s %q: got %q, %v; want %s", row.flag, row.value, stdout, err, row.want)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("got %v, want no file", err)
	}
}

func TestTokenFileSignsIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	path := filepath.Join(t.TempDir(), "token")
	token := func(text string, mode os.FileMode) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"ok_a_secret\n", 0o600, "<nil>"},
		{"ok_a_secret", 0o400, "<nil>"},
		{"ok_a_secret", 0o640, "other users have access to this file"},
		{"ok_a_secret", 0o604, "other users have access to this file"},
		{" \n", 0o600, "is empty"},
		{"ok_a_secret ok_b", 0o600, "the token must be one word of visible ASCII characters"},
		{strings.Repeat("x", 17<<10), 0o600, "is larger than 16 KiB"},
	} {
		token(row.text, row.mode)
		_, stderr, err := s.run(t, "", "get", "ord_a", "--token-file", path)
		if got := fmt.Sprint(err); !strings.HasSuffix(got, row.want) || strings.Contains(got+stderr, "secret") {
			t.Errorf("%.20q %o: got %s, want %s", row.text, row.mode, got, row.want)
		}
	}
	// Commands without the API do not need it.
	if _, _, err := s.run(t, "", "keys", "create", "--file", path+".yaml", "--name", "n", "--role", "viewer", "--token-file", "/nowhere"); err != nil {
		t.Errorf("keys create: got %v", err)
	}
}

func TestTokenIsThatOfTheFileOrOfTheVariable(t *testing.T) {
	t.Parallel()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		io.WriteString(w, "{}")
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("ok_of_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]map[string]string{
		"": {}, "Bearer ok_of_file": {"ORDERS_TOKEN_FILE": path, "ORDERS_TOKEN": "ok_of_variable"}, "Bearer ok_of_variable": {"ORDERS_TOKEN": "ok_of_variable"},
	} {
		err := ctl.Run(t.Context(), []string{"dlq", "list", "--api", server.URL}, func(name string) string { return env[name] }, strings.NewReader(""), io.Discard, io.Discard)
		if err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestRefusedSignInHasAHint(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusUnauthorized: "hint: sign in with --token-file or ORDERS_TOKEN_FILE", http.StatusForbidden: "hint: sign in with a key of another role",
	} {
		s := open(t)
		s.fails["/v1/orders/ord_a"] = []int{status}
		_, _, err := s.run(t, "", "get", "ord_a")
		if got := told(err); !strings.Contains(got, want) {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}
