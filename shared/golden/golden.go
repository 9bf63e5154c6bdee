// Package golden compares what a test made with a file in testdata.
//
// Golden files hold bytes that others read: records, help texts, reports, mails. After a change
// that is meant, write them again and look at the difference:
//
//	go test -tags synctests ./shared/wire -update
//	git diff
package golden

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update is a flag of every test binary that imports the package.
var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Compare fails the test unless the file has exactly these bytes. With the flag -update it writes
// the file. The path is relative to the folder of the test.
func Compare[T string | []byte](t testing.TB, path string, got T) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it):\n%s", path, diff)
	}
}
