package apikey_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
)

// running opens a file of keys and reads it again until the end of the test. The caller is in a
// bubble: time is virtual.
func running(t *testing.T, path string, log *bytes.Buffer) *apikey.Store {
	t.Helper()
	s := openStore(t, path, log)
	go s.Run(t.Context()) // ends with the test
	return s
}

// The race detector sees each request and each reading of the file.
func TestNoRequestFailsWhileTheFileIsReplaced(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	text, _ := create(t, path, shop, time.Time{})
	valid, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := running(t, path, new(bytes.Buffer))
		var customers sync.WaitGroup
		for range 8 {
			customers.Go(func() {
				for range 4000 {
					if p, err := ask(s, text); p != shop || err != nil {
						t.Errorf("got %+v, %v; want %+v", p, err, shop)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		for i := range 200 {
			replaceSomehow(t, path, append(valid, fmt.Sprintf("# %d\n", i)...), i)
			time.Sleep(97 * time.Millisecond)
		}
		customers.Wait()
	})
}

// replaceSomehow replaces a file in one of the ways in which programs do: in one step, in place,
// with a broken file, or after it was missing for a moment.
func replaceSomehow(t *testing.T, path string, content []byte, how int) {
	t.Helper()
	var err error
	switch how % 4 {
	case 0:
		write(t, path+".new", string(content))
		err = os.Rename(path+".new", path)
	case 1:
		write(t, path, string(content))
	case 2:
		write(t, path, string(content[:len(content)/2]))
	case 3:
		err = os.Remove(path)
		time.Sleep(20 * time.Millisecond)
		write(t, path, string(content))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangesAreInForceWithinASecond(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	text, id := create(t, path, shop, time.Time{})
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := running(t, path, &log)
		second, _ := create(t, path, shop, time.Time{})
		time.Sleep(time.Second)
		if _, err := ask(s, second); err != nil {
			t.Errorf("new key: got %v", err)
		}
		if _, err := apikey.Revoke(path, id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := ask(s, text); !errors.Is(err, identity.ErrCredentials) || !strings.Contains(err.Error(), id+" is revoked") {
			t.Errorf("revoked key: got %v, want ErrCredentials", err)
		}
		if _, err := ask(s, second); err != nil {
			t.Errorf("the other key: got %v", err)
		}
		write(t, path, "keys: []\n")
		time.Sleep(time.Second)
		if _, err := ask(s, second); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("removed key: got %v, want ErrCredentials", err)
		}
	})
}

func TestKeyExpiresOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := file(t, "")
		text, _ := create(t, path, shop, time.Now().Add(time.Hour))
		s := openStore(t, path, new(bytes.Buffer))
		time.Sleep(time.Hour - time.Nanosecond)
		if _, err := ask(s, text); err != nil {
			t.Errorf("just before: got %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := ask(s, text); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("then: got %v, want ErrCredentials", err)
		}
	})
}

func TestBrokenFileChangesNothingAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	text, _ := create(t, path, shop, time.Time{})
	for name, row := range map[string]struct {
		damage func() error
		want   string
	}{
		"two faults": {func() error { return os.WriteFile(path, []byte("keys:\n  - id: A\n    role: root\n"), 0o600) }, "keys.yaml:3: role must be one of"},
		"many":       {func() error { return os.WriteFile(path, []byte("keys:\n"+strings.Repeat(" - {}\n", 1000)), 0o600) }, `\nand more"`},
		"others may": {func() error { return os.Chmod(path, 0o666) }, "other users can change this file"},
		"missing":    {func() error { return os.Remove(path) }, "no such file or directory"},
	} {
		synctest.Test(t, func(t *testing.T) {
			valid, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s := running(t, path, &log)
			if err := row.damage(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if _, err := ask(s, text); err != nil {
				t.Errorf("%s: got %v, want the key as before", name, err)
			}
			synctest.Wait()
			if got := log.String(); strings.Count(got, "is not used, the keys read before stay valid") != 1 || !strings.Contains(got, row.want) || len(got) > 3000+20*len(path) {
				t.Errorf("%s: got %s, want one line with %s", name, got, row.want)
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, string(valid))
		})
	}
}
