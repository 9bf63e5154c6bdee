package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/services/order-api/api"
	"example.com/orders/shared/config"
	"example.com/orders/shared/golden"
)

func unset(string) string { return "" }

func TestAddressInUseNamesItsSetting(t *testing.T) {
	t.Parallel()
	for flag, hint := range map[string]string{
		"--http":    "--http or ORDERS_HTTP",
		"--brokers": "--brokers or ORDERS_BROKERS",
		"--smtp":    "--smtp or --inbox, or ORDERS_SMTP or ORDERS_INBOX",
		"--inbox":   "--smtp or --inbox, or ORDERS_SMTP or ORDERS_INBOX",
	} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			args := []string{"--data", t.TempDir(), flag, taken.Addr().String()}
			for _, other := range []string{"--http", "--brokers", "--smtp", "--inbox"} {
				if other != flag {
					args = append(args, other, "127.0.0.1:0")
				}
			}
			err = run(t.Context(), args, unset, io.Discard, io.Discard)
			var told strings.Builder
			config.PrintError(&told, "all-in-one", errors.Join(err))
			if got := told.String(); !strings.Contains(got, "address already in use\nhint: another program uses this address: set another one with "+hint+"\n") {
				t.Errorf("got %s, want a hint that names %s", got, hint)
			}
		})
	}
}

func TestInvalidDirectoryNamesItsFlag(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"--data", file, "--brokers", "127.0.0.1:0"}, unset, io.Discard, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "--data: mkdir "+file) {
		t.Errorf("got %v, want it to begin with --data and name the folder", err)
	}
}

func TestInvalidSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, want string }{
		{"--workers=-1", "--workers must not be negative"},
		{"--embedded kafka", `--embedded must be one of "broker","inbox","none" but got "kafka"`},
		{"--sample nowhere.csv", "nowhere.csv: no such file or directory"},
		{"--concurrency 0", "--concurrency must be at least 1"},
	} {
		err := run(t.Context(), append(strings.Fields(row.args), "--data", t.TempDir()), unset, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", row.args, err, row.want)
		}
	}
}

func TestMailsLinkToThePageOfTheOrder(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", "[::1]:80": "http://[::1]:80", "127.0.0.1:0": "", ":8080": "", "nonsense": "",
	} {
		if got := (&settings{API: api.Settings{HTTP: address}}).shop(); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
	if got := (&settings{API: api.Settings{HTTP: "127.0.0.1:8080", TLSCert: "cert.pem"}}).shop(); got != "https://127.0.0.1:8080" {
		t.Errorf("with a certificate: got %q, want HTTPS", got)
	}
}

func TestHelpShowsEverySetting(t *testing.T) {
	t.Setenv("COLUMNS", "130")
	var got strings.Builder
	if err := run(t.Context(), []string{"--help"}, unset, &got, io.Discard); !errors.Is(err, config.ErrHelp) {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/help.golden", got.String())
}
