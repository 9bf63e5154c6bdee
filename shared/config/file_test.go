package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/cputime"
)

func TestReadFileRefusesLargeAndSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, size := range map[string]int64{"good": 10, "exact": 1024, "large": 1025, "huge": 1 << 40} {
		if err := os.WriteFile(path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path(name), size); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"mounted": "good", "piped": "pipe", "endless": "/dev/zero"} {
		if err := os.Symlink(to, path(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ path, want string }{
		{path("good"), ""},
		{path("exact"), ""},
		{path("mounted"), ""}, // as Kubernetes mounts secrets
		{path("large"), "is larger than 1 KiB"},
		{path("huge"), "is larger than 1 KiB"},
		{path("pipe"), "is not a regular file"},
		{path("piped"), "is not a regular file"},
		{path("endless"), "is not a regular file"},
		{"/dev/zero", "is not a regular file"},
		{"/dev/stdin", "is not a regular file"},
		{dir, "is not a regular file"},
	} {
		text, err := config.ReadFile(row.path, 1024)
		switch {
		case row.want == "" && (err != nil || len(text) < 10):
			t.Errorf("%s: got %d bytes, %v; want all of it", row.path, len(text), err)
		case row.want != "" && (err == nil || err.Error() != row.path+": "+row.want):
			t.Errorf("%s: got %v, want %s", row.path, err, row.want)
		}
	}
}

func TestLoadYAMLRefusesSpecialFiles(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := config.LoadYAML(path, nil, new(shop), nil); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: got %v, want an error that says that it is no regular file", path, err)
		}
	}
}

// Searching line by line for the fault would take quadratic time.
func TestFaultInALongFileIsFoundQuickly(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("- a\n", 10_000) + "\t- [\n" + strings.Repeat("- a\n", 10_000)
	var err error
	took := cputime.Of(func() { _, err = config.LoadYAML("", []byte(text), new([]string), nil) })
	if err == nil || !strings.Contains(err.Error(), ":10001:") || took > 10*time.Second {
		t.Errorf("got %v after %s, want line 10001 within seconds", err, took)
	}
}

func TestReplacedFileIsWholeAndItsOwners(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	uid := os.Getuid()
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if uid == 0 { // only root can give a file to another user
		uid = 1234
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	if err := config.ReplaceFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	info, err2 := os.Stat(path)
	left, err3 := os.ReadDir(filepath.Dir(path))
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if string(text) != "new" || info.Mode().Perm() != 0o600 || !ok || int(owner.Uid) != uid || len(left) != 1 {
		t.Errorf("got %q, mode %s, owner %d, %d files; want new, 0600, %d, one file", text, info.Mode(), owner.Uid, len(left), uid)
	}
}

func TestReplacingADirectoryLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "taken", "content"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := config.ReplaceFile(filepath.Join(dir, "taken"), nil); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v; want the directory alone", left, err)
	}
}
