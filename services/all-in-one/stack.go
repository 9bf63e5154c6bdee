package main

import (
	"context"
	"errors"
)

// stack runs parts that stand on each other, the lowest first. When ctx is done, or one of them ends by itself, all end
// from the top down: a part is told to end when all above it have ended. It returns what went wrong in any of them, but
// not that one was cut short by being told to end.
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
