package shared_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// timedOut is what go test -json wrote about a package that timed out: TestWaits hung, and the dump went to TestPasses, which had
// ended well.
const timedOut = `{"Action":"run","Package":"example.com/p","Test":"TestWaits"}
{"Action":"output","Package":"example.com/p","Test":"TestWaits","Output":"=== RUN   TestWaits\n"}
{"Action":"output","Package":"example.com/p","Test":"TestWaits","Output":"    a_test.go:3: dialling\n"}
{"Action":"run","Package":"example.com/p","Test":"TestPasses"}
{"Action":"output","Package":"example.com/p","Test":"TestPasses","Output":"--- PASS: TestPasses (0.00s)\n"}
{"Action":"output","Package":"example.com/p","Test":"TestPasses","Output":"panic: test timed out after 2s\n"}
{"Action":"output","Package":"example.com/p","Test":"TestPasses","Output":"goroutine 17 [select (no cases)]:\n"}
{"Action":"pass","Package":"example.com/p","Test":"TestPasses","Elapsed":0}
{"Action":"run","Package":"example.com/other","Test":"TestOther"}
{"Action":"output","Package":"example.com/other","Test":"TestOther","Output":"    b_test.go:1: not shown\n"}
{"Action":"output","Package":"example.com/p","Output":"FAIL\texample.com/p\t2.007s\n"}
{"Action":"fail","Package":"example.com/p","Elapsed":2.008}
{"Action":"pass","Package":"example.com/other","Test":"TestOther","Elapsed":0}
{"Action":"pass","Package":"example.com/other","Elapsed":0.1}
`

func TestTimedOutPackageShowsWhereItHung(t *testing.T) {
	t.Parallel()
	totals := filepath.Join(t.TempDir(), "totals")
	cmd := exec.CommandContext(t.Context(), "awk", "-v", "totals="+totals, "-f", "../scripts/tally.awk")
	cmd.Stdin = strings.NewReader(timedOut)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"panic: test timed out after 2s", "goroutine 17 [select (no cases)]:", "example.com/p TestWaits", "a_test.go:3: dialling"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "not shown") {
		t.Errorf("got the output of a package that passed:\n%s", out)
	}
	got, err := os.ReadFile(totals)
	if err != nil || string(got) != "2 1 0\n" {
		t.Errorf("got totals %q, %v; want 2 passed and 1 failed", got, err)
	}
}
