// Package serve answers HTTP on an address until it is told to stop.
//
// Listen and Run are two steps, so that an address that is taken is known before anything else starts, and so that the
// real port of an address with port 0 can be told. Stopping is graceful within a bound: no new connection is taken,
// answers in hand are finished, and what still runs then is cut off.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/config"
)

// Listen opens a TCP address. Flag and variable are the names of its setting, for the error that says that the address is taken.
func Listen(ctx context.Context, address, flag, variable string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, Taken(fmt.Errorf("%s: %w", flag, err), flag, variable)
	}
	return ln, nil
}

// Taken adds a hint to the error of a listener when its address is in use by another program; other errors stay as they are.
func Taken(err error, flag, variable string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return config.Hint(err, fmt.Sprintf("another program uses this address: give another one with %s or %s", flag, variable))
	}
	return err
}

// Run serves h on ln, which it closes, until ctx is done; then it gives answers in hand up to grace to finish. It returns
// nil when it was told to stop. A handler that streams for ever must end its streams when the program stops: Run cannot
// tell them from answers. Time-outs for bodies and answers are the handler's, because a stream has none.
func Run(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving HTTP on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-running.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := s.Shutdown(bounded); err != nil {
			// The bound has passed: being cut off is what was announced to the rest, and no failure.
			return s.Close()
		}
		return nil
	})
	return g.Wait()
}
