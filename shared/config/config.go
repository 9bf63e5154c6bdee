// Package config reads settings: flags and ORDERS_* variables of a program, and the YAML files that
// they name.
//
// The settings of a program are one struct with kong tags. A flag overrides its environment
// variable, and a variable overrides the default. The environment is an argument, so that tests can
// run programs concurrently. Main is the same for all programs: it handles signals, prints errors
// and sets the exit status.
//
// YAML files are read strictly: LoadYAML refuses unknown keys, repeated keys and values of the
// wrong type, because a misspelt key that is ignored can cost money. The caller adds checks of the
// values. An error lists all faults of the file, one a line, as "file:line: fault".
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// ErrHelp is returned by Parse after it has printed the help or the version. The program ends with
// exit status 0.
var ErrHelp = errors.New("help or version was printed")

// Parse reads flags and variables into a pointer to a struct with kong tags. Programs with commands
// pass options for kong. It returns a usage error, for Main, or ErrHelp.
func Parse(into any, name, description string, args []string, env func(string) string, stdout, stderr io.Writer, opts ...kong.Option) error {
	v := &variables{env: env, of: map[*kong.Flag][]string{}, used: map[string]string{}}
	helped := false
	k, err := kong.New(into, append([]kong.Option{
		kong.Name(name), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.PostBuild(v.takeOver), kong.Resolvers(v),
		kong.Embed(&versionFlag{}),
		kong.Vars{"version": describe(name)},
	}, opts...)...)
	if err != nil {
		return fmt.Errorf("describing the settings: %w", err)
	}
	_, err = k.Parse(args)
	if helped {
		return ErrHelp
	}
	if err != nil {
		return &usage{v.explain(err)}
	}
	return nil
}

// variables resolves flags from an environment that the caller passes: kong itself reads only that
// of the process.
type variables struct {
	env  func(string) string
	of   map[*kong.Flag][]string
	used map[string]string // by flag name
}

// takeOver keeps kong from reading the process environment, and keeps the names of the variables in
// the help.
func (v *variables) takeOver(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && len(f.Tag.Envs) > 0 {
			f.Help = kong.DefaultHelpValueFormatter(f.Value)
			v.of[f] = f.Tag.Envs
			f.Tag.Envs, f.Envs = nil, nil
		}
		return next(nil)
	})
}

// Validate accepts unknown variables: they belong to other programs.
func (v *variables) Validate(*kong.Application) error { return nil }

// Resolve returns the value of a flag's variable. An empty variable counts as unset.
func (v *variables) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	for _, name := range v.of[f] {
		if text := v.env(name); text != "" {
			v.used[f.Name] = name
			return text, nil
		}
	}
	return nil, nil
}

// explain adds a hint to an error about a flag whose value comes from a variable.
func (v *variables) explain(err error) error {
	for flag, name := range v.used {
		if strings.HasPrefix(err.Error(), "--"+flag) {
			return Hint(err, "the value comes from the environment variable "+name)
		}
	}
	return err
}

// Effective returns the settings in force as log attributes, for the line that a program logs at
// its start. The key is the name of the variable without ORDERS_. Settings tagged secret and
// passwords in URLs are masked.
func Effective(settings any) []slog.Attr {
	return effective(reflect.Indirect(reflect.ValueOf(settings)))
}

func effective(v reflect.Value) []slog.Attr {
	var attrs []slog.Attr
	for f, value := range v.Fields() {
		_, embedded := f.Tag.Lookup("embed")
		variable, setting := f.Tag.Lookup("env")
		switch {
		case f.Anonymous || embedded:
			attrs = append(attrs, effective(value)...)
		case setting:
			_, secret := f.Tag.Lookup("secret")
			key := strings.ToLower(strings.TrimPrefix(variable, "ORDERS_"))
			attrs = append(attrs, slog.String(key, mask(fmt.Sprint(value), secret)))
		}
	}
	return attrs
}

func mask(text string, secret bool) string {
	if secret && text != "" {
		return "***"
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	return text
}
