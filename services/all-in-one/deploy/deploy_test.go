// Package deploy_test checks the files in deploy/: as Docker, Kubernetes and the programs would read
// them, as far as that is possible without any of them running.
package deploy_test

import (
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/ctl"
	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/telemetry"
)

// root is the root of the repository.
const root = "../../../"

// container is what a container runs, in compose and in Kubernetes.
type container struct {
	name    string
	command []string // the program and its arguments; empty: the entrypoint of the image
	image   string   // without registry and version, such as order-api
	env     map[string]string
}

// program is the program that runs, and its arguments.
func (c container) program() (string, []string) {
	if len(c.command) == 0 {
		return c.image, nil
	}
	return strings.TrimPrefix(c.command[0], "/"), c.command[1:]
}

// checkSettings parses the settings of a container as its program does: a misspelt variable would be ignored without a
// message, and a wrong value would stop the program.
func checkSettings(t *testing.T, c container) {
	t.Helper()
	program, args := c.program()
	env := func(name string) string { return c.env[name] }
	known := map[string]bool{}
	switch program {
	case "order-api":
		checkParse(t, c.name, known, &struct {
			config.Kafka
			config.Access
			api.Settings
			Database string `env:"ORDERS_DATABASE"`
			RateCard string `env:"ORDERS_RATE_CARD"`
			Group    string `env:"ORDERS_GROUP"`
			Health   string `env:"ORDERS_HEALTH"`
			telemetry.Log
		}{}, args, env)
	case "order-worker":
		checkParse(t, c.name, known, &struct {
			config.Kafka
			config.Access
			worker.Settings
			telemetry.Log
		}{}, args, env)
	case "ordersctl":
		checkCommand(t, c.name, args, env)
		addVariables(known, reflect.TypeFor[config.Kafka]())
		known["ORDERS_API_KEYS"] = true
		known["ORDERS_LOG_FORMAT"] = true // of the services that it shares its settings with
	default:
		t.Errorf("%s runs %q, which is no program of ours", c.name, program)
	}
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		if strings.HasPrefix(name, "ORDERS_") && !known[name] {
			t.Errorf("%s sets %s, which %s does not read", c.name, name, program)
		}
	}
}

func checkParse(t *testing.T, name string, known map[string]bool, settings any, args []string, env func(string) string) {
	t.Helper()
	addVariables(known, reflect.TypeOf(settings).Elem())
	if err := config.Parse(settings, name, "", args, env, io.Discard, io.Discard, kong.Vars{"drain": worker.DefaultDrain.String()}); err != nil {
		t.Errorf("%s would not start: %v", name, err)
	}
}

// checkCommand asks for the help of a command: an unknown one has none.
func checkCommand(t *testing.T, name string, args []string, env func(string) string) {
	t.Helper()
	var out strings.Builder
	_ = ctl.Run(t.Context(), append(slices.Clone(args), "--help"), env, strings.NewReader(""), &out, io.Discard)
	words := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, "-") || strings.Contains(arg, "/") })
	if want := "Usage: ordersctl " + strings.Join(words, " "); !strings.HasPrefix(out.String(), want+" ") {
		t.Errorf("%s runs %q, whose help is %.80q, want %q", name, args, out.String(), want)
	}
}

// addVariables adds the variables of a struct with kong tags.
func addVariables(known map[string]bool, of reflect.Type) {
	for field := range of.Fields() {
		if name, ok := field.Tag.Lookup("env"); ok {
			known[name] = true
		} else if field.Type.Kind() == reflect.Struct {
			addVariables(known, field.Type)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
