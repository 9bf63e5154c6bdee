// Package config reads settings: flags and ORDERS_* variables of a program, and the YAML files that they name.
//
// A program's settings are one struct with kong tags. A flag beats its variable, and a variable beats the default; the
// environment is handed in, so that tests run programs side by side. Main is the frame that all programs share: what a
// signal does, how an error reads, and what a program exits with.
//
// A YAML file is read strictly, because a misspelt key that is silently ignored costs money: LoadYAML refuses unknown
// keys, keys given twice and values of the wrong kind, and the reader of the file adds what only it can know. All that
// is wrong is said at once, one line each, as "file:line: what".
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// Kafka are the settings of every program that talks to Kafka.
type Kafka struct {
	Brokers []string `env:"ORDERS_BROKERS" default:"127.0.0.1:9092" help:"Kafka bootstrap brokers, as HOST:PORT."`
	Prefix  string   `env:"ORDERS_PREFIX" default:"orders" help:"Prefix of the topic names."`
}

// prefix is what Kafka takes in the name of a topic. The longest topic adds 10 of the 249 characters; 200 leaves room.
var prefix = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$`)

// Validate is called by Parse.
func (k *Kafka) Validate() error {
	if !prefix.MatchString(k.Prefix) {
		return fmt.Errorf("--prefix %q: must be at most 200 letters, digits, dots, underscores and hyphens, and begin with a letter or a digit", k.Prefix)
	}
	for _, b := range k.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return fmt.Errorf("--brokers %q: must be HOST:PORT, such as 127.0.0.1:9092", b)
		}
	}
	return nil
}

// ErrHelp is returned by Parse when help was asked for and has been printed: the program ends, and that is no failure.
var ErrHelp = errors.New("help was printed")

// Parse reads flags and variables into a pointer to a struct with kong tags. Options are kong's, for programs with
// commands. An error is one of usage, for Main, or ErrHelp.
func Parse(into any, name, description string, args []string, env func(string) string, stdout, stderr io.Writer, opts ...kong.Option) error {
	v := &variables{env: env, of: map[*kong.Flag][]string{}, used: map[string]string{}}
	helped := false
	k, err := kong.New(into, append([]kong.Option{
		kong.Name(name), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.PostBuild(v.takeOver), kong.Resolvers(v),
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

// variables resolves flags from an environment that is handed in: kong itself reads that of the process only.
type variables struct {
	env  func(string) string
	of   map[*kong.Flag][]string
	used map[string]string // by flag name
}

// takeOver keeps kong from looking at the process environment, and the variables in the help.
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

// Validate has nothing to look at: unknown variables belong to other programs.
func (v *variables) Validate(*kong.Application) error { return nil }

// Resolve returns the text of a flag's variable. An empty one is as good as none.
func (v *variables) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	for _, name := range v.of[f] {
		if text := v.env(name); text != "" {
			v.used[f.Name] = name
			return text, nil
		}
	}
	return nil, nil
}

// explain names the variable behind a flag that nobody typed.
func (v *variables) explain(err error) error {
	for flag, name := range v.used {
		if strings.HasPrefix(err.Error(), "--"+flag) {
			return Hint(err, "the value comes from the environment variable "+name)
		}
	}
	return err
}

// Effective returns the settings in force, for the one line that a program logs at its start, each under the name of its
// variable without ORDERS_. Settings tagged secret are masked, and so are passwords in URLs.
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
