package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
	"example.com/orders/shared/golden"
)

type settings struct {
	config.Kafka
	Access  config.Access `embed:""`
	HTTP    string        `name:"http" env:"ORDERS_HTTP" default:"127.0.0.1:8080" help:"Address to listen on."`
	Workers int           `env:"ORDERS_WORKERS" default:"2" help:"How many."`
	Drain   time.Duration `env:"ORDERS_DRAIN" default:"4s" help:"How long."`
	Loose   bool          `env:"ORDERS_LOOSE" help:"Whether."`
	Mode    string        `env:"ORDERS_MODE" enum:"fast,slow" default:"fast" help:"Which of ${enum}."`
	SMTP    string        `name:"smtp" env:"ORDERS_SMTP" help:"Mail server."`
	Secret  string        `env:"ORDERS_SECRET" secret:"" help:"Key."`
	Depth   depth         `embed:""`
	Hidden  func()        `kong:"-"`
}

type depth struct {
	Depth int `env:"ORDERS_DEPTH" default:"${depth}" help:"How deep."`
}

// parse reads settings from a command line and variables as KEY=VALUE.
func parse(args string, variables ...string) (settings, string, error) {
	env := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	var s settings
	var out bytes.Buffer
	err := config.Parse(&s, "shop", "Shop sells.", strings.Fields(args), func(name string) string { return env[name] }, &out, &out, kong.Vars{"depth": "3"})
	return s, out.String(), err
}

func TestFlagOverridesVariableOverridesDefault(t *testing.T) {
	t.Parallel()
	got, _, err := parse("--workers 5 --brokers a:1,b:2", "ORDERS_WORKERS=7", "ORDERS_DRAIN=9s", "ORDERS_LOOSE=true", "ORDERS_PREFIX=", "ORDERS_MODE=slow")
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		Kafka: config.Kafka{Brokers: []string{"a:1", "b:2"}, Prefix: "orders"},
		HTTP:  "127.0.0.1:8080", Workers: 5, Drain: 9 * time.Second, Loose: true, Mode: "slow", Depth: depth{3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got, _, err = parse("", "ORDERS_BROKERS=c:3,d:4"); err != nil || len(got.Brokers) != 2 {
		t.Errorf("got brokers %q, %v; want c:3 and d:4", got.Brokers, err)
	}
}

func TestTheEnvironmentOfTheProcessIsNotRead(t *testing.T) {
	t.Setenv("ORDERS_WORKERS", "7")
	if got, _, err := parse(""); err != nil || got.Workers != 2 {
		t.Errorf("got %d workers, %v; want the default of 2", got.Workers, err)
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, env, want string }{
		{"--worker 5", "", `unknown flag --worker, did you mean "--workers"?`},
		{"-workers 5", "", `unknown flag -w, did you mean "-h"?`},
		{"--workers five", "", `--workers: expected a valid 64 bit int but got "five"`},
		{"", "ORDERS_WORKERS=five", `--workers: expected a valid 64 bit int but got "five"`},
		{"--mode odd", "", `--mode must be one of "fast","slow" but got "odd"`},
		{"extra", "", "unexpected argument extra"},
		{"--prefix a/b", "", `--prefix "a/b": must be at most 200 letters, digits, dots, underscores and hyphens, and begin with a letter or a digit`},
		{"--prefix ..", "", `--prefix "..": must be at most 200 letters, digits, dots, underscores and hyphens, and begin with a letter or a digit`},
		{"--allowed-hosts http://a.example", "", `--allowed-hosts "http://a.example": must be a host name without scheme and port, such as orders.example.com`},
		{"--allowed-hosts a.example,*", "", `--allowed-hosts "*": must be a host name without scheme and port, such as orders.example.com`},
		{"--brokers here", "", `--brokers "here": must be HOST:PORT, such as 127.0.0.1:9092`},
	} {
		t.Run(row.args+row.env, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(row.args, row.env)
			if got := fmt.Sprint(err); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestHelpShowsEveryFlagWithItsVariable(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	_, out, err := parse("--help")
	if err != config.ErrHelp {
		t.Errorf("got error %v, want ErrHelp", err)
	}
	golden.Compare(t, "testdata/help.txt", out)
}

// TestEveryProgramPrintsItsVersion: scripts/images asks the programs that are built for images.
func TestEveryProgramPrintsItsVersion(t *testing.T) {
	t.Parallel()
	_, out, err := parse("--version")
	if err != config.ErrHelp {
		t.Errorf("got error %v, want ErrHelp", err)
	}
	if want := regexp.MustCompile(`^shop \S+, commit \S+, go1\.\S+ \w+/\w+\n$`); !want.MatchString(out) {
		t.Errorf("got %q, want a match of %s", out, want)
	}
}

func TestEffectiveSettingsHideSecrets(t *testing.T) {
	t.Parallel()
	s, _, err := parse("--smtp smtp://me:hush@mail.test:25 --secret hush --kafka-sasl scram-sha-256 --kafka-sasl-user order-api", "ORDERS_KAFKA_SASL_PASSWORD=hush")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(t.Context(), slog.LevelInfo, "settings", config.Effective(&s)...)
	_, got, _ := strings.Cut(out.String(), "msg=settings ")
	want := `brokers=[127.0.0.1:9092] prefix=orders kafka_tls=false kafka_tls_ca="" kafka_tls_cert="" kafka_tls_key="" kafka_tls_server_name="" ` +
		`kafka_sasl=scram-sha-256 kafka_sasl_user=order-api kafka_sasl_password_file="" kafka_sasl_password=*** kafka_sasl_token_file="" allow_remote=false allowed_hosts=[] http=127.0.0.1:8080 workers=2 drain=4s loose=false mode=fast smtp=smtp://me:xxxxx@mail.test:25 secret=*** depth=3` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
