package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/shared/config"
	"example.com/orders/shared/kafkatest"
)

// until cancels a program when it logs a text. Loggers call Write from one goroutine at a time.
type until struct {
	bytes.Buffer
	text string
	end  context.CancelFunc
}

func (u *until) Write(p []byte) (int, error) {
	if strings.Contains(string(p), u.text) {
		u.end()
	}
	return u.Buffer.Write(p)
}

func TestProgramRunsUntilCancelled(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	log := &until{text: "listening", end: cancel}
	env := map[string]string{"ORDERS_BROKERS": k.Config().Brokers[0], "ORDERS_DATA": t.TempDir(), "ORDERS_SECRET": "not for the log at all"}
	if err := run(ctx, []string{"--http", "127.0.0.1:0"}, func(name string) string { return env[name] }, log, log); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if got := log.String(); !strings.Contains(got, "http=127.0.0.1:0") || strings.Contains(got, "not for the log") {
		t.Errorf("got log %s, want the settings without the secret", got)
	}
}

func TestInvalidRateCardIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	card := filepath.Join(t.TempDir(), "card.yaml")
	if err := os.WriteFile(card, []byte("currency: EUR\nstep_g: 500\nzone: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := map[string]string{"ORDERS_RATE_CARD": card, "ORDERS_DATA": t.TempDir()}
	err := run(t.Context(), nil, func(name string) string { return env[name] }, &out, &out)
	if want := card + `:3: unknown key "zone"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error that says %q", err, want)
	}
}

func TestUnknownFlagIsAUsageError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := run(t.Context(), []string{"--nothing"}, func(string) string { return "" }, &out, &out)
	if err == nil || err == config.ErrHelp {
		t.Errorf("got %v, want an error", err)
	}
}
