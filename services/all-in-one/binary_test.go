package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPagesAddLessThanAMegabyte builds the program without symbols, with the pages and without them. The difference is
// code and embedded files of the pages, and what only they use.
func TestPagesAddLessThanAMegabyte(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("../order-api/internal/web")
	must(t, err)
	stub, err := filepath.Abs("testdata/without-pages.go")
	must(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, file := range files {
		overlay.Replace[file] = "" // as if it were deleted
	}
	overlay.Replace[filepath.Join(dir, "web.go")] = stub
	replace, err := json.Marshal(overlay)
	must(t, err)
	at := filepath.Join(t.TempDir(), "overlay.json")
	must(t, os.WriteFile(at, replace, 0o600))
	with, without := built(t), built(t, "-overlay", at)
	if t.Logf("%d bytes with the pages, %d without: %d for the pages", with, without, with-without); with-without <= 0 || with-without >= 1_000_000 {
		t.Errorf("got %d bytes for the pages, want less than 1,000,000", with-without)
	}
}

// built is the size of the program.
func built(t *testing.T, flags ...string) int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all-in-one")
	args := append([]string{"build", "-ldflags=-s -w", "-o", path}, flags...)
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}
