package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafkatest"
)

// call runs the program with arguments, and variables as KEY=VALUE in pairs, and returns what it
// printed.
func call(ctx context.Context, args []string, variables ...string) (stdout, stderr string, err error) {
	env := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	var out, log bytes.Buffer
	err = run(ctx, args, func(name string) string { return env[name] }, &out, &log)
	return out.String(), log.String(), err
}

func TestHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	got, _, err := call(t.Context(), []string{"--help"})
	if !errors.Is(err, config.ErrHelp) {
		t.Errorf("got %v, want %v", err, config.ErrHelp)
	}
	golden.Compare(t, "testdata/help.golden", got)
}

func TestInvalidSettingsAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	brokers := "--brokers=" + strings.Join(k.Config().Brokers, ",")
	wrong := filepath.Join(t.TempDir(), "card.yaml")
	if err := os.WriteFile(wrong, []byte("currency: EUR\nstep_g: 500\nzone: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "mail.html")
	if err := os.WriteFile(broken, []byte("<p>\n{{.Name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		args []string
		env  string
		says string
	}{
		{"unknown flag", []string{"--colour"}, "", "unknown flag --colour"},
		{"no number", []string{"--concurrency=many"}, "", "--concurrency"},
		{"no concurrency", []string{"--concurrency=0"}, "", "--concurrency must be at least 1"},
		{"no concurrency, by a variable", nil, "ORDERS_CONCURRENCY=0", "--concurrency must be at least 1"},
		{"no port", []string{"--brokers=kafka"}, "", `--brokers "kafka"`},
		{"unreachable broker", []string{"--brokers=127.0.0.1:1"}, "", "reaching Kafka at [127.0.0.1:1]"},
		{"topics missing", []string{brokers, "--prefix=other"}, "", "other.status: missing (create it with: ordersctl topics create --prefix other)"},
		{"rate card wrong", []string{brokers, "--rate-card=" + wrong}, "", wrong + `:3: unknown key "zone"`},
		{"rate card missing", []string{brokers, "--rate-card=nowhere.yaml"}, "", "nowhere.yaml"},
		{"seller missing", []string{brokers, "--seller=nowhere.yaml"}, "", "nowhere.yaml"},
		{"sender wrong", []string{brokers, "--mail-from=shop"}, "", `sender "shop"`},
		{"mail template wrong", []string{brokers, "--mail-templates=" + filepath.Dir(broken)}, "", broken + ":3: unclosed action started at " + broken + ":2"},
		{"shop wrong", []string{brokers}, "ORDERS_SHOP_URL=shop.example.com", `shop "shop.example.com"`},
		{"mail password without TLS", []string{brokers, "--smtp-user=shop", "--smtp-tls=none"}, "ORDERS_SMTP_PASSWORD=geheim", "never sent unencrypted"},
		{"mail user without a password", []string{brokers, "--smtp-user=shop"}, "", "needs a user name and a password"},
		{"two mail passwords", []string{brokers, "--smtp-user=shop", "--smtp-password-file=nowhere"}, "ORDERS_SMTP_PASSWORD=geheim", "ORDERS_SMTP_PASSWORD is set, too"},
		{"mail encryption unknown", []string{"--smtp-tls=some"}, "", "--smtp-tls must be one of"},
		{"mail connections", []string{"--smtp-connections=-1"}, "", "--smtp-connections must not be negative"},
		{"mail server wrong", []string{brokers, "--smtp=mail"}, "", "mail server"},
		{"health address wrong", []string{brokers, "--health=127.0.0.1:x"}, "", "--health"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := call(t.Context(), row.args, row.env); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want an error that says %q", err, row.says)
			}
		})
	}
}

// owning calls then when partitions have been assigned to the program. Loggers call Write from one
// goroutine at a time.
type owning struct{ then func() }

func (o *owning) Write(line []byte) (int, error) {
	if o.then != nil && bytes.Contains(line, []byte("partitions owned")) {
		go o.then()
		o.then = nil
	}
	return len(line), nil
}

// free is an address that was free a moment ago.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestProgramIsReadyWithPartitionsAndStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	answers := map[string]int{}
	err := error(syscall.EADDRINUSE)
	for errors.Is(err, syscall.EADDRINUSE) { // another program has taken the port meanwhile
		health := free(t)
		look := func() {
			defer end()
			for _, path := range []string{"/healthz/live", "/healthz/ready", "/metrics", "/other"} {
				answer, err := http.Get("http://" + health + path)
				if err != nil {
					t.Error(err)
					return
				}
				answers[path] = answer.StatusCode
				answer.Body.Close()
			}
		}
		args := []string{"--brokers", strings.Join(k.Config().Brokers, ","), "--health", health}
		err = run(ctx, args, func(string) string { return "" }, io.Discard, &owning{look})
	}
	if err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if diff := cmp.Diff(map[string]int{"/healthz/live": 200, "/healthz/ready": 200, "/metrics": 200, "/other": 404}, answers); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
}

func TestSettingsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	_, log, _ := call(t.Context(), []string{"--brokers=127.0.0.1:1", "--concurrency=7", "--log-format=json"}, "ORDERS_GROUP=night", "ORDERS_DRAIN=9s")
	line, _, _ := strings.Cut(log, "\n")
	for _, want := range []string{`"msg":"settings"`, `"concurrency":"7"`, `"group":"night"`, `"drain":"9s"`, `"smtp":"127.0.0.1:1025"`} {
		if !strings.Contains(line, want) {
			t.Errorf("got %s, want it to hold %s", line, want)
		}
	}
}
