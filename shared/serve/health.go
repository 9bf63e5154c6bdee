package serve

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"

	"example.com/orders/shared/config"
)

// Health listens on the address of --health, which is for operators and their tools, and returns what serves h
// there until ctx ends. The caller must call it. With an empty address it returns nil at once.
func Health(ctx context.Context, address string, access config.Access, h http.Handler) (run func(context.Context) error, err error) {
	if address == "" {
		return func(context.Context) error { return nil }, nil
	}
	ln, err := Listen(ctx, address, "--health", "ORDERS_HEALTH", access)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return Run(ctx, ln, h, time.Second) }, nil
}

// Profiles returns the handler of an address of --health: h, with the profiles of the process under
// /debug/pprof/, for the clients that Guard accepts. The command line is left out, because it may have a
// secret.
func Profiles(access config.Access, h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return Guard(access, mux)
}
