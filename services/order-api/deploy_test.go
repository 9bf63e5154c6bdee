package main_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// composeFile reads deploy/compose as Docker would: unknown keys, missing services and bad values
// are errors.
func composeFile(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../deploy/compose/compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeRunsTheWholeApplication(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for name, s := range composeFile(t).Services {
		got[name] = s.GetScale()
	}
	want := map[string]int{"kafka": 1, "topics": 1, "keys": 1, "order-api": 1, "order-worker": 3, "mailpit": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers of each service (-want +got):\n%s", diff)
	}
}

func TestComposePublishesOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for name, s := range composeFile(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want 127.0.0.1: everything is allowed there", name, port.Published, port.HostIP)
			}
		}
	}
}

func TestComposePinsWhatItRuns(t *testing.T) {
	t.Parallel()
	for name, s := range composeFile(t).Services {
		if s.Build == nil {
			if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
				t.Errorf("%s runs the image %q, want one with a version", name, s.Image)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s is built from a Dockerfile that is not there: %v", name, err)
		}
	}
}

// TestComposeSetsWhatProgramsRead: a misspelt variable would be ignored in silence.
func TestComposeSetsWhatProgramsRead(t *testing.T) {
	t.Parallel()
	code := sources(t, "../../services", "../../shared")
	for name, s := range composeFile(t).Services {
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "ORDERS_") && !bytes.Contains(code, []byte(`env:"`+variable+`"`)) {
				t.Errorf("%s sets %s, which no program reads", name, variable)
			}
		}
	}
}

// TestContainersHaveNoShellAndNoRoot: what is not in the image cannot be used against it.
func TestContainersHaveNoShellAndNoRoot(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"order-api", "order-worker"} {
		text, err := os.ReadFile("../../deploy/docker/" + service + ".Dockerfile")
		if err != nil {
			t.Fatal(err)
		}
		stages := strings.Split(string(text), "\nFROM ")
		if last := stages[len(stages)-1]; !strings.HasPrefix(last, "gcr.io/distroless/static-debian12:nonroot\n") {
			t.Errorf("%s ends on %.60q, want distroless/static, nonroot", service, last)
		}
		if !strings.Contains(string(text), "CGO_ENABLED=0") {
			t.Errorf("%s is built with cgo, but its image has no C library", service)
		}
	}
}

// sources returns the production code below the roots, in one piece.
func sources(t *testing.T, roots ...string) (code []byte) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code = append(code, text...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return code
}
