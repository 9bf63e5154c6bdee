package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
)

// A mail server that is away for a moment, then busy: only being busy counts as a failed attempt.
func ExamplePolicy_Do() {
	answers := []error{
		failure.New(failure.Down, failure.MailAway, errors.New("connection refused")),
		failure.New(failure.Transient, failure.MailBusy, errors.New("451 try again")),
		nil,
	}
	attempt := func() error {
		answer := answers[0]
		answers = answers[1:]
		fmt.Println("answer:", answer)
		return answer
	}
	patience := retry.Policy{Pause: time.Millisecond, Probe: time.Millisecond}
	failures, err := patience.Do(context.Background(), nil, attempt)
	fmt.Println("failures:", failures, "error:", err)
	// Output:
	// answer: connection refused
	// answer: 451 try again
	// answer: <nil>
	// failures: 1 error: <nil>
}
