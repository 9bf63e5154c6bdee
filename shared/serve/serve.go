// Package serve runs HTTP servers: it checks which addresses a program may listen on and which
// hosts and origins a request may name, and it limits the size and duration of requests.
//
// Listen and Run are two steps. A program learns that an address is in use before it starts
// anything else, and it can print the port if it listens on port 0. Shutdown is graceful within a
// deadline: the server accepts no new connections, finishes requests in flight, and closes
// connections that remain after the deadline.
//
// Admit reads the whole body of a request before a handler sees it, then checks the Host header and
// the origin. The timeouts of Run apply to every request: net/http reads the rest of a body before
// it writes the response of a handler that did not read it.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/config"
)

// Timeouts of a request. A handler that streams extends its write deadline itself.
const (
	headerWithin = 5 * time.Second
	readWithin   = 15 * time.Second // header and body
	writeWithin  = 90 * time.Second // from the end of the header; a response may wait for an order for a minute
	idleFor      = 2 * time.Minute  // between two requests
)

// Listen listens on a TCP address. It refuses an address that other machines can reach, unless
// access allows it. Flag and variable name the setting in errors.
func Listen(ctx context.Context, address, flag, variable string, access config.Access) (net.Listener, error) {
	ln, err := Open(ctx, address, access)
	if err != nil {
		return nil, Taken(fmt.Errorf("%s: %w", flag, err), flag, variable)
	}
	return ln, nil
}

// Open is Listen without the name of the setting in errors.
func Open(ctx context.Context, address string, access config.Access) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if !Loopback(ln.Addr()) && !access.AllowRemote {
		ln.Close()
		return nil, config.Hint(fmt.Errorf("%s can be reached from other machines", address),
			"use a loopback address such as 127.0.0.1:8080, or set --allow-remote if only the right clients can reach the port")
	}
	return ln, nil
}

// Loopback reports whether only this machine can reach the address of a listener. The address that
// was given may be a host name, or have no host.
func Loopback(listener net.Addr) bool {
	at, ok := listener.(*net.TCPAddr)
	return !ok || at.IP.IsLoopback()
}

// Taken adds a hint to the error of a listener if its address is in use. It returns other errors
// unchanged.
func Taken(err error, flag, variable string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return config.Hint(err, fmt.Sprintf("another program uses this address: set another one with %s or %s", flag, variable))
	}
	return err
}

// Run serves h on ln until ctx is done, then waits up to grace for requests in flight. It closes ln
// and returns nil after a shutdown. A handler with endless streams must end them when the program
// stops, because Run waits for them as for any response. The handler must call Admit first, which
// removes the read deadline.
func Run(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration) error {
	s := &http.Server{
		Handler: h, MaxHeaderBytes: 64 << 10,
		// Port scans and aborted TLS handshakes would fill the log.
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ReadHeaderTimeout: headerWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleFor,
		// The default handler of OPTIONS * would bypass Admit.
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
			// grace is over: close the remaining connections. This is no failure.
			return s.Close()
		}
		return nil
	})
	return g.Wait()
}
