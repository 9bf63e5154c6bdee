package config_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
)

// TestMain lets the test binary be the program that the tests start: Main ends its process.
func TestMain(m *testing.M) {
	if os.Getenv("CONFIG_TEST_PROGRAM") != "" {
		config.Main("shop", program)
	}
	os.Exit(m.Run())
}

// program ends in the way of its first argument.
func program(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	switch strings.Join(args[:min(1, len(args))], "") {
	case "fine":
		return nil
	case "fail":
		return fmt.Errorf("selling: %w", config.Hint(errors.New("no bread"), "bake some"))
	case "start":
		fmt.Fprintln(stdout, "open")
		<-ctx.Done()
		return fmt.Errorf("reaching the baker: %w", ctx.Err())
	case "cancel":
		return context.Canceled
	case "usage":
		return config.Usage(errors.New("two breads"))
	case "hang":
		fmt.Fprintln(stdout, "open")
		<-ctx.Done()
		fmt.Fprintln(stdout, "closing")
		for range time.Tick(50 * time.Millisecond) {
			if args[1] != "on" {
				return nil
			}
			fmt.Fprintln(stdout, "still closing")
		}
	}
	var shop struct {
		Breads int `env:"BREADS" help:"How many."`
	}
	return config.Parse(&shop, "shop", "Shop sells.", args, env, stdout, stderr)
}

func command(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *strings.Builder) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "CONFIG_TEST_PROGRAM=1")
	stderr = new(strings.Builder)
	cmd.Stderr = stderr
	return cmd, stderr
}

func TestMainPrintsErrorAndExitStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		arg, stderr string
		code        int
	}{
		{"fine", "", 0},
		{"--help", "", 0},
		{"fail", "shop: selling: no bread\nhint: bake some\n", 1},
		{"cancel", "shop: context canceled\n", 1}, // without a signal
		{"usage", "shop: two breads\nhint: run shop --help to list the flags\n", 2},
		{"", "shop: --breads: expected a valid 64 bit int but got \"x\"\nhint: the value comes from the environment variable BREADS\n" +
			"hint: run shop --help to list the flags\n", 2},
		{"--what", "shop: unknown flag --what\nhint: run shop --help to list the flags\n", 2},
	} {
		t.Run(row.arg, func(t *testing.T) {
			t.Parallel()
			cmd, stderr := command(t, strings.Fields(row.arg)...)
			cmd.Env = append(cmd.Env, "BREADS=x")
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != row.code {
				t.Errorf("got %v, want exit code %d", err, row.code)
			}
			if diff := cmp.Diff(row.stderr, stderr.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstSignalStopsSecondSignalKills(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		goes string // on after the first signal, or ends
		sent syscall.Signal
		want string
	}{
		{"SIGINT", "ends", syscall.SIGINT, "exit status 0"},
		{"SIGTERM", "ends", syscall.SIGTERM, "exit status 0"},
		{"SIGINT again", "on", syscall.SIGINT, "signal: interrupt"},
		{"SIGTERM again", "on", syscall.SIGTERM, "signal: terminated"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd, _ := command(t, "hang", row.goes)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The program says a line when it is open, when it is asked to close, and now and then
			// while it does not: each is the sign for a signal.
			for lines := bufio.NewScanner(stdout); lines.Scan() && (row.goes == "on" || lines.Text() == "open"); {
				if err := cmd.Process.Signal(row.sent); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
			}
			_, _ = io.Copy(io.Discard, stdout) // until it ends
			_ = cmd.Wait()                     // its error is the state that is looked at next
			if got := cmd.ProcessState.String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// TestASignalDuringTheStartIsNoError: what the start was waiting for is not the fault.
func TestASignalDuringTheStartIsNoError(t *testing.T) {
	t.Parallel()
	cmd, stderr := command(t, "start")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err == nil {
		err = cmd.Process.Signal(syscall.SIGTERM)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stderr.String() != "" {
		t.Errorf("got %v and %q, want status 0 and nothing", err, stderr)
	}
}
