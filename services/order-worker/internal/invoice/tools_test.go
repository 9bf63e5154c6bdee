package invoice

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// poppler runs one of the tools of poppler-utils on a document and returns what it prints. Without the tools the test is
// skipped, but never in CI.
func poppler(t testing.TB, document []byte, tool string, args ...string) string {
	t.Helper()
	return external(t, "poppler-utils", document, tool, args...)
}

// external runs a tool, which a Debian package has, and returns what it prints.
func external(t testing.TB, pkg string, input []byte, tool string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install %s", tool, pkg)
	}
	if err != nil {
		t.Skipf("%s is missing, so no invoice is read back: install %s", tool, pkg)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", tool, err, &stderr)
	}
	return string(out)
}
