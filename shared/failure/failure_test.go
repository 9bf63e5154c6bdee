package failure_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"example.com/orders/shared/failure"
)

func ExampleOf() {
	err := failure.New(failure.Permanent, failure.NoRoute, errors.New("no zone takes AQ"))
	err = fmt.Errorf("order ord_7: step shipping: %w", err)
	class, reason := failure.Of(err)
	fmt.Println(class, reason, err)
	// Output: permanent no-route order ord_7: step shipping: no zone takes AQ
}

func TestOfReturnsTheOutermostMark(t *testing.T) {
	t.Parallel()
	away := failure.New(failure.Down, failure.MailAway, io.EOF)
	for _, row := range []struct {
		name   string
		err    error
		class  failure.Class
		reason failure.Reason
	}{
		{"no mark", io.EOF, failure.Transient, failure.Internal},
		{"no error", nil, failure.Transient, failure.Internal},
		{"a mark", away, failure.Down, failure.MailAway},
		{"a wrapped mark", fmt.Errorf("sending: %w", away), failure.Down, failure.MailAway},
		{"a hidden mark", fmt.Errorf("sending: %v", away), failure.Transient, failure.Internal},
		{"a mark on a mark", failure.New(failure.Permanent, failure.MailRejected, fmt.Errorf("giving up: %w", away)), failure.Permanent, failure.MailRejected},
		{"one of several", errors.Join(io.EOF, fmt.Errorf("sending: %w", away)), failure.Down, failure.MailAway},
	} {
		if class, reason := failure.Of(row.err); class != row.class || reason != row.reason {
			t.Errorf("%s: got %v, %s; want %v, %s", row.name, class, reason, row.class, row.reason)
		}
	}
}

func TestMarkKeepsTheWrappedError(t *testing.T) {
	t.Parallel()
	err := failure.New(failure.Down, failure.MailAway, fmt.Errorf("dialling: %w", io.EOF))
	if got, want := err.Error(), "dialling: EOF"; got != want {
		t.Errorf("got text %q, want %q", got, want)
	}
	if !errors.Is(err, io.EOF) {
		t.Error("the error within is not found")
	}
}

func TestParseClassReadsString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]failure.Class{
		"transient": failure.Transient, "permanent": failure.Permanent, "down": failure.Down,
		"": failure.Transient, "Down": failure.Transient, "down ": failure.Transient, "of a newer version": failure.Transient,
	} {
		if got := failure.ParseClass(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for _, class := range []failure.Class{failure.Transient, failure.Permanent, failure.Down} {
		if got := failure.ParseClass(class.String()); got != class {
			t.Errorf("%v: got %v from its text", class, got)
		}
	}
}
