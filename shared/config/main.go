package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Program is the body of a main function. It returns when ctx is done and its work in flight is
// finished.
type Program func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error

// Main runs a program and exits the process. The first SIGINT or SIGTERM cancels the program's
// context; another one, later than echo after the first, kills the process. The exit status is 0
// when the program returns nil or ErrHelp, or context.Canceled because of the signal: it had not started
// completely. It is 2 for a usage error, and 1 for any other error.
func Main(name string, run Program) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process
		first(signals, cancel)
		signal.Stop(signals) // restores the default: the next signal kills the process
	}()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	os.Exit(report(os.Stderr, name, err))
}

// echo is for how long after the first signal others are ignored. A terminal and timeout(1) signal
// a whole process group, and a parent in the group often forwards the signal. Without echo, that
// would kill a worker while it sends mails.
const echo = 300 * time.Millisecond

// first cancels at the first signal, and returns when the echo of that is over.
func first(signals <-chan os.Signal, cancel func()) {
	<-signals
	cancel()
	time.Sleep(echo)
}

// report prints the error and returns the exit status.
func report(w io.Writer, name string, err error) int {
	if err == nil || errors.Is(err, ErrHelp) {
		return 0
	}
	PrintError(w, name, err)
	if _, ok := errors.AsType[*usage](err); !ok {
		return 1
	}
	fmt.Fprintf(w, "hint: run %s --help to list the flags\n", name)
	return 2
}

// PrintError prints an error as all programs do: a line that begins with the program's name, then
// the hint of the error, if any.
func PrintError(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "%s: %s\n", name, Printable(err.Error()))
	if h, ok := errors.AsType[*hinted](err); ok {
		fmt.Fprintf(w, "hint: %s\n", Printable(h.hint))
	}
}

// Printable replaces control characters and bytes that are not UTF-8, so that text can be printed
// on a terminal. It keeps line breaks.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// IsControl reports whether a character controls the terminal: C0, DEL, C1, line and paragraph
// separators, and characters that change the direction of text (Unicode UAX #9).
func IsControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Usage marks an error as a usage error: Main prints a hint about --help and exits with status 2.
func Usage(err error) error { return &usage{err} }

// usage is a usage error.
type usage struct{ err error }

func (u *usage) Error() string { return u.err.Error() }
func (u *usage) Unwrap() error { return u.err }

// Hint adds a hint to an error: what the user can do about it. Main prints it on a line of its own.
// It does not change Error.
func Hint(err error, hint string) error { return &hinted{err, hint} }

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
