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
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install poppler-utils", tool)
	}
	if err != nil {
		t.Skipf("%s is missing, so no invoice is read back: install poppler-utils", tool)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(document), &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", tool, err, &stderr)
	}
	return string(out)
}
