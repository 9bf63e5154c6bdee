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

// Program is what a main does. It returns when ctx is done and its work in hand is finished.
type Program func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error

// Main runs a program and ends the process. The first SIGINT or SIGTERM cancels the program's context, one that comes
// later than echo after it ends the process at once. It exits with 0 when the program returns nil or ErrHelp, with 2 on wrong usage, else with 1.
func Main(name string, run Program) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process
		<-signals
		cancel()
		time.Sleep(echo)
		signal.Stop(signals) // the next one has its usual effect again: it ends the process
	}()
	os.Exit(report(os.Stderr, name, run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)))
}

// echo is how long a repeated signal is the same request: a terminal and timeout(1) signal a whole group of processes, and a
// parent among them often hands the signal on. Taken for a second request it would end a worker with mails in hand.
const echo = 300 * time.Millisecond

// report tells the error and returns the exit code.
func report(w io.Writer, name string, err error) int {
	if err == nil || errors.Is(err, ErrHelp) {
		return 0
	}
	Tell(w, name, err)
	if _, ok := errors.AsType[*usage](err); !ok {
		return 1
	}
	fmt.Fprintf(w, "hint: run %s --help to list the flags\n", name)
	return 2
}

// Tell prints an error the way every program does: a line that begins with the program's name, and the hint that the error has.
func Tell(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "%s: %s\n", name, Printable(err.Error()))
	if h, ok := errors.AsType[*hinted](err); ok {
		fmt.Fprintf(w, "hint: %s\n", Printable(h.hint))
	}
}

// Printable replaces each character of a text that a terminal would obey, and each byte that is not UTF-8. Line breaks stay.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && Obeyed(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Obeyed reports whether a terminal acts on a character instead of showing it: controls (C0, DEL, C1), line and paragraph
// separators, and all that changes the direction of text (Unicode UAX #9).
func Obeyed(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Usage marks an error as one of usage: the program was called wrongly, and Main exits with 2.
func Usage(err error) error { return &usage{err} }

// usage is an error of the person who typed the command.
type usage struct{ err error }

func (u *usage) Error() string { return u.err.Error() }
func (u *usage) Unwrap() error { return u.err }

// Hint adds to an error what a person can do about it: a line of its own that Main prints after it. The text of the error stays.
func Hint(err error, hint string) error { return &hinted{err, hint} }

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
