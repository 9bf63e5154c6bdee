package main

import (
	"context"
	"errors"
)

// stack runs parts in order of dependency: each part needs those before it. When ctx is done or one
// part returns, all parts are cancelled in reverse order, each after those that depend on it have
// returned. It returns the errors of all parts, except that of a part that returned
// context.Canceled because it was cancelled.
func stack(ctx context.Context, parts ...func(context.Context) error) error {
	if len(parts) == 0 {
		<-ctx.Done()
		return nil
	}
	lower, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	upper, endUpper := context.WithCancel(ctx)
	defer endUpper()
	ended := make(chan error, 1)
	go func() { // waited for below
		err := parts[0](lower)
		if lower.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil
		}
		ended <- err
		endUpper()
	}()
	err := stack(upper, parts[1:]...)
	end()
	return errors.Join(<-ended, err)
}
