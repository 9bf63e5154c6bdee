package config

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// version and commit are set by the linker where a build has no repository, as in an image:
// go build -ldflags "-X example.com/orders/shared/config.version=v1.2.3". Empty: those that the go
// command knows of the repository.
var version, commit string

// versionFlag is a flag of every program.
type versionFlag struct {
	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

// Version is the version of this program, such as v1.2.3, or "devel".
func Version() string {
	built, _ := readBuild()
	return built
}

// describe is what --version prints.
func describe(name string) string {
	built, from := readBuild()
	return fmt.Sprintf("%s %s, commit %s, %s %s/%s", name, built, from, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// readBuild returns version and commit. What the linker has set precedes what the go command knows.
func readBuild() (built, from string) {
	built, from = version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "(devel)" {
			built = cmp.Or(built, v)
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				from = cmp.Or(from, s.Value)
			}
		}
	}
	return cmp.Or(strings.TrimSpace(built), "devel"), cmp.Or(strings.TrimSpace(from), "unknown")
}
