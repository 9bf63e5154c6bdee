package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ln, err := serve.Listen(ctx, "127.0.0.1:0", "--http", "ORDERS_HTTP", config.Access{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Stopped during a response, it finishes the response first.
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		fmt.Fprintln(w, "done")
	})
	body := make(chan string)
	go func() { body <- get(ln.Addr()) }() // ends with its answer, which is read below
	fmt.Println(serve.Run(ctx, ln, h, time.Minute))
	fmt.Print(<-body)
	// Output:
	// <nil>
	// done
}

func get(addr net.Addr) string {
	resp, err := http.Get("http://" + addr.String())
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func TestEndlessResponseIsClosedAfterGrace(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ln := listen(t, "127.0.0.1:0")
	ended := make(chan error, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	body := make(chan string, 1)
	go func() { body <- get(ln.Addr()) }() // ends when the connection is closed
	if err := serve.Run(ctx, ln, h, time.Millisecond); err != nil {
		t.Errorf("got %v, want nil: it was told to stop", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v, want context.Canceled", err)
	}
	if got := <-body; !strings.Contains(got, "EOF") {
		t.Errorf("the client got %q, want a connection that was cut", got)
	}
}

func TestAddressInUseNamesItsSetting(t *testing.T) {
	t.Parallel()
	ln := listen(t, "127.0.0.1:0")
	defer ln.Close()
	_, err := serve.Listen(t.Context(), ln.Addr().String(), "--http", "ORDERS_HTTP", config.Access{})
	want := "--http: listen tcp " + ln.Addr().String() + ": bind: address already in use"
	if fmt.Sprint(err) != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := serve.Listen(t.Context(), "127.0.0.1:http-no", "--http", "ORDERS_HTTP", config.Access{}); err == nil {
		t.Error("got no error for an address that is none")
	}
}

func TestRunReturnsTheListenersError(t *testing.T) {
	t.Parallel()
	ln := listen(t, "127.0.0.1:0")
	ln.Close()
	if err := serve.Run(t.Context(), ln, http.NotFoundHandler(), time.Minute); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	ln, err := serve.Listen(t.Context(), address, "--http", "ORDERS_HTTP", config.Access{})
	if err != nil {
		t.Fatal(err)
	}
	return ln
}
