// Package serve is the door of every HTTP listener: which addresses it may open, which hosts and origins it answers, and how
// long a request may take.
//
// Listen and Run are two steps, so that an address that is taken is known before anything else starts, and so that the
// real port of an address with port 0 can be told. Stopping is graceful within a bound: no new connection is taken,
// requests in flight are finished, and what still runs then is cut off.
//
// Admit reads a request's whole body before anything else looks at the request, and then checks its host and its origin.
// Run bounds each request from its first byte on, whatever answers it: net/http itself reads the rest of a body before it
// writes the answer of a handler that did not.
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

// Timeouts of a request. A handler that streams moves the deadline of its writes itself.
const (
	headerWithin = 5 * time.Second
	readWithin   = 15 * time.Second // header and body
	writeWithin  = 90 * time.Second // since the header was read; an answer may wait for an order for a minute
	idleFor      = 2 * time.Minute  // between two requests
)

// Listen opens a TCP address. Flag and variable are the names of its setting, for errors: the address is taken, or is
// one that other machines reach and may not.
func Listen(ctx context.Context, address, flag, variable string, access config.Access) (net.Listener, error) {
	ln, err := Open(ctx, address, access)
	if err != nil {
		return nil, Taken(fmt.Errorf("%s: %w", flag, err), flag, variable)
	}
	return ln, nil
}

// Open is Listen for an address whose setting only the caller knows.
func Open(ctx context.Context, address string, access config.Access) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// Only the listener knows what a name, or an address without a host, stands for.
	if at, ok := ln.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && !access.AllowRemote {
		ln.Close()
		return nil, config.Hint(fmt.Errorf("%s can be reached from other machines, and there is no authentication", address),
			"use a loopback address such as 127.0.0.1:8080, or set --allow-remote and put the port behind a proxy that authenticates clients")
	}
	return ln, nil
}

// Taken adds a hint to the error of a listener when its address is in use by another program; other errors stay as they are.
func Taken(err error, flag, variable string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return config.Hint(err, fmt.Sprintf("another program uses this address: set another one with %s or %s", flag, variable))
	}
	return err
}

// Run serves h on ln, which it closes, until ctx is done; then it gives requests in flight up to grace to finish. It
// returns nil when it was told to stop. A handler that streams for ever must end its streams when the program stops: Run
// cannot tell them from answers. The handler must begin with Admit, which takes the deadline of the body off again.
func Run(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration) error {
	return run(ctx, ln, h, grace, readWithin)
}

func run(ctx context.Context, ln net.Listener, h http.Handler, grace, readWithin time.Duration) error {
	s := &http.Server{
		Handler: h, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: min(headerWithin, readWithin), ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleFor,
		// net/http's own answer to OPTIONS * would skip the handler.
		DisableGeneralOptionsHandler: true,
	}
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
