package apikey_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
)

var shop = identity.Principal{ID: "acme", Name: `ACME "shop" \ Łódź`, Role: identity.Customer}

// file returns the path of a file in a new directory. The file has the text, unless it is empty.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if text != "" {
		write(t, path, text)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// create adds a key for a principal and returns its text and ID.
func create(t *testing.T, path string, p identity.Principal, expires time.Time) (text, id string) {
	t.Helper()
	text, k, err := apikey.Create(path, p, expires)
	if err != nil {
		t.Fatal(err)
	}
	return text, k.ID
}

func ask(s *apikey.Store, text string) (identity.Principal, error) {
	return s.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}})
}

func openStore(t *testing.T, path string, log *bytes.Buffer) *apikey.Store {
	t.Helper()
	s, err := apikey.Open(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeySignsInItsPrincipal(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	text, id := create(t, path, shop, time.Time{})
	other, otherID := create(t, path, identity.Principal{Role: identity.Viewer}, time.Now().Add(time.Hour))
	s := openStore(t, path, new(bytes.Buffer))
	if got, err := ask(s, text); got != shop || err != nil {
		t.Errorf("got %+v, %v; want %+v", got, err, shop)
	}
	if got, err := ask(s, other); got.ID != otherID || got.Role != identity.Viewer || err != nil {
		t.Errorf("got %+v, %v; want the ID of the key as the principal", got, err)
	}
	secret := strings.TrimPrefix(text, "ok_"+id+"_")
	for _, wrong := range []string{
		"ok_", "ok__", "ok_" + id, "ok_" + id + "_", "ok_" + otherID + "_" + secret, strings.ToUpper(text), text + "a", text[:len(text)-1],
		"ok__" + secret, text + strings.Repeat("a", 10_000), "ok_unknown_" + secret,
	} {
		if got, err := ask(s, wrong); !errors.Is(err, identity.ErrCredentials) || !got.Guest() {
			t.Errorf("%.80s: got %+v, %v; want ErrCredentials", wrong, got, err)
		}
	}
	if content, err := os.ReadFile(path); err != nil || bytes.Contains(content, []byte(secret)) || len(secret) != 52 {
		t.Errorf("the file has the secret %q, or it is not 256 bits: %v", secret, err)
	}
}

func TestFaultsAreNamedByLine(t *testing.T) {
	t.Parallel()
	const hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	const good = "keys:\n  - id: a\n    role: viewer\n    sha256: " + hash + "\n"
	for name, row := range map[string]struct{ text, want string }{
		"empty":           {"\n", ":1: is empty"},
		"no keys":         {"keys:\n", ":1: keys is missing: without any, write keys: []"},
		"other document":  {good + "---\n" + good, ":5: must be a single YAML document"},
		"list":            {"- a\n", ":1: must be of another kind"},
		"mapping":         {"keys: {a: b}\n", ":1: must be a list"},
		"tab":             {"keys:\n\t- id: a\n", ":2: found character that cannot start any token"},
		"binary":          {"keys:\n\x00\x01\n", ":2: control characters are not allowed"},
		"unknown key":     {good + "    secret: ok_a_b\n", `:5: unknown key "secret"`},
		"key twice":       {good + "    role: admin\n", `:5: key "role" appears twice`},
		"id twice":        {good + "  - {id: a, role: viewer, sha256: " + hash + "}\n", ":5: another key has the same id"},
		"null":            {"keys: [~]\n", ":1: is empty"},
		"unknown role":    {strings.Replace(good, "viewer", "root", 1), ":3: role must be one of [customer viewer cashier support operator editor admin]"},
		"upper-case role": {strings.Replace(good, "viewer", "Admin", 1), ":3: role must be one of [customer viewer cashier support operator editor admin]"},
		"key, not hash":   {strings.Replace(good, hash, "ok_a_secret", 1), ":4: sha256 must be the SHA-256 of the key, as 64 hexadecimal digits"},
		"short hash":      {strings.Replace(good, hash, hash[2:], 1), ":4: sha256 must be the SHA-256 of the key, as 64 hexadecimal digits"},
		"empty id":        {strings.Replace(good, "id: a", "id: ''", 1), ":2: id must be 1 to 64 lower-case letters, digits and hyphens"},
		"id with _":       {strings.Replace(good, "id: a", "id: a_b", 1), ":2: id must be 1 to 64 lower-case letters, digits and hyphens"},
		"principal":       {good + "    principal: Jörg\n", ":5: principal must be 1 to 128 visible ASCII characters"},
		"name":            {good + "    name: \"a\\e[2J\"\n", ":5: name must be at most 128 bytes, without control characters"},
		"date only":       {good + "    expires: 2027-01-31\n", ":5: expires must be a time such as 2027-01-31T00:00:00Z"},
		"no date":         {good + "    revoked: true\n", ":5: revoked must be a time such as 2027-01-31T00:00:00Z"},
		"bomb":            {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nkeys: [*b,*b]\n", `:1: unknown key "a"`},
	} {
		path := file(t, row.text)
		_, err := apikey.Open(path, slog.New(slog.DiscardHandler))
		want := path + row.want
		if got := fmt.Sprint(err); got != want && !(name == "bomb" && strings.HasPrefix(got, want)) {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
		}
		if strings.Contains(fmt.Sprint(err), "ok_a_") {
			t.Errorf("%s: %v has what may be a key", name, err)
		}
	}
}

func TestUnusableFilesAreRefused(t *testing.T) {
	t.Parallel()
	huge := file(t, "keys: []\n#"+strings.Repeat("x", 1<<20))
	shared := file(t, "keys: []\n")
	if err := os.Chmod(shared, 0o620); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		huge: ": is larger than 1 MiB", shared: ": other users can change this file", file(t, ""): ": no such file or directory", t.TempDir(): ": is not a regular file",
	} {
		if _, err := apikey.Open(path, slog.New(slog.DiscardHandler)); err == nil || !strings.HasSuffix(err.Error(), path+want) {
			t.Errorf("got %v, want %s%s", err, path, want)
		}
	}
}

func TestFileThatOthersCanReadIsWarnedAbout(t *testing.T) {
	t.Parallel()
	path := file(t, "keys: []\n")
	var log bytes.Buffer
	openStore(t, path, &log)
	if strings.Contains(log.String(), "level=WARN") {
		t.Errorf("got %s, want no warning for mode 0600", log.String())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openStore(t, path, &log)
	if want := `level=WARN msg="other users can read the names and roles in the file of API keys: run chmod 600" file=` + path; !strings.Contains(log.String(), want) {
		t.Errorf("got %s, want %s", log.String(), want)
	}
}

func TestConcurrentChangesLoseNoKey(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, k, err := apikey.Create(path, shop, time.Time{})
			if err == nil {
				_, err = apikey.Revoke(path, k.ID)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	keys, err := apikey.Load(path)
	if err != nil || len(keys) != 10 {
		t.Fatalf("got %d keys, %v; want 10", len(keys), err)
	}
	for _, k := range keys {
		if k.State(time.Now()) != apikey.Revoked {
			t.Errorf("key %s is %s, want revoked", k.ID, k.State(time.Now()))
		}
	}
	info, err := os.Stat(path)
	left, err2 := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp"))
	if err != nil || err2 != nil || info.Mode().Perm() != 0o600 || len(left) > 0 {
		t.Errorf("got mode %v, files %q, %v, %v; want 0600 and nothing left over", info.Mode(), left, err, err2)
	}
}

func TestChangesKeepLinksAndRefuseBrokenFiles(t *testing.T) {
	t.Parallel()
	path := file(t, "keys: []\n")
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, id := create(t, link, shop, time.Time{})
	if _, err := apikey.Revoke(path, id); err != nil {
		t.Errorf("got %v, want the key in the file that the link leads to", err)
	}
	if _, err := apikey.Revoke(path, "other"); !errors.Is(err, apikey.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	write(t, path, "keys: [\n")
	if _, _, err := apikey.Create(path, shop, time.Time{}); err == nil {
		t.Error("a broken file was written over")
	}
	if text, err := os.ReadFile(path); string(text) != "keys: [\n" || err != nil {
		t.Errorf("got %q, %v; want the file as it was", text, err)
	}
}
